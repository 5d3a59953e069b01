"""Trains the approved model on all windows and checks the result."""

import json
import logging
import os
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

import crowdflow.components.object_store_plugin  # noqa: F401  (TFX then copies from there)
from crowdflow.components.json_files import read_json
from crowdflow.components.refit.words import APPROVED_UNTIL, OUTCOME, REFITTED, TRAINED_UNTIL
from crowdflow.config import Config
from crowdflow.evaluation.live import followed_levels
from crowdflow.evaluation.model_errors import model_errors
from crowdflow.evaluation.window_files import WindowFiles, parse_windows, target_shape
from crowdflow.flows.metrics import RMSE_ACTIVE
from crowdflow.schema import features
from crowdflow.storage import versions
from crowdflow.storage.files import fetched_folder
from crowdflow.trainer.quantiles.unseen import Unseen
from crowdflow.trainer.refit import refit

log = logging.getLogger("crowdflow.refit")

SPLITS, TEST = ("train", "eval", "test"), "test"


class Executor(base_executor.BaseExecutor):
    """Executor of Refit."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See the component."""
        sections = json.loads(exec_properties["config"])
        rules = Config.from_sections({"evaluation": sections.pop("evaluation")}).evaluation
        config = Config.from_sections(sections)
        candidate, run, windows, blessing, baseline = (
            artifact_utils.get_single_instance(input_dict[name])
            for name in ("model", "model_run", "windows", "blessing", "baseline")
        )
        output = artifact_utils.get_single_instance(output_dict["refitted"])
        folder = path_utils.serving_model_path(output.uri)
        approved = path_utils.serving_model_path(candidate.uri)
        account = read_json(approved, features.ACCOUNT_FILE)
        outcome = REFITTED
        if not rules.refit:
            outcome = "evaluation.refit is off"
        elif not (blessing.get_int_custom_property("blessed") == 1 or rules.push_unblessed):
            outcome = "the candidate was not approved"
        else:
            uris = {split: artifact_utils.get_split_uri([windows], split) for split in SPLITS}
            graph = artifact_utils.get_single_instance(input_dict["transform_graph"])
            test = WindowFiles(uris[TEST])
            record = read_json(baseline.uri, features.LIVE_FILE)["record"]
            refit(
                {split: [io_utils.all_files_pattern(uri)] for split, uri in uris.items()},
                graph.uri,
                {
                    **exec_properties,
                    "config": json.dumps(sections, sort_keys=True),  # as the Trainer has it
                    "holidays": json.loads(exec_properties["holidays"]),
                },
                read_json(run.uri, features.HISTORY_FILE)["history"],
                unseen_forecasts(run.uri, approved, test, config),
                followed_levels(record, config.model.quantiles, rules.quantile_rate),
                {
                    features.APPROVED: {features.TRAINED_UNTIL: account[features.TRAINED_UNTIL]},
                    features.LAYOUT: account.get(features.LAYOUT),
                },
                folder,
                os.path.join(output.uri, "logs"),
            )
            fault = find_fault(folder, approved, test, config, rules.pushed_tolerance)
            if fault:
                log.warning("the approved model is taken as it is: %s", fault)
                outcome = fault
        if outcome == REFITTED:
            io_utils.copy_dir(approved, os.path.join(folder, versions.APPROVED))
        else:
            io_utils.copy_dir(approved, folder)
        output.set_string_custom_property(OUTCOME, outcome)
        until = read_json(folder, features.ACCOUNT_FILE)[features.TRAINED_UNTIL]
        output.set_int_custom_property(TRAINED_UNTIL, until)
        output.set_int_custom_property(APPROVED_UNTIL, account[features.TRAINED_UNTIL])


def unseen_forecasts(run: str, approved: str, windows: WindowFiles, config: Config) -> list[Unseen]:
    """The approved model's forecasts of `eval`, by members that left a day out, and of the test windows.

    Empty where the model has no quantiles.
    """
    if not config.model.quantiles:
        return []
    shape = target_shape(config)
    spec = {
        features.TARGET: tf.io.FixedLenFeature(shape, tf.float32),
        features.TARGET_TIME: tf.io.FixedLenFeature([], tf.int64),
    }
    found = [Unseen.load(os.path.join(run, features.UNSEEN_FILE))]
    with fetched_folder(approved) as copy:
        answer = tf.saved_model.load(str(copy)).signatures[features.EXAMPLES_SIGNATURE]
        for batch in windows:
            parsed = parse_windows(batch, spec)
            flow = answer(tf.constant(batch))[features.FLOW].numpy()
            found.append(Unseen(parsed[features.TARGET_TIME], flow, parsed[features.TARGET]))
    return found


def find_fault(
    refitted: str, approved: str, windows: WindowFiles, config: Config, tolerance: float
) -> str | None:
    """Why a refitted model is not taken, or None: on the test windows it must not be worse than the approved one.

    It has seen these windows, so this finds a training that went wrong; it says nothing of how good the model is.
    """
    errors = []
    for folder in (refitted, approved):
        with fetched_folder(folder) as copy:
            try:
                errors.append(
                    model_errors(copy, windows, target_shape(config)).metrics()[RMSE_ACTIVE]
                )
            except ValueError as error:
                return f"after the refit {error}"
    own, limit = errors[0], (1 + tolerance) * errors[1]
    log.info("on the test windows, which it has seen: RMSE %.4f, approved %.4f", *errors)
    if own <= limit:
        return None
    return f"after the refit the test windows' RMSE is {own:.4f}, above {limit:.4f}"
