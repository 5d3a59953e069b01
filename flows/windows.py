"""The definition of a window: its lags, the plan of windows and splits, and gathering maps. Pure numpy.

Training, evaluation and serving all use these windows. A lag is looked up by interval, never by position,
and a window exists only if every interval that it needs has a frame.
"""

import dataclasses
import datetime as dt
from typing import Optional

import numpy as np

from crowdflow.config import SplitConfig, WindowConfig
from crowdflow.flows.usual import usual_flows, usual_lags
from crowdflow.schema import features
from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY, date_to_minutes, format_start

SPLITS = ("train", "eval", "test")


@dataclasses.dataclass(frozen=True)
class WindowPlan:
    """Which windows exist, and the split of each.

    Attributes:
      origins: by split, the start of each window's first target interval, wall-clock minutes, int64 `[n]`,
        ascending.
      dropped: number of missing windows, by the first interval that they lack (`closeness-2`, `period-1`,
        `trend-1+1` for the second step, `target+1`), or `straddles_eval` / `straddles_test` where a
        horizon reaches into the next split.
      missing_intervals: intervals within the data's span that have no frame.
      naive_fallbacks: windows without an earlier frame in the same slot of the week; their `last_week` and
        `historical_average` repeat the last interval.
      test_start: first minute of the test period.
    """

    origins: dict[str, np.ndarray]
    dropped: dict[str, int]
    missing_intervals: int
    naive_fallbacks: int
    test_start: int

    def counters(self) -> dict:
        """The plan's part of `counters.json`."""
        return {
            "windows": {split: len(self.origins[split]) for split in SPLITS},
            "dropped": self.dropped,
            "missing_intervals": self.missing_intervals,
            "naive_fallbacks": self.naive_fallbacks,
        }


def window_offsets(windows: WindowConfig, per_day: int) -> dict[str, np.ndarray]:
    """Offsets of a window's maps from its first target interval, in intervals, most recent first.

    With a horizon of h steps, a period or trend lag has h maps, one per step (`-p*T + k`): all of them
    precede the forecast, since h is at most one day. Branches of length 0 are absent.

    Returns:
      Feature name -> int64 `[n]`, for closeness, period, trend, average and target, in that order; average is
      `[h + lc, weeks + days]`: the target's steps, then closeness, each in every week and day that is averaged.
    """
    steps = np.arange(windows.horizon)
    week = DAYS_PER_WEEK * per_day
    found = {features.CLOSENESS: -np.arange(1, windows.closeness + 1)}
    for name, length, cycle in (
        (features.PERIOD, windows.period, per_day),
        (features.TREND, windows.trend, week),
    ):
        found[name] = (-cycle * np.arange(1, length + 1)[:, None] + steps).reshape(-1)
    averaged = averaged_offsets(windows)
    lags = usual_lags(windows.average, windows.average_days) * per_day // MINUTES_PER_DAY
    found[features.AVERAGE] = averaged[:, None] - lags
    found = {name: offsets.astype(np.int64) for name, offsets in found.items() if offsets.size}
    found[features.TARGET] = steps.astype(np.int64)
    return found


def averaged_offsets(windows: WindowConfig) -> np.ndarray:
    """Offsets of the intervals that have an average: the target's steps, then closeness, int64 `[h + lc]`."""
    steps = np.arange(windows.horizon)
    return np.concatenate([steps, -np.arange(1, windows.closeness + 1)])


def _offset_label(name: str, position: int, windows: WindowConfig) -> str:
    horizon = windows.horizon
    if name == features.TARGET:
        return f"target+{position}"
    if name == features.CLOSENESS:
        return f"closeness-{position + 1}"
    if name == features.AVERAGE:
        where = f"+{position}" if position < horizon else f" of closeness-{position - horizon + 1}"
        return name + (where if position else "")
    lag, step = divmod(position, horizon)
    return f"{name}-{lag + 1}" + (f"+{step}" if step else "")


def _alternatives(name: str, offsets: np.ndarray, windows: WindowConfig) -> np.ndarray:
    """The offsets `[n, k]` of which a window needs one in each row: any week of an average, every other lag."""
    return offsets[:, : windows.average] if name == features.AVERAGE else offsets[:, None]


def _existing(starts: np.ndarray, minutes: int, windows: WindowConfig) -> tuple[np.ndarray, dict]:
    """The origins whose windows are complete, and the other windows by the first missing interval."""
    alive = np.ones(len(starts), bool)
    dropped = {}
    for name, offsets in window_offsets(windows, MINUTES_PER_DAY // minutes).items():
        for position, alternatives in enumerate(_alternatives(name, offsets, windows)):
            times = starts[:, None] + alternatives * minutes
            here = np.isin(times, starts).any(axis=1)
            lost = int(np.sum(alive & ~here))
            if lost:
                dropped[_offset_label(name, position, windows)] = lost
            alive &= here
    return starts[alive], dropped


def missing_lags(
    starts: np.ndarray, targets: np.ndarray, windows: WindowConfig, minutes: int
) -> list[tuple[int, str, int]]:
    """The first missing lag of each forecast that lacks any.

    Args:
      starts: the frames' starts, wall-clock minutes, int64 `[n]`.
      targets: first target intervals, int64 `[m]`.
      windows: lags and horizon.
      minutes: length of an interval.

    Returns:
      (target, lag such as `period-1`, the lag's start) of each such forecast, in the order of the targets.
    """
    targets, first = np.asarray(targets, np.int64), {}
    for name, offsets in window_offsets(windows, MINUTES_PER_DAY // minutes).items():
        if name == features.TARGET:
            continue
        for position, alternatives in enumerate(_alternatives(name, offsets, windows)):
            label = _offset_label(name, position, windows)
            times = targets[:, None] + alternatives * minutes
            for at in np.flatnonzero(~np.isin(times, starts).any(axis=1)):
                first.setdefault(int(at), (int(targets[at]), label, int(times[at, 0])))
    return [first[at] for at in sorted(first)]


def _first_minute(days: Optional[int], date: Optional[str], before: int) -> int:
    """Start of a period that is given in days before minute `before`, a midnight, or by date."""
    if date is not None:
        return date_to_minutes(dt.date.fromisoformat(date))
    return before - days * MINUTES_PER_DAY


def plan_windows(
    starts: np.ndarray, minutes: int, windows: WindowConfig, split: SplitConfig
) -> WindowPlan:
    """Plans all windows of the data and splits them by target time.

    Args:
      starts: the frames' starts, wall-clock minutes, int64 `[n]`, any order, no duplicates.
      minutes: length of an interval.
      windows: lags and horizon.
      split: the test and eval periods. A window belongs to a split only if all its target steps do.

    Raises:
      DataError: a split would have no windows; names the data's span and what was dropped.
    """
    starts = np.sort(np.asarray(starts, np.int64))
    if not len(starts):
        raise DataError("No windows: expected frames, received none.")
    end = (int(starts[-1]) // MINUTES_PER_DAY + 1) * MINUTES_PER_DAY
    test_start = _first_minute(split.test_days, split.test_start, end)
    origins, dropped = _existing(starts, minutes, windows)
    last_step = origins + (windows.horizon - 1) * minutes

    before_test = origins[last_step < test_start]
    if split.eval_share is not None:
        cut = int(round(len(before_test) * (1 - split.eval_share), 6))
        eval_start = int(before_test[cut]) if cut < len(before_test) else test_start
    else:
        eval_start = _first_minute(split.eval_days, split.eval_start, test_start)
    parts = {
        "train": origins[last_step < min(eval_start, test_start)],
        "eval": before_test[before_test >= eval_start],
        "test": origins[origins >= test_start],
    }
    reaches_test = (origins < test_start) & (last_step >= test_start)
    reaches_eval = (origins < eval_start) & (last_step >= eval_start) & ~reaches_test
    for name, lost in (("straddles_eval", reaches_eval), ("straddles_test", reaches_test)):
        if lost := int(lost.sum()):
            dropped[name] = lost
    _require_windows(parts, starts, dropped, windows)
    week = DAYS_PER_WEEK * MINUTES_PER_DAY
    used = np.concatenate(list(parts.values()))
    first_of_slot = starts[np.unique(starts % week, return_index=True)[1]]
    steps = np.arange(windows.horizon) * minutes
    fallbacks = np.isin(used[:, None] + steps, first_of_slot).any(axis=1)
    return WindowPlan(
        origins=parts,
        dropped=dropped,
        missing_intervals=int((starts[-1] - starts[0]) // minutes + 1 - len(starts)),
        naive_fallbacks=int(fallbacks.sum()),
        test_start=test_start,
    )


def _require_windows(
    parts: dict[str, np.ndarray], starts: np.ndarray, dropped: dict, windows: WindowConfig
) -> None:
    empty = [name for name, origins in parts.items() if not len(origins)]
    if empty:
        raise DataError(
            f"No windows for {' and '.join(empty)}: {len(starts)} frames from "
            f"{format_start(starts[0])} to {format_start(starts[-1])}, lags closeness {windows.closeness}, "
            f"period {windows.period} days, trend {windows.trend} weeks, average of {windows.average}. Windows: "
            f"{ {name: len(origins) for name, origins in parts.items()} }; dropped by missing interval: "
            f"{dropped}. Give more data, fewer lags or another split."
        )


def locate(starts: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Finds the frames of intervals.

    Args:
      starts: int64 `[n]`, ascending.
      times: starts of the intervals to find, int64 `[...]`.

    Returns:
      int64 `[...]`, indices into `starts`.

    Raises:
      DataError: an interval has no frame; names it.
    """
    indices = np.minimum(np.searchsorted(starts, times), len(starts) - 1)
    found = starts[indices] == times
    if not np.all(found):
        missing = np.asarray(times)[~found].flat[0]
        raise DataError(f"Expected a frame at {format_start(missing)}, found none.")
    return indices


def averages(
    starts: np.ndarray,
    maps: np.ndarray,
    times: np.ndarray,
    windows: WindowConfig,
    holidays: np.ndarray,
) -> np.ndarray:
    """The average of intervals, as `usual_flows`, by the settings of the windows: float32 `[..., H, W, 2]`."""
    weeks, days, decay = windows.average, windows.average_days, windows.average_decay
    return usual_flows(starts, maps, times, weeks, days, holidays, decay)[0]


def gather(
    starts: np.ndarray,
    maps: np.ndarray,
    origins: np.ndarray,
    windows: WindowConfig,
    minutes: int,
    holidays: np.ndarray,
    with_target: bool = True,
) -> dict[str, np.ndarray]:
    """Gathers the maps of windows.

    Args:
      starts: the frames' starts, wall-clock minutes, int64 `[n]`, ascending.
      maps: float32 `[n, H, W, 2]`, trips per interval.
      origins: first target intervals, int64 `[m]`.
      windows: lags and horizon.
      minutes: length of an interval.
      holidays: days since 1970-01-01, int64; they are averaged apart from working days.
      with_target: false for windows whose target is not known yet.

    Returns:
      Feature name -> float32 `[m, lags, H, W, 2]`, most recent first; `target` is `[m, h, H, W, 2]`.

    Raises:
      DataError: an interval that a window needs has no frame.
    """
    found = {}
    for name, offsets in window_offsets(windows, MINUTES_PER_DAY // minutes).items():
        if name == features.AVERAGE:
            times = np.asarray(origins)[:, None] + averaged_offsets(windows) * minutes
            found[name] = averages(starts, maps, times, windows, holidays)
        elif with_target or name != features.TARGET:
            times = np.asarray(origins)[:, None] + offsets * minutes
            found[name] = maps[locate(starts, times)]
    return found
