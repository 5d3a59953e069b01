"""Errors in real units against plain numpy, however the windows are cut into parts."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdflow.flows.metrics import NAMES, ErrorSums, add_forecasts, names

ACTIVE = 7


def forecasts(windows, horizon=2, rows=4, cols=3, seed=0):
    random = np.random.default_rng(seed)
    shape = (windows, horizon, rows, cols, 2)
    truth = random.poisson(20, shape).astype(np.float32)
    return truth, (truth + random.normal(1, 3, shape)).astype(np.float32)


def reference(truth, forecast, active):
    """The paper's numbers: errors over all cells, divided by the cells that ever have flow."""
    error = forecast.astype(np.float64) - truth
    cells = truth.shape[-3] * truth.shape[-2]
    share = cells / active

    def rmse(part, factor=share):
        return math.sqrt((part**2).mean() * factor)

    found = {
        "rmse_active_cells": rmse(error),
        "rmse_all_cells": rmse(error, 1),
        "mae_active_cells": np.abs(error).mean() * share,
        "mae_all_cells": np.abs(error).mean(),
        "inflow_rmse_active_cells": rmse(error[..., 0]),
        "outflow_rmse_active_cells": rmse(error[..., 1]),
    }
    if truth.shape[-4] > 1:
        for step in range(truth.shape[-4]):
            found[f"rmse_active_cells_step_{step + 1}"] = rmse(error[..., step, :, :, :])
    return found


@pytest.mark.parametrize("horizon", [1, 3])
def test_metrics_equal_numpy_over_all_windows(horizon):
    truth, forecast = forecasts(9, horizon)
    sums = ErrorSums.zero(horizon)
    for rows in np.split(np.arange(9), [1, 2, 6]):  # parts of unequal size, and a single window
        part = rows if len(rows) > 1 else rows[0]
        sums.add(truth[part], forecast[part], ACTIVE)
    found = sums.metrics()
    assert tuple(found) == names(horizon)
    assert found == pytest.approx(reference(truth, forecast, ACTIVE), rel=1e-12)


def test_active_cells_scale_the_all_cell_error_as_the_paper_does():
    truth, forecast = forecasts(5, 1, 16, 8)
    found = ErrorSums.zero(1).add(truth, forecast, 81).metrics()
    ratio = found["rmse_active_cells"] / found["rmse_all_cells"]
    assert ratio == pytest.approx(1.25708, abs=1e-5)
    assert found["mae_active_cells"] / found["mae_all_cells"] == pytest.approx(128 / 81)


def test_an_error_in_an_empty_cell_counts():
    truth = np.zeros((1, 1, 2, 2, 2))
    forecast = truth.copy()
    forecast[0, 0, 1, 1, 0] = 6.0
    found = ErrorSums.zero(1).add(truth, forecast, 1).metrics()
    assert found["inflow_rmse_active_cells"] == 6.0
    assert found["outflow_rmse_active_cells"] == 0.0
    assert found["rmse_active_cells"] == pytest.approx(math.sqrt(36 / 2))
    assert found["rmse_all_cells"] == pytest.approx(math.sqrt(36 / 8))


def test_nothing_summed_is_not_a_number():
    assert all(math.isnan(value) for value in ErrorSums.zero(1).metrics().values())


def test_shapes_that_differ_are_refused():
    truth, forecast = forecasts(2, 1)
    with pytest.raises(ValueError, match=r"\(2, 1, 4, 3, 2\).*\(2, 1, 3, 4, 2\)"):
        ErrorSums.zero(1).add(truth, forecast.swapaxes(2, 3), ACTIVE)


def test_steps_have_metrics_only_where_there_are_several():
    assert names(1) == NAMES
    assert names(2)[len(NAMES) :] == ("rmse_active_cells_step_1", "rmse_active_cells_step_2")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(0, 99), st.randoms())
def test_merging_does_not_depend_on_order_or_grouping(parts, seed, random):
    truth, forecast = forecasts(sum(parts) or 1, seed=seed)
    whole = ErrorSums.zero(2).add(truth[: sum(parts)], forecast[: sum(parts)], ACTIVE)
    borders = np.cumsum(parts)[:-1]
    sums = [
        ErrorSums.zero(2).add(truth[rows], forecast[rows], ACTIVE)
        for rows in np.split(np.arange(sum(parts)), borders)
    ]
    while len(sums) > 1:
        first = sums.pop(random.randrange(len(sums)))
        sums.append(sums.pop(random.randrange(len(sums))).merge(first))
    np.testing.assert_allclose(sums[0].squared, whole.squared, rtol=1e-12)
    np.testing.assert_allclose(sums[0].absolute, whole.absolute, rtol=1e-12)
    assert sums[0].all_cells == whole.all_cells == sum(parts) * 12
    assert sums[0].active_cells == whole.active_cells == sum(parts) * ACTIVE


def test_forecasts_of_a_window_are_added_in_one_pass_as_one_by_one():
    rng = np.random.default_rng(3)
    truth = rng.poisson(5, (2, 3, 4, 2)).astype(np.float32)
    forecasts = rng.poisson(5, (3, *truth.shape)).astype(np.float32)
    together = [ErrorSums.zero(2) for _ in forecasts]
    add_forecasts(together, truth, forecasts, active=7)
    for sums, forecast in zip(together, forecasts, strict=True):
        alone = ErrorSums.zero(2).add(truth, forecast, 7)
        np.testing.assert_allclose(sums.squared, alone.squared)
        np.testing.assert_allclose(sums.absolute, alone.absolute)
        assert sums.metrics() == pytest.approx(alone.metrics())
