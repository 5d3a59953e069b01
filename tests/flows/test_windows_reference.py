"""Windows against the plain reference in conftest.py, over random gaps, lags, horizons and grids."""

import collections
import datetime as dt

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from crowdflow.components.window_gen import transform
from crowdflow.config import Config
from crowdflow.flows import windows
from crowdflow.flows.usual import holiday_days
from crowdflow.schema.errors import DataError

_LAGS = ("closeness", "period", "trend", "horizon", "average", "average_days")


def make_config(minutes, lags, split, rows=2, cols=3):
    return Config.from_dict(
        {
            "grid": {"rows": rows, "cols": cols},
            "intervals": {"minutes": minutes},
            "windows": dict(zip(_LAGS, lags)),
            "split": {"test_days": None, "eval_share": None, **split},
        }
    )


@st.composite
def cases(draw):
    """A configuration and frames that mostly give windows in every split."""
    minutes = draw(st.sampled_from([1440, 720, 480, 240, 180, 90]))
    per_day = 1440 // minutes
    closeness, period = draw(st.integers(0, 4)), draw(st.integers(0, 2))
    trend = draw(st.integers(0 if closeness + period else 1, 1))
    average = draw(st.sampled_from([0, 0, 1, 2]))
    average_days = draw(st.integers(0, 7)) if average else 0
    limit = per_day * (1 if period else 7)
    horizon = draw(st.one_of(st.just(1), st.integers(1, min(limit, 12)), st.just(limit)))
    days = 7 * max(trend, average) + period + 2 * (horizon // per_day) + draw(st.integers(4, 9))
    first = dt.datetime(2014, 2, 20) + dt.timedelta(days=draw(st.integers(0, 6)))
    test = draw(
        st.sampled_from(
            [{"test_days": n} for n in (1, 2, 3)]
            + [{"test_start": str((first + dt.timedelta(days=days - n)).date())} for n in (1, 2, 3)]
        )
    )
    before = st.integers(4, 6).map(lambda n: str((first + dt.timedelta(days=days - n)).date()))
    evaluation = draw(
        st.one_of(
            st.fixed_dictionaries({"eval_share": st.sampled_from([0.1, 0.25, 0.34, 0.5])}),
            st.fixed_dictionaries({"eval_days": st.integers(1, 2)}),
            st.fixed_dictionaries({"eval_start": before}),
        )
    )
    gap = st.tuples(
        st.integers(0, days * per_day), st.sampled_from([1, 1, 2, per_day, 9 * per_day])
    )
    gaps = draw(st.lists(gap, max_size=3))
    longest = max([length for _, length in gaps], default=0)
    frames = {
        "first": first + draw(st.integers(0, per_day - 1)) * dt.timedelta(minutes=minutes),
        "days": days + (7 if longest > 7 * per_day else 0),
        "gaps": gaps,
        "seed": draw(st.integers(0, 99)),
        "rows": draw(st.integers(1, 3)),
        "cols": draw(st.integers(1, 3)),
    }
    lags = (closeness, period, trend, horizon, average, average_days)
    config = make_config(minutes, lags, test | evaluation, frames["rows"], frames["cols"])
    return config, frames


def day_by_day(block, config, holidays):
    """What the transform does, without Beam: every day alone, from the blocks that are sent to it."""
    routes = transform.make_routes(block.starts, config)
    days = dict(transform.split_days(block))
    inbox = collections.defaultdict(lambda: {"frames": [], "averages": []})
    averages = {}
    for weekday in range(7):
        same = [part for day, part in days.items() if day % 7 == weekday]
        averages |= dict(transform.day_averages(same)) if same else {}
    for kind, parts, targets in (
        ("frames", days, routes.frames),
        ("averages", averages, routes.averages),
    ):
        for source, part in parts.items():
            for day in targets.get(source, []):
                inbox[day][kind].append(part)
    first = transform.first_flows(block)
    active = first < routes.plan.test_start
    found = {split: [] for split in windows.SPLITS}
    days_off = holiday_days(map(str, holidays))
    for day, blocks in inbox.items():
        for split, examples in transform.day_windows(day, blocks, routes, first, config, days_off):
            found[split] += examples
    counters = {**routes.plan.counters(), "frames_after_until": 0}
    return found, {**counters, "active_cells": int(active.sum())}, active.tolist()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_windows_equal_plain_loops(case, plain):
    config, how = case
    frames = plain.random_frames(minutes=config.intervals.minutes, **how)
    if not frames:
        return
    shuffled = np.random.default_rng(how["seed"]).permutation(len(frames))
    block = plain.block(frames, order=shuffled)
    holidays = {time.date() for time in frames if time.day % 5 == how["seed"] % 5}
    splits, _, test_start = plain.plan(set(frames), config)
    empty = [name for name, origins in splits.items() if not origins]
    if empty:
        event("a split is empty")
        with pytest.raises(DataError, match=f"No windows for {' and '.join(empty)}:"):
            day_by_day(block, config, holidays)
        return
    event("windows in every split")
    expected, counters, active = plain.windows(frames, config, holidays)
    found, counted, mask = day_by_day(block, config, holidays)
    assert (counted, mask) == (counters, active)
    assert sum(counted["windows"].values()) + sum(counted["dropped"].values()) == len(frames)
    for split, reference in expected.items():
        plain.assert_equal(found[split], reference)
    plan = windows.plan_windows(
        block.starts, config.intervals.minutes, config.windows, config.split
    )
    assert plain.EPOCH + dt.timedelta(minutes=plan.test_start) == test_start
