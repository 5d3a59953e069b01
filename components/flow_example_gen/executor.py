"""FlowExampleGen's executor: writes frames to the split `all`, and counters and rejects."""

import json
import logging
import os
import pickle
from typing import Any

import apache_beam as beam
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from crowdflow.components.flow_example_gen.transform import FlowsToExamples
from crowdflow.config import Config
from crowdflow.ingest.counters import REJECTS_FILE, counters_json, rejects_csv
from crowdflow.ingest.date_range import resolve
from crowdflow.ingest.paths import ignored_names
from crowdflow.ingest.sources import fingerprint, ignored_side_files, inspect_sources, read_places
from crowdflow.schema.features import COUNTERS_FILE

SPLIT = "all"
# TFX's names, whose own modules import every TFX component.
SPAN, FINGERPRINT = "span", "input_fingerprint"
_FORMATS = {"payload_format": "FORMAT_TF_EXAMPLE", "file_format": "tfrecords_gzip"}
_TALLY_FILE = "tally.pickle"

log = logging.getLogger("crowdflow.ingest")


class Executor(base_beam_executor.BaseBeamExecutor):
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
        self._log_startup(input_dict, output_dict, exec_properties)
        config = Config.from_sections(exec_properties["config"])
        paths = json.loads(exec_properties["paths"])
        # A driver may have found the last date and the fingerprint; on Kubeflow, without one, they are found here.
        resolved = resolve(paths, config, exec_properties.get(SPAN))
        config = resolved.config
        sources = inspect_sources(resolved.paths, config)
        for path in ignored_side_files(sources, read_places(sources, config), config):
            log.warning("%s: side file ignored, the configuration does not use it.", path)
        for path in ignored_names(paths, [source.path for source in sources]):
            log.warning("%s: not read, a hidden name or a folder.", path)
        folder = artifact_utils.get_single_uri(output_dict["counters"])
        fileio.makedirs(folder)
        tally_path = os.path.join(folder, _TALLY_FILE)
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        self._write_frames(FlowsToExamples(sources, config, tally_path), examples)
        examples.set_int_custom_property(SPAN, resolved.span)
        known = exec_properties.get(FINGERPRINT) or fingerprint(sources)
        examples.set_string_custom_property(FINGERPRINT, known)

        with fileio.open(tally_path, "rb") as file:
            tally = pickle.loads(file.read())
        fileio.remove(tally_path)
        counters = counters_json(tally, sources, paths, resolved)
        for name, text in ((COUNTERS_FILE, counters), (REJECTS_FILE, rejects_csv(tally))):
            io_utils.write_string_file(os.path.join(folder, name), text)

    def _write_frames(self, frames: FlowsToExamples, examples: types.Artifact) -> None:
        """Writes the split of frames a day at a time, where TFX would hold all of them at once to shuffle them."""
        examples.split_names = artifact_utils.encode_split_names([SPLIT])
        folder = artifact_utils.get_split_uri([examples], SPLIT)
        with self._make_beam_pipeline() as pipeline:
            (
                pipeline
                | "Frames" >> frames
                | f"Write[{SPLIT}]"
                >> beam.io.WriteToTFRecord(os.path.join(folder, "frames"), file_name_suffix=".gz")
            )
        for name, value in _FORMATS.items():
            examples.set_string_custom_property(name, value)
