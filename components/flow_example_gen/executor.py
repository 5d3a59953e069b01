"""FlowExampleGen's executor: frames into the split `all`, counters and rejects beside them."""

import csv
import io
import json
import logging
import os
import pickle
from typing import Any

import apache_beam as beam
from tfx import types
from tfx.components.example_gen import base_example_gen_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.flow_example_gen import tally as tallies
from components.flow_example_gen.sources import (
    Source,
    ignored_side_files,
    inspect_sources,
    read_side_files,
)
from components.flow_example_gen.transform import FlowsToExamples
from pipeline.config import Config

COUNTERS_FILE = "counters.json"
REJECTS_FILE = "rejects.csv"
_TALLY_FILE = "tally.pickle"

log = logging.getLogger("crowdflow.ingest")


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Executor of FlowExampleGen."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See the component.

        Raises:
          DataNotFoundError: an input is not there.
          DataError: an input cannot be used, too many records are rejected, or no frame comes out.
        """
        config = Config.from_dict(json.loads(exec_properties["config"]))
        sources = inspect_sources(json.loads(exec_properties["paths"]), config)
        ignored = ignored_side_files(sources, config)
        for path in ignored:
            log.warning("%s: side file ignored, the configuration does not use it.", path)
        folder = artifact_utils.get_single_uri(output_dict["counters"])
        fileio.makedirs(folder)
        tally_path = os.path.join(folder, _TALLY_FILE)
        self._flows_to_examples = FlowsToExamples(sources, config, tally_path)
        super().Do(input_dict, output_dict, exec_properties)

        with fileio.open(tally_path, "rb") as file:
            tally = pickle.loads(file.read())
        fileio.remove(tally_path)
        tallies.require_usable(tally, config.ingest.max_reject_share)
        _write_counters(folder, tally, sources, ignored, config)

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:
        """The data flow of this execution; `paths`, not the split's pattern, says what is read."""
        return lambda exec_properties, split_pattern: self._flows_to_examples


def _write_counters(
    folder: str, tally: tallies.Tally, sources: list[Source], ignored: list[str], config: Config
) -> None:
    weather = read_side_files(sources, config)["weather"]
    counters = {
        "files": len(sources),
        "ignored_side_files": ignored,
        "weather_observations_unused": weather.unused if weather else 0,
        **tallies.summarize(tally, config.intervals.minutes),
    }
    io_utils.write_string_file(os.path.join(folder, COUNTERS_FILE), json.dumps(counters, indent=2))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(tallies.Reject._fields)
    writer.writerows(tally.rejects)
    io_utils.write_string_file(os.path.join(folder, REJECTS_FILE), text.getvalue())
