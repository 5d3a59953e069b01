"""The naive SavedModel, the choice of the naive forecast, and what a pushed model may get wrong."""

import numpy as np
import pytest
import tensorflow as tf

from components.baseline import models
from components.frames import encode_columns
from trainer import features

SHAPE = (2, 3, 2, 2)


@pytest.mark.parametrize("best", features.NAIVE_FORECASTS)
def test_the_naive_forecast_with_the_smallest_rmse_is_chosen(test_windows, best):
    columns = dict(test_windows)
    better = features.naive_feature(best)
    columns[better] = columns[features.TARGET] + np.float32(0.25)
    assert models.best_naive(encode_columns(columns), SHAPE) == best


def test_a_naive_model_answers_what_its_windows_carry(test_windows, serialized, tmp_path):
    models.write_naive_model("last_week", SHAPE, str(tmp_path / "model"))
    answer = tf.saved_model.load(str(tmp_path / "model")).signatures[features.EXAMPLES_SIGNATURE]
    expected = test_windows[features.naive_feature("last_week")]
    np.testing.assert_array_equal(answer(tf.constant(serialized))[features.FLOW], expected)
    assert models.misfit(tmp_path / "model", serialized[0], SHAPE, 10**9) is None


@pytest.mark.filterwarnings("ignore:Unexpected end-group tag")  # the garbage model's
@pytest.mark.parametrize(
    "kind, reason",
    [
        ("0", None),
        ("other_signature", "KeyError: 'serving_examples'"),
        ("other_output", "KeyError: 'flow'"),
        ("other_grid", "expected an answer of shape (1, 2, 3, 2, 2), received (1, 2, 4, 4, 2)"),
        ("garbage", "Error"),
        ("raises", "not today"),
        ("asks_for_more", "humidity"),
        ("not_finite", "not finite"),
    ],
)
def test_whatever_is_wrong_with_a_pushed_model_is_a_reason(
    save_model, serialized, tmp_path, kind, reason
):
    found = models.misfit(save_model(tmp_path / "model", kind), serialized[0], SHAPE, 10**9)
    if reason is None:
        assert found is None
    else:
        assert reason in found and "\n" not in found and len(found) <= 300


def test_a_folder_that_is_not_there_is_a_reason(serialized, tmp_path):
    assert "none" in models.misfit(tmp_path / "none", serialized[0], SHAPE, 10**9)


@pytest.mark.parametrize("until, fits", [(99, True), (100, False)])
def test_a_model_that_was_trained_on_the_test_period_is_no_baseline(
    tmp_path, serialized, until, fits
):
    models.write_naive_model("last_week", SHAPE, str(tmp_path / "model"))
    account = tmp_path / "model" / "assets.extra" / "crowdflow.json"
    account.parent.mkdir()
    account.write_text(f'{{"trained_until": {until}}}')
    reason = models.misfit(tmp_path / "model", serialized[0], SHAPE, 100)
    assert reason is None if fits else "trained on targets up to 1970-01-01 01:40" in reason
