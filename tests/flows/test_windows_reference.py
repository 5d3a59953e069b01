"""Windows against the plain reference in conftest.py, over random gaps, lags, horizons and grids."""

import collections
import datetime as dt

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from crowdflow.components.tf_examples import encode_columns
from crowdflow.components.window_gen import frames as stored
from crowdflow.components.window_gen import windows as made
from crowdflow.config import Config
from crowdflow.flows import windows
from crowdflow.flows.frames import FrameBlock
from crowdflow.flows.usual import holiday_days
from crowdflow.schema.errors import DataError

_LAGS = ("closeness", "period", "trend", "horizon", "average", "average_days", "average_decay")


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
    decay = draw(st.sampled_from([1.0, 0.5]))  # exact in sums
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
    lags = (closeness, period, trend, horizon, average, average_days, decay)
    config = make_config(minutes, lags, test | evaluation, frames["rows"], frames["cols"])
    return config, frames


def day_by_day(block, config, holidays, folder):
    """What the transform does, without Beam: maps in files by day, and every job alone from there."""
    inbox = collections.defaultdict(list)
    for rows in np.array_split(np.arange(len(block.starts)), 2):
        covariates = {name: values[rows] for name, values in block.covariates.items()}
        part = FrameBlock(block.starts[rows], block.maps[rows], covariates)
        for day, piece in stored.park(part, folder):
            inbox[day].append(piece)
    shape = block.maps.shape[1:]
    index = stored.merge(
        [stored.assemble(day, pieces, folder, shape) for day, pieces in inbox.items()], shape[:2]
    )
    plan = made.make_plan(index, config, holiday_days(map(str, holidays)))
    days = np.unique(plan.averaged // 1440)
    averages = made.merge_averages([made.write_averages(day, plan, folder, config) for day in days])
    assert np.array_equal(averages[0], plan.averaged)
    origins = plan.windows.origins | {"scaling": made.scaling_windows(averages, plan, config)}
    found = {split: [] for split in origins}
    for job in made.jobs(origins, config):
        found[job.split] += encode_columns(made.full_windows(job, plan, folder, config))
    active = index.first < plan.windows.test_start
    counters = {**plan.windows.counters(), "frames_after_until": 0}
    return found, {**counters, "active_cells": int(active.sum())}, active.tolist()


def assert_extremes(scaling, train):
    """A few windows have the smallest and the largest flow of all, in lags, averages and targets."""
    names = [
        name for name in ("closeness", "period", "trend", "average", "target") if name in train[0]
    ]
    flows = [
        np.concatenate([np.ravel(w[name]) for w in part for name in names])
        for part in (scaling, train)
    ]
    assert (flows[0].min(), flows[0].max()) == (flows[1].min(), flows[1].max())
    assert len(scaling) <= 2


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_windows_equal_plain_loops(case, plain, tmp_path_factory):
    config, how = case
    frames = plain.random_frames(minutes=config.intervals.minutes, **how)
    if not frames:
        return
    folder = str(tmp_path_factory.mktemp("maps"))
    shuffled = np.random.default_rng(how["seed"]).permutation(len(frames))
    block = plain.block(frames, order=shuffled)
    holidays = {time.date() for time in frames if time.day % 5 == how["seed"] % 5}
    splits, _, test_start = plain.plan(set(frames), config)
    empty = [name for name, origins in splits.items() if not origins]
    if empty:
        event("a split is empty")
        with pytest.raises(DataError, match=f"No windows for {' and '.join(empty)}:"):
            day_by_day(block, config, holidays, folder)
        return
    event("windows in every split")
    expected, counters, active = plain.windows(frames, config, holidays)
    found, counted, mask = day_by_day(block, config, holidays, folder)
    assert (counted, mask) == (counters, active)
    assert sum(counted["windows"].values()) + sum(counted["dropped"].values()) == len(frames)
    for split, reference in expected.items():
        plain.assert_equal(found[split], reference)
    assert_extremes([plain.parse(record) for record in found["scaling"]], expected["train"])
    plan = windows.plan_windows(
        block.starts, config.intervals.minutes, config.windows, config.split
    )
    assert plain.EPOCH + dt.timedelta(minutes=plan.test_start) == test_start
