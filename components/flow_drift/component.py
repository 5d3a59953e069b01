"""FlowDrift: how far the newest flows have drifted from the last pushed model's training data."""

import json
import os
from typing import Any

import numpy as np
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils, path_utils

from crowdflow.components.artifacts import FlowCounters
from crowdflow.components.last_pushed_model.executor import TEST_SPLIT
from crowdflow.components.last_pushed_model.words import VERSION
from crowdflow.config import Config
from crowdflow.evaluation.drift.compare import compare, newest
from crowdflow.evaluation.drift.profile import Profile, merge, profile
from crowdflow.evaluation.drift.statistics import read_training_statistics, to_statistics
from crowdflow.evaluation.window_files import WindowFiles
from crowdflow.schema.templates import parse

DRIFT_FILE = "drift.json"


@component
def FlowDrift(
    windows: InputArtifact[standard_artifacts.Examples],
    baseline: InputArtifact[standard_artifacts.Model],
    drift: OutputArtifact[FlowCounters],
    schema_text: Parameter[str],
    config: Parameter[str],
    code_fingerprint: Parameter[str],
) -> None:
    """Compares the newest flows with the training data and writes `drift.json`; never stops a run.

    The statistics of the training are in the model's own folder, which LastPushedModel copies: so they are found
    by no more than the serving folder. The newest data are the last `drift.days` days of the test windows.
    """
    settings = Config.from_sections(config)
    files = WindowFiles(artifact_utils.get_split_uri([windows], TEST_SPLIT))
    content = _comparison(
        _newest_profile(files, settings),
        path_utils.serving_model_path(baseline.uri),
        baseline.get_string_custom_property(VERSION),
        schema_text,
    )
    io_utils.write_string_file(os.path.join(drift.uri, DRIFT_FILE), json.dumps(content, indent=2))


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
