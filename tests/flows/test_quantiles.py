"""Quantiles and how they are judged, against plain loops and distributions that are known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crowdflow.flows.quantiles import (
    QuantileSums,
    median_of,
    metric_names,
    pairs,
    part_of_day,
    quantile_name,
    share_below,
    shown_interval,
)

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def test_a_flow_stands_for_the_numbers_that_round_to_it():
    bounds = np.array([0.0, 0.25, 0.5, 1.0, 1.5, 2.5])
    assert share_below(np.array(0.0), bounds).tolist() == [0, 0.5, 1, 1, 1, 1]
    assert share_below(np.array(2.0), bounds).tolist() == [0, 0, 0, 0, 0, 1]
    assert share_below(np.array(1.0), bounds).tolist() == [0, 0, 0, 0.5, 1, 1]


def continuous(level, mean):
    """The quantile of a Poisson count of which each value is spread over its unit."""
    count = int(stats.poisson.ppf(level, mean))
    below, mass = stats.poisson.cdf(count - 1, mean), stats.poisson.pmf(count, mean)
    low = max(count - 0.5, 0)
    return low + (level - below) / mass * (count + 0.5 - low)


@pytest.mark.parametrize("mean", [0.03, 0.4, 1.0, 7.5])
def test_the_right_quantiles_of_counts_hold_their_levels_however_small_the_counts(mean):
    counts = np.arange(60)
    weights = np.rint(stats.poisson.pmf(counts, mean) * 1e6).astype(int)
    flows = np.repeat(counts, np.minimum(weights, 10**6))
    quantiles = np.array([continuous(level, mean) for level in LEVELS])
    sums = QuantileSums.zero(LEVELS).add(flows, np.tile(quantiles, (len(flows), 1)))
    assert sums.calibration() == pytest.approx(LEVELS, abs=1e-4)
    found = sums.metrics()
    assert [found[f"coverage_{p}"] for p in (50, 80, 90)] == pytest.approx(
        [0.5, 0.8, 0.9], abs=2e-4
    )
    # Rounded, they are the count's own quantiles.
    assert np.rint(quantiles).tolist() == stats.poisson.ppf(LEVELS, mean).tolist()


def test_metrics_are_means_over_flows():
    flows = np.array([[0.0, 3.0], [5.0, 1.0]])
    quantiles = np.array([[[0.0, 1, 2], [1, 2, 3]], [[4, 6, 7], [0.5, 1, 4]]])
    levels = (0.1, 0.5, 0.9)
    losses, shares, widths = [], [], []
    for flow, given_for in zip(flows.ravel(), quantiles.reshape(-1, 3)):
        for level, q in zip(levels, given_for):
            count = round(q)
            losses.append(level * (flow - count) if flow > count else (1 - level) * (count - flow))
        low, high = max(flow - 0.5, 0), flow + 0.5
        inside = min(high, given_for[2]) - max(low, given_for[0])
        shares.append(max(inside, 0) / (high - low))
        widths.append(given_for[2] - given_for[0])
    found = QuantileSums.zero(levels).add(flows, quantiles).metrics()
    expected = {
        "pinball": np.mean(losses),
        "coverage_80": np.mean(shares),
        "width_80": np.mean(widths),
    }
    assert found == pytest.approx(expected)
    assert tuple(found) == metric_names(levels)


def test_sums_of_cells_add_up_to_those_of_all_flows():
    random = np.random.default_rng(2)
    flows = random.poisson(3, (9, 4, 3, 2)).astype(float)
    quantiles = np.sort(random.gamma(2, 2, (9, 4, 3, 2, 7)), axis=-1)
    by_cell = QuantileSums.zero(LEVELS, (4, 3, 2))
    for part in (slice(4), slice(4, 9)):
        other = QuantileSums.zero(LEVELS, (4, 3, 2)).add(flows[part], quantiles[part])
        by_cell.merge(other)
    chosen = random.random((4, 3, 2)) < 0.5
    expected = QuantileSums.zero(LEVELS).add(flows[:, chosen], quantiles[:, chosen])
    assert by_cell.of(chosen).metrics() == pytest.approx(expected.metrics())
    assert by_cell.of(chosen).calibration() == pytest.approx(expected.calibration())


def test_nothing_summed_is_not_a_number():
    assert all(math.isnan(value) for value in QuantileSums.zero(LEVELS).metrics().values())
    assert QuantileSums.zero(()).metrics() == {} and metric_names(()) == ()


def test_intervals_are_between_levels_as_far_from_both_ends():
    assert pairs(LEVELS) == {50: (2, 4), 80: (1, 5), 90: (0, 6)}
    assert pairs((0.1, 0.5, 0.8)) == {} and shown_interval((0.5,)) is None
    assert shown_interval(LEVELS) == (80, 1, 5)
    assert shown_interval((0.025, 0.25, 0.75, 0.975)) == (95, 0, 3)
    assert [quantile_name(q) for q in (0.05, 0.5, 0.975)] == ["p05", "p50", "p97_5"]


def test_the_median_is_a_count():
    assert median_of(np.array([[0.2, 0.4, 1.0], [1.0, 2.6, 9.0]]), (0.1, 0.5, 0.9)).tolist() == [
        0,
        3,
    ]
    assert median_of(np.zeros((2, 2)), (0.1, 0.9)) is None


@given(st.integers(0, 10**8))
def test_parts_of_the_day_are_six_hours_long(minutes):
    assert part_of_day(minutes) == minutes // 360 % 4
