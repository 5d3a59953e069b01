"""Finds the model to beat."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

import crowdflow.components.object_store_plugin  # noqa: F401  (TFX then copies from there)
from crowdflow.components.last_pushed_model import models
from crowdflow.components.last_pushed_model.words import (
    DATA_UNTIL,
    LIVE_FAULT,
    NAIVE,
    PASSED_OVER,
    TEST_SPLIT,
    VERSION,
)
from crowdflow.components.state import STATE
from crowdflow.config import Config
from crowdflow.evaluation.window_files import WindowFiles, target_shape
from crowdflow.schema import features
from crowdflow.storage import versions
from crowdflow.storage.files import fetched_folder
from crowdflow.storage.store_path import AnyPath, as_path

log = logging.getLogger("crowdflow.baseline")


class Executor(base_executor.BaseExecutor):
    """Executor of LastPushedModel."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See the component."""
        config = Config.from_sections(exec_properties["config"])
        shape = target_shape(config)
        serving = as_path(exec_properties["serving_folder"])
        candidate = candidate_digest(input_dict)
        state = state_of(exec_properties, candidate)
        examples = WindowFiles(artifact_utils.get_split_uri(input_dict["windows"], TEST_SPLIT))
        times = examples.target_times()
        test_start = int(times.min())
        baseline = artifact_utils.get_single_instance(output_dict["baseline"])
        folder = path_utils.serving_model_path(baseline.uri)
        if tf.io.gfile.exists(folder):  # an earlier artifact with this state
            tf.io.gfile.rmtree(folder)

        passed_over, errors = [], {}
        for version in versions.pushed_before(serving, candidate):
            with fetched_folder(versions.approved(version)) as copy:
                judged = models.judge(copy, examples, shape, test_start, config)
            if isinstance(judged, str):
                passed_over.append(f"version {version.name}: {judged}")
                log.warning("version %s is not compared: %s", version.name, judged)
                continue
            errors[version] = judged
            if len(errors) == config.evaluation.compared_models:
                break
        found = min(errors, key=errors.get, default=None)  # of equal ones the newest
        naive = "" if found else models.best_naive_forecast(examples, shape)
        if found:
            io_utils.copy_dir(str(versions.approved(found)), folder)
        else:
            models.write_naive_model(naive, shape, folder)
        log.info("%d pushed models compared; the best: %s", len(errors), found and found.name)
        baseline.set_string_custom_property(VERSION, found.name if found else "")
        baseline.set_string_custom_property(NAIVE, naive)
        baseline.set_string_custom_property(PASSED_OVER, json.dumps(passed_over))
        _score_live(serving, input_dict, baseline, config)
        last_step = (config.windows.horizon - 1) * config.intervals.minutes
        baseline.set_int_custom_property(DATA_UNTIL, int(times.max()) + last_step)
        baseline.set_string_custom_property(STATE, state)


def _score_live(
    serving: AnyPath,
    input_dict: dict[str, list[types.Artifact]],
    baseline: types.Artifact,
    config: Config,
) -> None:
    """Brings the live record up to date, and puts what this run found into the output."""
    from crowdflow.components.last_pushed_model import live  # Beam takes seconds

    [windows] = input_dict["windows"]
    found, fault = live.record(serving, _candidate(input_dict), windows, config)
    io_utils.write_string_file(
        os.path.join(baseline.uri, features.LIVE_FILE), json.dumps(found, indent=2)
    )
    baseline.set_string_custom_property(LIVE_FAULT, fault)


def state_of(exec_properties: dict[str, Any], candidate: str) -> str:
    """Hash of what the node finds depends on, beside its inputs."""
    rules = Config.from_sections(exec_properties["config"]).evaluation
    read = (rules.compared_models, rules.live_slack, rules.live_tolerance, rules.push_unblessed)
    code = " ".join(map(str, (exec_properties["code_fingerprint"], *read)))
    return versions.serving_state(as_path(exec_properties["serving_folder"]), candidate, code)


def candidate_digest(input_dict: dict[str, list[types.Artifact]]) -> str:
    """Hash of the Trainer's model."""
    return versions.model_digest(_candidate(input_dict))


def _candidate(input_dict: dict[str, list[types.Artifact]]) -> Path:
    model = artifact_utils.get_single_instance(input_dict["model"])
    return Path(path_utils.serving_model_path(model.uri))
