"""Compares the newest flows with the last pushed model's training data."""

import json
import os
from typing import Any

import numpy as np
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from crowdflow.components.last_pushed_model.words import TEST_SPLIT, VERSION
from crowdflow.config import Config
from crowdflow.evaluation.drift.compare import compare, newest
from crowdflow.evaluation.drift.profile import Profile, merge, profile
from crowdflow.evaluation.drift.statistics import read_training_statistics, to_statistics
from crowdflow.evaluation.window_files import WindowFiles
from crowdflow.schema.templates import parse

DRIFT_FILE = "drift.json"


class Executor(base_executor.BaseExecutor):
    """Executor of FlowDrift."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See the component."""
        settings = Config.from_sections(exec_properties["config"])
        files = WindowFiles(artifact_utils.get_split_uri(input_dict["windows"], TEST_SPLIT))
        baseline = artifact_utils.get_single_instance(input_dict["baseline"])
        content = _comparison(
            _newest_profile(files, settings),
            path_utils.serving_model_path(baseline.uri),
            baseline.get_string_custom_property(VERSION),
            exec_properties["schema_text"],
        )
        drift = artifact_utils.get_single_uri(output_dict["drift"])
        io_utils.write_string_file(os.path.join(drift, DRIFT_FILE), json.dumps(content, indent=2))


def _newest_profile(windows: WindowFiles, config: Config) -> Profile:
    """The distributions of the newest flows."""
    times = windows.target_times()
    chosen = times[newest(times, config.drift.days)]
    parts = []
    for starts, maps in windows.targets(config):
        among = np.isin(starts, chosen)
        if among.any():
            parts.append(profile(starts[among], maps[among]))
    return merge(parts)


def _comparison(found: Profile, model: str, version: str, schema_text: str) -> dict[str, Any]:
    """The content of `drift.json`; `not_compared` is the reason if nothing was compared, else null."""
    new = to_statistics(found)
    training = read_training_statistics(model) if version else None
    content = {
        "version": version or None,
        "newest": new.datasets[0].name,
        "training": training.datasets[0].name if training else None,
        "not_compared": None,
        "measurements": [],
        "anomalies": [],
    }
    if not version:
        content["not_compared"] = "no pushed model to compare with"
    elif training is None:
        content["not_compared"] = f"version {version} has no statistics of its training data"
    else:
        measurements, lines = compare(new, training, parse(schema_text))
        content |= {"measurements": measurements, "anomalies": lines}
    return content
