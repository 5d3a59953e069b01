"""Naive forecasts: the intervals that they repeat, and the means of earlier ones. Pure numpy."""

from collections.abc import Callable

import numpy as np

from crowdflow.flows.usual import half_of_both, means, usual_lags
from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY

_WEEK = DAYS_PER_WEEK * MINUTES_PER_DAY
# The weeks and days in the means: `four_weeks` has the weeks alone.
_WEEKS, _DAYS = 4, 7


def naive_sources(
    starts: np.ndarray, origins: np.ndarray, horizon: int, minutes: int
) -> dict[str, np.ndarray]:
    """The intervals that naive forecasts repeat: the latest ones known at the origin.

    Args:
      starts: all frames' starts, int64 `[n]`, ascending.
      origins: first target intervals, int64 `[m]`.
      horizon: steps h.
      minutes: length of an interval.

    Returns:
      `last_interval` and `last_week` -> int64 `[m, h]`: the latest frame before the origin, and the latest
      earlier frame in the target's slot of the week (the last interval where there is none).
    """
    last = starts[np.searchsorted(starts, origins) - 1][:, None] + np.zeros(horizon, np.int64)
    targets = origins[:, None] + np.arange(horizon) * minutes
    order = np.lexsort((starts, starts % _WEEK))
    keys = (starts % _WEEK)[order] * np.int64(2**40) + starts[order]
    rows = np.searchsorted(keys, (targets % _WEEK) * np.int64(2**40) + targets) - 1
    found = starts[order][np.maximum(rows, 0)]
    same_slot = (rows >= 0) & (found % _WEEK == targets % _WEEK)
    return {"last_interval": last, "last_week": np.where(same_slot, found, last)}


def earlier_means(
    starts: np.ndarray, read: Callable[[np.ndarray], np.ndarray], times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The historical average: the mean of all frames before an interval in its slot of the week.

    The frames are read week by week, so no more than one map for each interval is held.

    Args:
      starts: all frames' starts, int64 `[n]`, ascending.
      read: a function that returns the frames of starts int64 `[k]`, float32 `[k, H, W, 2]`.
      times: intervals, int64 `[m]`, ascending.

    Returns:
      The intervals that have an earlier frame in their slot, int64 `[k]`, and the means, float32 `[k, H, W, 2]`.
    """
    total, count = 0.0, np.zeros(len(times), np.int64)
    for weeks in range(int(times[-1] - starts[0]) // _WEEK, 0, -1):  # the earliest first
        sought = times - weeks * _WEEK
        there = np.isin(sought, starts)
        if there.any():
            maps = read(sought[there])
            if not count.any():
                total = np.zeros((len(times), *maps.shape[1:]))
            total[there] += maps
            count += there
    known = count > 0
    if not known.any():
        return times[known], np.empty((0, 0, 0, 0), np.float32)
    return times[known], (total[known] / count[known, None, None, None]).astype(np.float32)


def recent_times(targets: np.ndarray) -> np.ndarray:
    """The intervals from which `recent_means` takes its forecasts: int64 `[m, h]` to `[m, h, k]`."""
    return targets[..., None] - usual_lags(_WEEKS, _DAYS)


def recent_means(
    starts: np.ndarray,
    maps: np.ndarray,
    targets: np.ndarray,
    holidays: np.ndarray,
    otherwise: np.ndarray,
) -> dict[str, np.ndarray]:
    """The naive forecasts that are means of the last weeks and days.

    Args:
      starts: int64 `[n]`, ascending.
      maps: float32 `[n, H, W, 2]`.
      targets: target intervals, int64 `[m, h]`.
      holidays: days since 1970-01-01, int64.
      otherwise: the forecast where there is no frame to average, float32 `[m, h, H, W, 2]`.

    Returns:
      `four_weeks`, and `weeks_and_days` with the last seven days of the target's type, as `usual_flows` averages
      them. float32 `[m, h, H, W, 2]`.
    """
    weeks, days = means(starts, maps, targets, _WEEKS, _DAYS, holidays)
    found = {"four_weeks": weeks, "weeks_and_days": half_of_both(weeks, days)}
    return {
        name: np.where(known[..., None, None, None], flows.astype(np.float32), otherwise)
        for name, (flows, known) in found.items()
    }


def naive_flows(
    starts: np.ndarray,
    maps: np.ndarray,
    origins: np.ndarray,
    horizon: int,
    minutes: int,
    holidays: np.ndarray,
) -> dict[str, np.ndarray]:
    """Every naive forecast, from the frames themselves.

    Args:
      starts: int64 `[n]`, ascending.
      maps: float32 `[n, H, W, 2]`.
      origins: first target intervals, int64 `[m]`; each has an earlier frame.
      horizon: steps h.
      minutes: length of an interval.
      holidays: days since 1970-01-01, int64.

    Returns:
      Trips per interval by name, float32 `[m, h, H, W, 2]`. The historical average is that of targets that have a
      frame, of which it takes nothing; for others it is the last week's flow.
    """
    targets = origins[:, None] + np.arange(horizon) * minutes
    sources = naive_sources(starts, origins, horizon, minutes)
    found = {name: maps[np.searchsorted(starts, times)] for name, times in sources.items()}
    found["historical_average"] = found["last_week"].copy()

    def read(times: np.ndarray) -> np.ndarray:
        return maps[np.searchsorted(starts, times)]

    with_average, averages = earlier_means(starts, read, np.unique(targets))
    known = np.isin(targets, with_average) & np.isin(targets, starts)
    if known.any():
        rows = np.searchsorted(with_average, targets[known])
        found["historical_average"][known] = averages[rows]
    return found | recent_means(starts, maps, targets, holidays, found["last_week"])
