"""A second definition of a window: plain loops over datetimes, sharing no code with the package."""

import collections
import datetime as dt
from fractions import Fraction

import numpy as np

EPOCH = dt.datetime(1970, 1, 1)
SPLITS = ("train", "eval", "test")
DAY, WEEK = dt.timedelta(days=1), dt.timedelta(weeks=1)


def needed(t, config):
    """Groups of intervals of which the window at `t` needs one each, labelled, in the order of reports."""
    lags, step = config.windows, dt.timedelta(minutes=config.intervals.minutes)
    found = [(f"closeness-{i}", [t - i * step]) for i in range(1, lags.closeness + 1)]
    for name, count, cycle in (("period", lags.period, DAY), ("trend", lags.trend, WEEK)):
        for lag in range(1, count + 1):
            for k in range(lags.horizon):
                label = f"{name}-{lag}" + (f"+{k}" if k else "")
                found.append((label, [t + k * step - lag * cycle]))
    averaged = [(f"+{k}" if k else "", t + k * step) for k in range(lags.horizon)]
    averaged += [(f" of closeness-{i}", t - i * step) for i in range(1, lags.closeness + 1)]
    for number, (suffix, time) in enumerate(averaged if lags.average else []):
        label = f"average{suffix}" if number else "average"
        found.append((label, [time - week * WEEK for week in range(1, lags.average + 1)]))
    return found + [(f"target+{k}", [t + k * step]) for k in range(lags.horizon)]


def midnight(text):
    return dt.datetime.combine(dt.date.fromisoformat(text), dt.time())


def first_midnights(times, config, existing):
    """The starts of the eval and the test period; `existing` are the windows, in order."""
    split, step = config.split, dt.timedelta(minutes=config.intervals.minutes)
    end = dt.datetime.combine(max(times).date(), dt.time()) + DAY
    test = midnight(split.test_start) if split.test_start else end - split.test_days * DAY
    if split.eval_start:
        return midnight(split.eval_start), test
    if split.eval_days:
        return test - split.eval_days * DAY, test
    last = (config.windows.horizon - 1) * step
    before = [t for t in existing if t + last < test]
    kept = int(len(before) * (1 - Fraction(str(split.eval_share))))
    return before[kept] if kept < len(before) else test, test


def plan(times, config):
    """Windows by split, drop counts, and the first minute of the test period."""
    dropped, existing = collections.Counter(), []
    for t in sorted(times):
        missing = [label for label, group in needed(t, config) if not times.intersection(group)]
        if missing:
            dropped[missing[0]] += 1
        else:
            existing.append(t)
    eval_start, test_start = first_midnights(times, config, existing)
    step = dt.timedelta(minutes=config.intervals.minutes)
    splits = {split: [] for split in SPLITS}
    for t in existing:
        periods = {
            "test" if time >= test_start else "eval" if time >= eval_start else "train"
            for time in (t + k * step for k in range(config.windows.horizon))
        }
        if len(periods) == 1:
            splits[periods.pop()].append(t)
        else:
            dropped["straddles_test" if "test" in periods else "straddles_eval"] += 1
    return splits, dict(dropped), test_start


def slots_of_week(times):
    """The times of each weekday and time of day, oldest first."""
    found = collections.defaultdict(list)
    for t in sorted(times):
        found[t.weekday(), t.time()].append(t)
    return found


def mean(maps):
    return sum(maps) / len(maps)


def means_of(frames, time, weeks, days, holidays, decay=1):
    """The mean over the weeks before, and that over the days before of the same type, where there are frames.

    A frame's weight is `decay`, once for each whole week, or day, between it and the nearest one.
    """

    def is_off(at):
        return at.weekday() >= 5 or at.date() in holidays

    same = {time - k * WEEK: decay ** (k - 1) for k in range(1, weeks + 1)}
    alike = {time - k * DAY: decay ** (k - 1) for k in range(1, days + 1)}
    alike = {at: weight for at, weight in alike.items() if is_off(at) == is_off(time)}
    found = []
    for group in (same, alike):
        there = {at: weight for at, weight in group.items() if at in frames}
        if there:
            total = sum(weight * frames[at].astype(float) for at, weight in there.items())
            found.append(total / sum(there.values()))
    return found


def naive_maps(frames, slots, t, config, holidays):
    """The naive forecasts of the window at `t`, and whether one of them had to fall back."""
    latest = frames[max(time for time in frames if time < t)]
    found = collections.defaultdict(list)
    fallback = False
    for k in range(config.windows.horizon):
        target = t + k * dt.timedelta(minutes=config.intervals.minutes)
        history = [time for time in slots[target.weekday(), target.time()] if time < target]
        fallback |= not history
        maps = [frames[time].astype(float) for time in history] or [latest]
        found["last_interval"].append(latest)
        found["last_week"].append(maps[-1])
        found["historical_average"].append(sum(maps) / len(maps))
        for name, days in (("four_weeks", 0), ("weeks_and_days", 7)):
            means = means_of(frames, target, 4, days, holidays)
            found[name].append(mean(means or [maps[-1]]))
    return {f"naive_{name}": np.stack(maps) for name, maps in found.items()}, fallback


def active_cells(frames, before):
    flows = np.zeros_like(next(iter(frames.values())))
    for time, flow_map in frames.items():
        if time < before:
            flows = flows + flow_map
    return [[bool(cell.any()) for cell in row] for row in flows]


def windows(frames, config, holidays=()):
    """All windows of some frames.

    Args:
      frames: datetime -> float32 `[H, W, 2]`.
      config: a Config.
      holidays: dates.

    Returns:
      Split -> list of (feature name -> array), the counters, and which cells are active.
    """
    splits, dropped, test_start = plan(set(frames), config)
    slots, active, fallbacks = slots_of_week(frames), active_cells(frames, test_start), 0
    found = {split: [] for split in splits}
    for split, t in ((split, t) for split, origins in splits.items() for t in origins):
        naive, fallback = naive_maps(frames, slots, t, config, holidays)
        fallbacks += fallback
        groups = collections.defaultdict(list)
        for label, [time, *_] in needed(t, config):
            name = label.split("-")[0].split("+")[0].split(" ")[0]
            if name == "average":  # the time of the first week
                lags = config.windows
                how = lags.average, lags.average_days, holidays, lags.average_decay
                groups[name].append(mean(means_of(frames, time + WEEK, *how)))
            else:
                groups[name].append(frames[time])
        scalars = {
            "target_time": int((t - EPOCH).total_seconds() // 60),
            "hour": t.hour,
            "weekend": int(t.strftime("%a") in ("Sat", "Sun")),
            "active_cells": np.array(active_cells(frames, min(t, test_start)), np.int64),
        }
        maps = {name: np.stack(group) for name, group in groups.items()} | naive
        found[split].append(scalars | {n: v.astype(np.float32) for n, v in maps.items()})
    step = dt.timedelta(minutes=config.intervals.minutes)
    counters = {
        "windows": {split: len(origins) for split, origins in splits.items()},
        "dropped": dropped,
        "missing_intervals": (max(frames) - min(frames)) // step + 1 - len(frames),
        "naive_fallbacks": fallbacks,
        "frames_after_until": 0,
        "active_cells": sum(map(sum, active)),
    }
    return found, counters, active


def block(frames, covariates=None, order=None):
    """The frames as the package's arrays, in order of time or in another."""
    from crowdflow.flows.frames import FrameBlock

    times = sorted(frames) if order is None else [sorted(frames)[i] for i in order]
    starts = np.array([(t - EPOCH).total_seconds() // 60 for t in times], np.int64)
    values = {
        name: np.array([known[t] for t in times]) for name, known in (covariates or {}).items()
    }
    return FrameBlock(starts, np.stack([frames[t] for t in times]), values)


def random_frames(seed, first, days, minutes, rows=2, cols=3, gaps=(), low=0):
    """Frames of whole numbers from `first` on, without the `gaps` (row ranges); some cells open late or never."""
    rng = np.random.default_rng(seed)
    count = days * 24 * 60 // minutes
    maps = rng.integers(low, 50, (count, rows, cols, 2)).astype(np.float32)
    opens = rng.integers(-count, count + count // 4, (rows, cols, 1))
    maps *= np.arange(count).reshape(-1, 1, 1, 1) >= opens
    missing = {i for begin, length in gaps for i in range(begin, begin + length)}
    step = dt.timedelta(minutes=minutes)
    return {first + i * step: maps[i] for i in range(count) if i not in missing}


def parse(serialized):
    """A serialized window as feature name -> flat array."""
    from tensorflow.core.example import example_pb2

    found = {}
    for name, feature in example_pb2.Example.FromString(serialized).features.feature.items():
        integer = feature.HasField("int64_list")
        values = feature.int64_list.value if integer else feature.float_list.value
        found[name] = np.array(values, np.int64 if integer else np.float32)
    return found


def assert_equal(serialized, expected):
    """Serialized windows, in any order, are the reference's windows and nothing more."""
    found = sorted(map(parse, serialized), key=lambda window: window["target_time"][0])
    assert len(found) == len(expected)
    for window, reference in zip(found, expected):
        assert sorted(window) == sorted(reference)
        for name, values in reference.items():
            np.testing.assert_array_equal(window[name], np.ravel(values), err_msg=name)
