"""Skew: windows that the client builds are the pipeline's, value for value."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import plain_windows

from crowdflow.config import Config
from crowdflow.flows.frames import FrameBlock
from crowdflow.flows.windows import missing_lags, plan_windows
from crowdflow.ingest.history import History
from crowdflow.ingest.times.clock import changed_intervals
from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import date_to_minutes
from crowdflow.serving import request
from crowdflow.trainer.inputs import raw_inputs

HOLIDAYS = ["2019-10-28", "2019-11-01"]
FIRST = date_to_minutes(dt.date(2019, 10, 14))  # daylight saving ends on 3 November


def test_every_window_of_the_pipeline_is_built_the_same(pushed, every_window, history):
    targets = every_window["target_time"]
    assert len(targets) > 200
    found = request.build(history, targets, pushed.config)
    assert list(found) == raw_inputs(pushed.config)
    assert (every_window["weather_known"] == 1).any() and every_window["holiday"].max() == 1
    for name, values in found.items():
        assert values.dtype == every_window[name].dtype
        np.testing.assert_array_equal(values, every_window[name], err_msg=name)


def test_frames_from_the_target_on_are_not_looked_at(pushed, history):
    [target] = history.frames.starts[-30:][:1]
    before = history.frames.starts < target
    cut = FrameBlock(history.frames.starts[before], history.frames.maps[before])
    noisy = FrameBlock(
        history.frames.starts, np.where(before[:, None, None, None], history.frames.maps, 1e6)
    )
    expected = request.build(history, [target], pushed.config)
    for frames in (cut, noisy):
        found = request.build(History(frames, history.side, {}), [target], pushed.config)
        for name, values in found.items():
            np.testing.assert_array_equal(values, expected[name])


@st.composite
def cities(draw):
    """Frames of some three weeks over the end of daylight saving, with random gaps, and windows of them."""
    minutes = draw(st.sampled_from([60, 120, 180]))
    config = Config.from_dict(
        {
            "grid": {"rows": 2, "cols": 3},
            "intervals": {"minutes": minutes},
            "windows": {
                "closeness": draw(st.integers(1, 3)),
                "period": draw(st.integers(0, 2)),
                "trend": draw(st.integers(0, 2)),
                "horizon": draw(st.integers(1, 3)),
                "average": (average := draw(st.integers(0, 2))),
                "average_days": draw(st.integers(0, 7)) if average else 0,
                "average_decay": draw(st.sampled_from([1.0, 0.5])),  # exact in sums
            },
            "split": {"test_days": 2, "eval_days": 2, "eval_share": None},
        }
    )
    starts = FIRST + np.arange(0, 24 * 24 * 60, minutes)
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    starts = starts[random.random(len(starts)) > draw(st.sampled_from([0, 0.005, 0.03]))]
    maps = random.integers(0, 99, (len(starts), 2, 3, 2)).astype(np.float32)
    return config, FrameBlock(starts, maps)


@settings(deadline=None, max_examples=40)
@given(cities())
def test_windows_exist_for_the_client_where_they_do_for_the_pipeline(city):
    config, frames = city
    minutes, lags = config.intervals.minutes, config.windows
    history = History(frames, {"holidays": None, "weather": None}, {})
    where = {int(start): n for n, start in enumerate(frames.starts)}
    by_time = {
        plain_windows.EPOCH + dt.timedelta(minutes=start): frames.maps[n]
        for start, n in where.items()
    }
    everywhere = np.arange(frames.starts[0], frames.starts[-1] + 2 * minutes, minutes)
    lost = {
        t: (label, time)
        for t, label, time in missing_lags(frames.starts, everywhere, lags, minutes)
    }
    try:
        plan = plan_windows(frames.starts, minutes, lags, config.split)
    except DataError:
        return
    planned = np.concatenate(list(plan.origins.values()))
    assert not set(planned.tolist()) & lost.keys()
    assert len(changed_intervals(frames.starts, "America/New_York")[0]) <= 1
    for target in everywhere[:: max(1, len(everywhere) // 60)].tolist():
        needed = plain_lags(target, config)
        missing = [(label, group[0]) for label, group in needed if not where.keys() & set(group)]
        if missing:
            assert lost[target] == missing[0]
            with pytest.raises(DataError) as raised:
                request.build(history, [target], config)
            time = str(np.datetime64(missing[0][1], "m")).replace("T", " ")
            assert f"expected a frame at {time} ({missing[0][0]}), found none" in str(raised.value)
            continue
        found = request.build(history, [target], config, HOLIDAYS)
        for name in ("closeness", "period", "trend", "average"):
            times = [group[0] for label, group in needed if label.startswith(name)]
            if times and name == "average":
                usual = [time + 7 * 1440 for time in times]
                usual = [plain_windows.EPOCH + dt.timedelta(minutes=time) for time in usual]
                days_off = list(map(dt.date.fromisoformat, HOLIDAYS))
                how = lags.average, lags.average_days, days_off, lags.average_decay
                means = [plain_windows.means_of(by_time, time, *how) for time in usual]
                expected = np.stack([plain_windows.mean(found) for found in means])
                np.testing.assert_array_equal(found[name][0], expected.astype(np.float32))
            elif times:
                expected = np.stack([frames.maps[where[time]] for time in times])
                np.testing.assert_array_equal(found[name][0], expected)
            else:
                assert name not in found


def plain_lags(target, config):
    """Label and minute of each lag, by plain loops over wall-clock minutes."""
    lags, minutes = config.windows, config.intervals.minutes
    found = [(f"closeness-{n}", [target - n * minutes]) for n in range(1, lags.closeness + 1)]
    for name, length, cycle in (("period", lags.period, 1440), ("trend", lags.trend, 7 * 1440)):
        for n in range(1, length + 1):
            for k in range(lags.horizon):
                label = f"{name}-{n}" + (f"+{k}" if k else "")
                found.append((label, [target - n * cycle + k * minutes]))
    usual = [(f"+{k}" if k else "", target + k * minutes) for k in range(lags.horizon)]
    usual += [(f" of {label}", time) for label, [time] in found[: lags.closeness]]
    for number, (suffix, time) in enumerate(usual if lags.average else []):
        weeks = [time - week * 7 * 1440 for week in range(1, lags.average + 1)]
        found.append((f"average{suffix}" if number else "average", weeks))
    return found


def test_a_time_off_the_raster_is_named(pushed, history):
    with pytest.raises(
        DataError, match="2024-04-20 08:30: expected the start of a 60-minute interval"
    ):
        request.build(history, [date_to_minutes(dt.date(2024, 4, 20)) + 510], pushed.config)
