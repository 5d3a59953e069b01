"""Quantiles that follow the live record: how often they held, and how far their levels move."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from worlds.live_city import line_of, of_day, without

from crowdflow.evaluation import live

LEVELS = (0.1, 0.5, 0.9)


def with_quantiles(made, city, around=(-2.0, 0.0, 2.0)):
    quantiles = np.maximum(made.flows[..., None] + np.array(around), 0)
    return dataclasses.replace(made, quantiles=quantiles, levels=LEVELS)


def test_a_line_has_the_share_of_active_flows_below_each_quantile(city):
    gone = (city.starts >= 30 * 1440) & (city.starts < 30 * 1440 + 180)
    kept = without(city, gone)
    made = with_quantiles(of_day(city, 30), city)
    held = line_of(kept, 30, made)["quantiles"]
    shares = []
    for origin, quantiles in zip(made.origins, made.quantiles):
        for step in range(2):
            time = origin + 60 * step
            if time not in kept.starts:
                continue
            [truth] = kept.maps[kept.starts == time]
            for row, col, way in np.ndindex(3, 3, 2):
                if (row, col) != (2, 2):
                    flow, mine = truth[row, col, way], quantiles[step, row, col, way]
                    low = max(flow - 0.5, 0)
                    shares.append([np.clip((q - low) / (flow + 0.5 - low), 0, 1) for q in mine])
    assert held["levels"] == list(LEVELS)
    assert held["below"] == pytest.approx(np.mean(shares, axis=0))
    assert line_of(city, 30, of_day(city, 30))["quantiles"] is None


def day(number, below, levels=LEVELS):
    held = below and {"levels": list(levels), "below": list(below)}
    return {"day": f"2024-01-{number:02d}", "version": "7", "gap": None, "quantiles": held}


def test_levels_move_against_what_fell_short_day_by_day():
    days = [day(1, (0.2, 0.5, 0.8)), day(2, None), day(3, (0.1, 0.4, 0.9))]
    assert live.followed_levels(days, LEVELS, 0.1) == pytest.approx([0.09, 0.51, 0.91])
    assert live.followed_levels(days, LEVELS, 0.0) == list(LEVELS)
    assert live.followed_levels([], LEVELS, 0.1) == list(LEVELS)
    # Days of other levels say nothing of these, and lines from before there were quantiles neither.
    others = [day(1, (0.2, 0.8), (0.2, 0.8)), {"day": "2024-01-02", "version": "7", "gap": None}]
    assert live.followed_levels(others, LEVELS, 0.1) == list(LEVELS)


def test_of_two_versions_of_a_day_the_last_one_counts():
    days = [day(1, (0.5, 0.5, 0.5)), day(1, (0.1, 0.5, 0.9)) | {"version": "8"}]
    assert live.followed_levels(days, LEVELS, 0.1) == pytest.approx(LEVELS)


def test_levels_move_at_most_half_way_to_the_end_and_stay_in_order():
    days = [day(number, (0.9, 0.9, 0.1)) for number in range(1, 29)]
    found = live.followed_levels(days, LEVELS, 1.0)
    assert found == pytest.approx([0.05, 0.25, 0.95])
    close = (0.45, 0.5)
    crossing = [day(number, (0.0, 1.0), close) for number in range(1, 5)]
    assert np.all(np.diff(live.followed_levels(crossing, close, 0.2)) >= 0)


def test_followed_intervals_hold_where_the_city_has_become_wilder_and_fixed_ones_do_not():
    """A spread learnt when flows deviated by 4, on days when they deviate by 5."""
    random, days = np.random.default_rng(3), []
    shares = {"followed": [], "fixed": []}
    for number in range(1, 29):
        flows = random.normal(0, 5, 4000)
        levels = live.followed_levels(days, LEVELS, 0.1)
        for name, asked in (("followed", levels), ("fixed", LEVELS)):
            below = (flows[:, None] < stats.norm.ppf(asked, 0, 4)).mean(axis=0)
            shares[name].append(below[2] - below[0])
            if name == "followed":
                days.append(day(number, below.tolist()))
    followed, fixed = (np.mean(shares[name][-7:]) for name in ("followed", "fixed"))
    assert fixed < 0.71 and followed == pytest.approx(0.8, abs=0.03)
