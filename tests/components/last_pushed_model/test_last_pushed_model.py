"""The node's executor over empty, partial, incompatible and good serving folders."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils

from crowdflow.components.last_pushed_model.executor import Executor
from crowdflow.components.last_pushed_model.words import NAIVE, PASSED_OVER, VERSION
from crowdflow.components.stable_output import STATE
from crowdflow.components.tf_examples import encode_columns
from crowdflow.config import EvaluationConfig
from crowdflow.schema import features
from crowdflow.schema.errors import StoreError
from crowdflow.storage.versions import APPROVED, model_digest

pytestmark = pytest.mark.filterwarnings("ignore:Unexpected end-group tag")  # a garbage model's

CONFIG = {"grid": {"rows": 3, "cols": 2}, "windows": {"horizon": 2}}


@pytest.fixture
def node(tmp_path, serialized, save_model):
    """Runs the executor over `tmp_path / serving`; returns the baseline artifact."""
    examples, model = standard_artifacts.Examples(), standard_artifacts.Model()
    examples.uri, model.uri = str(tmp_path / "windows"), str(tmp_path / "model")
    examples.split_names = artifact_utils.encode_split_names(["train", "eval", "test"])
    save_model(tmp_path / "model" / "Format-Serving", "5")

    def run(baseline=None, records=serialized, config=CONFIG, serving=tmp_path / "serving"):
        path = tmp_path / "windows" / "Split-test" / "windows-00000-of-00001.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for record in records:
                writer.write(record)
        if baseline is None:
            baseline = standard_artifacts.Model()
            baseline.uri = str(tmp_path / "baseline")
        Executor().Do(
            {"model": [model], "windows": [examples]},
            {"baseline": [baseline]},
            {
                "serving_folder": str(serving),
                "config": json.dumps(config),
                "code_fingerprint": "code",
            },
        )
        return baseline

    return run


def answer(baseline, serialized):
    loaded = tf.saved_model.load(f"{baseline.uri}/Format-Serving")
    return loaded.signatures[features.EXAMPLES_SIGNATURE](tf.constant(serialized))[features.FLOW]


def told(baseline):
    names = (VERSION, NAIVE)
    found = [baseline.get_string_custom_property(name) for name in names]
    return (*found, json.loads(baseline.get_string_custom_property(PASSED_OVER)))


@pytest.mark.parametrize("state", ["absent", "empty", "partial"])
def test_without_a_pushed_model_the_best_naive_forecast_stands_in(
    node, tmp_path, test_windows, serialized, state
):
    if state != "absent":
        (tmp_path / "serving").mkdir()
    if state == "partial":
        (tmp_path / "serving" / "3" / "variables").mkdir(parents=True)
    baseline = node()
    assert told(baseline) == ("", "last_week", [])
    expected = test_windows[features.naive_feature("last_week")]
    np.testing.assert_array_equal(answer(baseline, serialized), expected)


def test_the_best_of_the_versions_that_answer_is_the_one_to_beat(
    node, tmp_path, save_model, test_windows, serialized
):
    serving = tmp_path / "serving"
    kinds = {"7": "3", "8": "2.5", "9": "2", "10": "other_grid", "11": "garbage"}
    for version, kind in kinds.items():
        save_model(serving / version, kind)
    (serving / "12").mkdir()
    shutil.copytree(tmp_path / "model" / "Format-Serving", serving / "13")  # the candidate's copy
    before = model_digest(serving / "9")
    baseline = node()
    version, naive, passed_over = told(baseline)
    assert (version, naive) == ("9", "")
    assert [reason.split(":")[0] for reason in passed_over] == ["version 11", "version 10"]
    assert "expected an answer of shape (9, 2, 3, 2, 2)" in passed_over[1]
    np.testing.assert_allclose(answer(baseline, serialized), test_windows["target"] + 2, rtol=1e-6)
    assert model_digest(tmp_path / "baseline" / "Format-Serving") == before

    # Again into the same artifact, as the driver has it: the state is the same, nothing is left over.
    state = baseline.get_string_custom_property(STATE)
    assert node(baseline).get_string_custom_property(STATE) == state
    shutil.rmtree(serving / "9")
    node(baseline)
    assert told(baseline)[0] == "8"
    assert baseline.get_string_custom_property(STATE) != state
    assert model_digest(tmp_path / "baseline" / "Format-Serving") == model_digest(serving / "8")


def test_the_same_is_found_in_an_object_store(node, tmp_path, save_model, bucket):
    assert told(node(serving=f"{bucket}/none")) == ("", "last_week", [])
    for version, kind in {"9": "2", "10": "other_grid"}.items():
        folder = save_model(tmp_path / "serving" / version, kind)
        io_utils.copy_dir(str(folder), f"{bucket}/serving/{version}")
    io_utils.copy_dir(str(tmp_path / "model" / "Format-Serving"), f"{bucket}/serving/11")  # itself
    io_utils.write_string_file(f"{bucket}/serving/12/variables/data", "partial")
    expected, found = node(), node(serving=f"{bucket}/serving/")
    assert told(found)[:2] == told(expected)[:2] == ("9", "")
    assert told(found)[2] == told(expected)[2]
    state = found.get_string_custom_property(STATE)
    assert state == expected.get_string_custom_property(STATE)
    pushed = model_digest(tmp_path / "serving" / "9")
    assert model_digest(tmp_path / "baseline" / "Format-Serving") == pushed
    with pytest.raises(StoreError, match="no bucket no-such"):
        node(serving="s3://no-such/serving")


def test_with_incompatible_versions_alone_the_naive_forecast_stands_in(node, tmp_path, save_model):
    save_model(tmp_path / "serving" / "4", "other_signature")
    version, naive, [reason] = told(node())
    assert (version, naive) == ("", "last_week")
    assert reason.startswith("version 4: KeyError")


def test_a_horizon_that_only_short_intervals_allow(node):
    """30 steps are within a day of half hours."""
    names = ["target", *map(features.naive_feature, features.NAIVE_FORECASTS)]
    columns = {name: np.zeros((2, 30, 1, 1, 2), np.float32) for name in names}
    columns["target"] += 1
    columns[features.TARGET_TIME] = np.array([0, 30])
    columns[features.naive_feature("historical_average")] += 1
    config = {
        "grid": {"rows": 1, "cols": 1},
        "intervals": {"minutes": 30},
        "windows": {"horizon": 30},
    }
    assert told(node(records=encode_columns(columns), config=config))[1] == "historical_average"


def test_of_the_last_models_alone_the_best_counts(node, tmp_path, save_model):
    for version, kind in {"5": "1", "6": "3", "7": "2", "8": "garbage", "9": "2"}.items():
        save_model(tmp_path / "serving" / version, kind)
    told_with = {}
    for count in (1, 2, 3, 4, 9):
        baseline = node(config={**CONFIG, "evaluation": {"compared_models": count}})
        told_with[count] = told(baseline)[0]
        shutil.rmtree(baseline.uri)
    assert told_with == {1: "9", 2: "9", 3: "9", 4: "5", 9: "5"}  # of equal ones the newest


def test_of_a_refitted_version_the_approved_model_is_compared(
    node, tmp_path, save_model, test_windows, serialized
):
    serving = tmp_path / "serving"
    save_model(serving / "5", "2")
    save_model(serving / "6", "0")  # it has seen the test days
    (serving / "6" / features.ACCOUNT_FILE).parent.mkdir()
    (serving / "6" / features.ACCOUNT_FILE).write_text('{"trained_until": 480}')
    assert told(node())[0] == "5"
    approved = save_model(serving / "6" / APPROVED, "1")
    baseline = node()
    assert told(baseline) == ("6", "", [])
    assert model_digest(tmp_path / "baseline" / "Format-Serving") == model_digest(approved)
    np.testing.assert_allclose(answer(baseline, serialized), test_windows["target"] + 1, rtol=1e-6)
    # The candidate itself, refitted, is no version before it.
    save_model(serving / "7", "4")
    shutil.copytree(tmp_path / "model" / "Format-Serving", serving / "7" / APPROVED)
    assert told(node())[0] == "6"


def test_many_small_losses_do_not_add_up(node, tmp_path, save_model, test_windows, serialized):
    """Ten days, each model 1.5% worse than the one before, with the default tolerance of 2%."""
    rules = EvaluationConfig()
    serving, error, pushed = tmp_path / "serving", 1.0, []
    save_model(serving / "100", str(error))
    for day in range(1, 11):
        error *= 1.015
        baseline = node(config={**CONFIG, "evaluation": dataclasses.asdict(rules)})
        limit = float(np.abs(answer(baseline, serialized) - test_windows["target"]).mean())
        if error <= (1 + rules.pushed_tolerance) * limit:
            pushed.append(day)
            save_model(serving / str(100 + day), str(error))
    assert pushed == [1]
