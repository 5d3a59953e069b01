"""Reads frames, and writes windows by split and counters of dropped windows."""

import json
import os
from typing import Any

import apache_beam as beam
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from crowdflow.components.window_gen.files import write_json, write_mask
from crowdflow.components.window_gen.frames import PARKED
from crowdflow.components.window_gen.transform import FramesToWindows
from crowdflow.config import Config
from crowdflow.flows import windows as pure
from crowdflow.ingest.beam_errors import clear_errors
from crowdflow.schema.features import ACTIVE_FILE, COUNTERS_FILE, SCALING_SPLIT

FRAMES_SPLIT = "all"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of WindowGen."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See the component.

        Raises:
          DataError: a split has no windows, or a frame does not fit the configuration.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = Config.from_sections(exec_properties["config"])
        holidays = json.loads(exec_properties["holidays"])
        frames = artifact_utils.get_split_uri(input_dict["examples"], FRAMES_SPLIT)
        windows = artifact_utils.get_single_instance(output_dict["windows"])
        splits = [*pure.SPLITS, SCALING_SPLIT]
        windows.split_names = artifact_utils.encode_split_names(splits)
        counters = artifact_utils.get_single_uri(output_dict["counters"])
        with clear_errors(), self._make_beam_pipeline() as pipeline:
            results = (
                pipeline
                | "ReadFrames" >> beam.io.ReadFromTFRecord(io_utils.all_files_pattern(frames))
                | "FramesToWindows" >> FramesToWindows(config, holidays, windows.uri)
            )
            for split in splits:  # TFX's own WriteSplit holds all of them at once, to shuffle them
                results[split] | f"Write[{split}]" >> beam.io.WriteToTFRecord(
                    os.path.join(artifact_utils.get_split_uri([windows], split), "windows"),
                    file_name_suffix=".gz",
                )
            results["counters"] | "WriteCounters" >> beam.Map(
                write_json, os.path.join(counters, COUNTERS_FILE)
            )
            results["active"] | "WriteActive" >> beam.Map(
                write_mask, os.path.join(counters, ACTIVE_FILE)
            )
        fileio.rmtree(os.path.join(windows.uri, PARKED))
