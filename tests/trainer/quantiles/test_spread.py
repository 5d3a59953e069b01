"""The spread of flows around forecasts: learnt from counts of a known distribution, in numpy and in the graph."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from crowdflow.flows.quantiles import QuantileSums
from crowdflow.trainer.quantiles import spread as spread_module
from crowdflow.trainer.quantiles.graph import Quantiles
from crowdflow.trainer.quantiles.spread import fit, quantiles

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
ROWS, COLS = 3, 4
ALIVE = np.ones((ROWS, COLS, 2), bool)
ALIVE[0, 0] = False


def city(count, seed, horizon=2):
    """Forecasts from a few trips a day to hundreds, and counts around them, wilder at night."""
    random = np.random.default_rng(seed)
    times = 60 * np.arange(count)
    hours = (times[:, None] // 60 + np.arange(horizon)) % 24
    size = np.geomspace(0.02, 150, ROWS * COLS * 2).reshape(ROWS, COLS, 2)
    means = (size * (1 + 0.8 * np.sin(hours / 24 * 2 * np.pi))[..., None, None, None]) * ALIVE
    shape = np.where(hours < 6, 2.0, 8.0)[..., None, None, None]
    flows = random.poisson(means * random.gamma(shape, 1 / shape, means.shape))
    return means.astype(np.float32), flows.astype(np.float32), times


@pytest.fixture(scope="module")
def spread():
    means, flows, times = city(900, 1)
    return fit(means, flows, times, ALIVE, LEVELS, 60)


def test_quantiles_hold_on_other_days_in_all_and_apart(spread):
    means, flows, times = city(1500, 2)
    found = quantiles(spread, means, times, 60)
    sums = QuantileSums.zero(LEVELS).add(flows[:, :, ALIVE], found[:, :, ALIVE])
    assert sums.calibration() == pytest.approx(LEVELS, abs=0.015)
    hours = times % 1440 // 60
    for chosen in (hours < 6, (hours >= 6) & (hours < 12), hours >= 18):
        part = QuantileSums.zero(LEVELS).add(flows[chosen][:, 0, ALIVE], found[chosen][:, 0, ALIVE])
        assert part.calibration() == pytest.approx(LEVELS, abs=0.04)
    size = means.mean(axis=(0, 1))
    for low, high in ((0, 1), (1, 10), (10, 1000)):
        cells = ALIVE & (size >= low) & (size < high)
        part = QuantileSums.zero(LEVELS).add(flows[:, :, cells], found[:, :, cells])
        assert part.calibration() == pytest.approx(LEVELS, abs=0.04)


def test_a_cell_that_never_had_flow_has_quantiles_of_zero(spread):
    means, _, times = city(30, 3)
    means[:] = 5
    found = quantiles(spread, means, times, 60)
    assert (found[:, :, 0, 0] == 0).all() and (found[:, :, 1:, :, :, -1] > 5).all()


@settings(max_examples=60, deadline=None)
@given(
    flow=arrays.arrays(np.float32, (2, 2, ROWS, COLS, 2), elements=st.floats(0, 1e6, width=32)),
    times=arrays.arrays(np.int64, 2, elements=st.integers(0, 10**6).map(lambda n: 60 * n)),
)
def test_the_graph_says_what_numpy_says_in_order_and_never_below_zero(spread, flow, times):
    found = Quantiles(spread, 60)(tf.constant(flow), tf.constant(times)).numpy()
    expected = quantiles(spread, flow, times, 60)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    assert found.shape == (2, 2, ROWS, COLS, 2, 7)
    assert (found >= 0).all() and (np.diff(found, axis=-1) >= 0).all()


@pytest.mark.parametrize("count", [1, 3])
def test_few_windows_are_enough_to_learn_something(count):
    means, flows, times = city(count, 4)
    found = quantiles(fit(means, flows, times, ALIVE, LEVELS, 60), means, times, 60)
    assert np.isfinite(found).all() and (np.diff(found, axis=-1) >= 0).all()


def test_of_many_flows_some_of_every_hour_are_enough(monkeypatch):
    means, flows, times = city(1500, 1)
    monkeypatch.setattr(spread_module, "_MOST", means[:, 0].size // 24)  # as many as of one hour
    found = quantiles(fit(means, flows, times, ALIVE, LEVELS, 60), means, times, 60)
    hours = times % 1440 // 60
    for chosen in (
        hours < 6,
        (hours >= 6) & (hours < 12),
        (hours >= 12) & (hours < 18),
        hours >= 18,
    ):
        part = QuantileSums.zero(LEVELS).add(flows[chosen][:, 0, ALIVE], found[chosen][:, 0, ALIVE])
        assert part.calibration() == pytest.approx(LEVELS, abs=0.08)


def test_flows_of_nothing_but_zero_and_a_city_without_any_live_cell():
    zeros = np.zeros((5, 1, ROWS, COLS, 2), np.float32)
    times = 60 * np.arange(5)
    found = quantiles(fit(zeros, zeros, times, ALIVE, LEVELS, 60), zeros, times, 60)
    assert (found[..., -1] <= 0.5).all()
    dead = np.zeros_like(ALIVE)
    found = quantiles(fit(zeros, zeros, times, dead, LEVELS, 60), zeros + 9, times, 60)
    assert (found == 0).all()
