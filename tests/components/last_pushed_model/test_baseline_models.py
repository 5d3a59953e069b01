"""The naive SavedModel, the choice of the naive forecast, and what a pushed model may get wrong."""

import json

import numpy as np
import pytest
import tensorflow as tf
from worlds.evaluations import SHAPE

from crowdflow.components.last_pushed_model import models
from crowdflow.components.tf_examples import encode_columns
from crowdflow.config import Config
from crowdflow.schema import features
from crowdflow.schema.errors import ServingError

CONFIG = Config.from_dict({"grid": {"rows": 3, "cols": 2}, "windows": {"horizon": 2}})


@pytest.mark.parametrize("best", features.NAIVE_FORECASTS)
def test_the_naive_forecast_with_the_smallest_rmse_is_chosen(test_windows, best):
    columns = dict(test_windows)
    better = features.naive_feature(best)
    columns[better] = columns[features.TARGET] + np.float32(0.25)
    assert models.best_naive_forecast([encode_columns(columns)], SHAPE) == best


def test_a_naive_model_answers_what_its_windows_carry(test_windows, serialized, tmp_path):
    models.write_naive_model("last_week", SHAPE, str(tmp_path / "model"))
    answer = tf.saved_model.load(str(tmp_path / "model")).signatures[features.EXAMPLES_SIGNATURE]
    expected = test_windows[features.naive_feature("last_week")]
    np.testing.assert_array_equal(answer(tf.constant(serialized))[features.FLOW], expected)
    assert isinstance(models.judge(tmp_path / "model", [serialized], SHAPE, 10**9, CONFIG), float)


@pytest.mark.filterwarnings("ignore:Unexpected end-group tag")  # the garbage model's
@pytest.mark.parametrize(
    "kind, reason",
    [
        ("0", None),
        ("other_signature", "KeyError: 'serving_examples'"),
        ("other_output", "KeyError: 'flow'"),
        ("other_grid", "expected an answer of shape (9, 2, 3, 2, 2), received (9, 2, 4, 4, 2)"),
        ("garbage", "Error"),
        ("raises", "not today"),
        ("asks_for_more", "humidity"),
        ("not_finite", "not finite"),
    ],
)
def test_whatever_is_wrong_with_a_pushed_model_is_a_reason(
    save_model, serialized, tmp_path, kind, reason
):
    found = models.judge(save_model(tmp_path / "model", kind), [serialized], SHAPE, 10**9, CONFIG)
    if reason is None:
        assert found == 0
    else:
        assert reason in found and "\n" not in found and len(found) <= 300


def test_too_little_memory_is_no_reason_to_push_without_the_comparison(
    save_model, serialized, tmp_path
):
    folder = save_model(tmp_path / "model", "exhausts")
    with pytest.raises(
        ServingError, match=r"ResourceExhausted.* Nothing is pushed without"
    ) as error:
        models.judge(folder, [serialized], SHAPE, 10**9, CONFIG)
    assert str(error.value).startswith(f"{folder}: expected to compare")


def test_neither_is_a_file_that_the_system_does_not_give(save_model, serialized, tmp_path):
    folder = save_model(tmp_path / "model")
    (folder / features.ACCOUNT_FILE).mkdir(parents=True)
    with pytest.raises(ServingError, match=r"IsADirectoryError.* Nothing is pushed without"):
        models.judge(folder, [serialized], SHAPE, 10**9, CONFIG)


def test_a_folder_that_is_not_there_is_a_reason(serialized, tmp_path):
    assert "none" in models.judge(tmp_path / "none", [serialized], SHAPE, 10**9, CONFIG)


@pytest.mark.parametrize("until, fits", [(99, True), (100, False)])
def test_a_model_that_was_trained_on_the_test_period_is_no_baseline(
    tmp_path, serialized, until, fits
):
    models.write_naive_model("last_week", SHAPE, str(tmp_path / "model"))
    account = tmp_path / "model" / "assets.extra" / "crowdflow.json"
    account.parent.mkdir()
    account.write_text(f'{{"trained_until": {until}}}')
    reason = models.judge(tmp_path / "model", [serialized], SHAPE, 100, CONFIG)
    assert (
        isinstance(reason, float) if fits else "trained on targets up to 1970-01-01 01:40" in reason
    )


def test_a_model_that_fails_on_one_window_of_all_is_no_baseline(tmp_path, test_windows):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def early_ones_only(examples):
        spec = {
            "target": tf.io.FixedLenFeature(SHAPE, tf.float32),
            "target_time": tf.io.FixedLenFeature([], tf.int64),
        }
        parsed = tf.io.parse_example(examples, spec)
        late = tf.debugging.assert_less(parsed["target_time"], np.int64(480), "past its table")
        with tf.control_dependencies([late]):
            return {features.FLOW: tf.identity(parsed["target"])}

    signatures = {features.EXAMPLES_SIGNATURE: early_ones_only}
    tf.saved_model.save(tf.Module(), str(tmp_path / "model"), signatures=signatures)
    records = encode_columns(test_windows)  # at 0, 60 .. 480 minutes
    assert models.judge(tmp_path / "model", [records[:8]], SHAPE, 10**9, CONFIG) == 0
    assert "past its table" in models.judge(tmp_path / "model", [records], SHAPE, 10**9, CONFIG)


@pytest.mark.parametrize(
    "settings, reason",
    [
        ({}, None),
        ({"training.epochs": 3, "windows.closeness": 5}, None),
        ({"windows.average_days": 3}, "its windows.average_days is 3, here it is 14"),
        ({"intervals.minutes": 30}, "its intervals.minutes is 30, here it is 60"),
        (
            {"grid.south": 1.0, "grid.west": 1.0, "grid.north": 2.0, "grid.east": 2.0},
            "its grid.south is 1.0, here it is None",
        ),
        (
            {"ingest.weather_columns": ["TMAX"]},
            "its ingest.weather_columns is ['TMAX'], here it is []",
        ),
    ],
)
def test_a_model_of_other_flows_is_no_baseline(tmp_path, serialized, settings, reason):
    models.write_naive_model("last_week", SHAPE, str(tmp_path / "model"))
    account = tmp_path / "model" / "assets.extra" / "crowdflow.json"
    account.parent.mkdir()
    account.write_text(json.dumps({"config": CONFIG.replace(settings).to_dict()}))
    found = models.judge(tmp_path / "model", [serialized], SHAPE, 100, CONFIG)
    assert found == reason if reason else isinstance(found, float)
