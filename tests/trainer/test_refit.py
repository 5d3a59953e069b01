"""Refit: the approved model once more on all windows, its check, and when the candidate is taken as it is."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts
from worlds import paper

from crowdflow.components.refit import executor
from crowdflow.components.refit.words import (
    APPROVED_UNTIL,
    OUTCOME,
    REFITTED,
    TRAINED_UNTIL,
    in_words,
)
from crowdflow.config import EvaluationConfig, TrainingConfig
from crowdflow.schema import features
from crowdflow.schema.intervals import format_start
from crowdflow.storage.versions import APPROVED, model_digest
from crowdflow.trainer.refit import on_all


@pytest.fixture(scope="module")
def approved(world, tmp_path_factory, as_json):
    """The Trainer's output for two members: its folder and `custom_config`."""
    from tfx.components.trainer.fn_args_utils import FnArgs

    from crowdflow.trainer.run_fn import run_fn

    folder = tmp_path_factory.mktemp("approved")
    settings = {"training.epochs": 2, "training.final_epochs": 1, "model.members": 2}
    custom = {
        "config": as_json(world.config.replace(settings)),
        "holidays": [],
        "code_fingerprint": "code",
        "checkpoints": str(folder / "checkpoints"),
    }
    run_fn(
        FnArgs(
            train_files=world.files("train"),
            eval_files=world.files("eval"),
            transform_graph_path=str(world.folder / "transform"),
            serving_model_dir=str(folder / "Format-Serving"),
            model_run_dir=str(folder / "run"),
            custom_config=custom,
        )
    )
    return folder, custom


@pytest.fixture
def refit(world, approved, tmp_path):
    """Runs the executor; returns its output's artifact and the model's folder."""
    folder, custom = approved

    def artifact(kind, uri):
        found = kind()
        found.uri = str(uri)
        return found

    def run(blessed=True, record=(), **rules):
        windows = artifact(standard_artifacts.Examples, world.folder)
        windows.split_names = artifact_utils.encode_split_names(["train", "eval", "test"])
        blessing = artifact(standard_artifacts.ModelBlessing, tmp_path / "blessing")
        blessing.set_int_custom_property("blessed", int(blessed))
        inputs = {
            "model": artifact(standard_artifacts.Model, folder),
            "model_run": artifact(standard_artifacts.ModelRun, folder / "run"),
            "windows": windows,
            "transform_graph": artifact(
                standard_artifacts.TransformGraph, world.folder / "transform"
            ),
            "blessing": blessing,
            "baseline": artifact(standard_artifacts.Model, tmp_path / "baseline"),
        }
        (tmp_path / "baseline").mkdir(exist_ok=True)
        live = tmp_path / "baseline" / features.LIVE_FILE
        live.write_text(json.dumps({"record": record}))
        output = artifact(standard_artifacts.Model, tmp_path / "refitted")
        sections = {**json.loads(custom["config"]), "evaluation": rules}
        executor.Executor().Do(
            {name: [one] for name, one in inputs.items()},
            {"refitted": [output]},
            {
                **custom,
                "holidays": json.dumps(custom["holidays"]),
                "config": json.dumps(sections),
            },
        )
        return output, tmp_path / "refitted" / "Format-Serving"

    return run


def until(world, *splits):
    """The last target interval of some splits."""
    last = max(int(world.raw[split]["target_time"].max()) for split in splits)
    return last + (world.config.windows.horizon - 1) * world.config.intervals.minutes


def account(folder):
    return json.loads((folder / features.ACCOUNT_FILE).read_text())


def forecasts(folder, records):
    answer = tf.saved_model.load(str(folder)).signatures[features.EXAMPLES_SIGNATURE]
    return answer(tf.constant(records))[features.FLOW].numpy()


def test_the_pushed_model_has_seen_all_windows_and_keeps_the_approved_one(world, approved, refit):
    output, folder = refit(pushed_tolerance=10.0)  # so small a network may be worse
    assert output.get_string_custom_property(OUTCOME) == REFITTED
    known, every = until(world, "train", "eval"), until(world, "train", "eval", "test")
    assert known < every
    told = account(folder)
    assert told["trained_until"] == every
    assert told["approved"] == {"trained_until": known}
    before = approved[0] / "Format-Serving"
    assert account(before)["trained_until"] == known and "approved" not in account(before)
    assert model_digest(folder / APPROVED) == model_digest(before)
    assert output.get_int_custom_property(TRAINED_UNTIL) == every
    assert output.get_int_custom_property(APPROVED_UNTIL) == known
    served = tf.saved_model.load(str(folder)).signatures["account"]
    assert json.loads(served(query=tf.constant([""]))["account"].numpy()[0]) == told
    records = sum(executor.WindowFiles(str(world.folder / "Split-test")), [])
    new, old = (forecasts(path, records) for path in (folder, before))
    assert new.shape == old.shape and not np.allclose(new, old)


def quantiles(folder, records):
    answer = tf.saved_model.load(str(folder)).signatures[features.EXAMPLES_SIGNATURE]
    found = answer(tf.constant(records))
    return found[features.FLOW].numpy(), found[features.QUANTILES].numpy()


def test_its_quantiles_are_of_the_approved_models_unseen_days_and_follow_the_record(
    world, approved, refit
):
    records = sum(executor.WindowFiles(str(world.folder / "Split-test")), [])
    levels = list(world.config.model.quantiles)
    held = {"levels": levels, "below": [0.0] * len(levels)}  # flows were above all of them
    day = {"day": "2014-05-01", "version": "7", "gap": None, "quantiles": held}
    _, folder = refit(pushed_tolerance=10.0, quantile_rate=0.2)
    flow, plain = quantiles(folder, records)
    assert plain.shape == (*flow.shape, len(levels)) and account(folder)["quantiles"] == levels
    unseen = executor.unseen_forecasts(
        str(approved[0] / "run"), str(approved[0] / "Format-Serving"),
        executor.WindowFiles(str(world.folder / "Split-test")), world.config,
    )  # fmt: skip
    times = np.concatenate([part.times for part in unseen])
    test = world.raw["test"]["target_time"]
    assert set(test) <= set(times) and not set(times) & set(world.raw["train"]["target_time"])
    _, folder = refit(record=[day], pushed_tolerance=10.0, quantile_rate=0.2)
    again, followed = quantiles(folder, records)
    np.testing.assert_array_equal(again, flow)
    assert (followed >= plain).all() and followed.mean() > plain.mean()


@pytest.mark.parametrize(
    ("blessed", "rules", "outcome"),
    [
        (False, {}, "the candidate was not approved"),
        (True, {"refit": False}, "evaluation.refit is off"),
    ],
)
def test_otherwise_the_candidate_is_passed_on(world, approved, refit, blessed, rules, outcome):
    output, folder = refit(blessed, **rules)
    assert output.get_string_custom_property(OUTCOME) == outcome
    assert model_digest(folder) == model_digest(approved[0] / "Format-Serving")
    known = until(world, "train", "eval")
    assert output.get_int_custom_property(TRAINED_UNTIL) == known


def test_a_refit_that_went_wrong_is_not_taken(approved, refit, monkeypatch):
    def fail(patterns, graph, custom, history, unseen, levels, more, folder, log_dir):
        module = tf.Module()

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def zeros(examples):
            return {features.FLOW: tf.zeros([tf.shape(examples)[0], 2, 4, 3, 2])}

        tf.saved_model.save(module, folder, signatures={features.EXAMPLES_SIGNATURE: zeros})

    monkeypatch.setattr(executor, "refit", fail)
    output, folder = refit()
    outcome = output.get_string_custom_property(OUTCOME)
    assert outcome.startswith("after the refit the test windows' RMSE is ")
    assert model_digest(folder) == model_digest(approved[0] / "Format-Serving")


def test_it_trains_as_long_as_the_approved_model_up_to_the_weights_it_kept():
    paper_settings = TrainingConfig(**paper.TRAINING)
    best = {1: [5.0, 4.0, 3.0, 3.5], 2: [5.0, 4.0, 4.5]}
    history = [
        {"member": member, "phase": 1, "epoch": number, "eval_rmse": rmse}
        for member, values in best.items()
        for number, rmse in enumerate(values, 1)
    ]
    history += [
        {"member": member, "phase": 2, "epoch": number, "eval_rmse": None}
        for member in (1, 2)
        for number in (1, 2, 3, 4)
    ]
    found = on_all(paper_settings, history)
    assert (found.epochs, found.final_epochs) == (0, round((3 + 2) / 2 + 4))
    assert found.final_learning_rate == 2e-4
    second_alone = [epoch for epoch in history if epoch["phase"] == 2]
    assert on_all(TrainingConfig(final_epochs=4), second_alone) == TrainingConfig(final_epochs=4)


def test_what_refit_did_in_words():
    told = {"outcome": REFITTED, "trained_until": format_start(1440), "approved_until": "x"}
    assert "trained on all windows, up to 1970-01-02 00:00; the approved one, up to x" in in_words(
        told
    )
    told["outcome"] = "evaluation.refit is off"
    assert in_words(told) == (
        "refit: none, evaluation.refit is off; the model is trained up to 1970-01-02 00:00"
    )
    assert EvaluationConfig().refit
