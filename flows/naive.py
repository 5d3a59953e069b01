"""Naive forecasts: the intervals that they repeat, and the means of earlier ones. Pure numpy."""

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


def expanding_averages(starts: np.ndarray, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The historical average: for each frame, the mean of all **earlier** frames in its slot of the week.

    Args:
      starts: int64 `[n]`, ascending; all frames of one or more slots of the week.
      maps: float32 `[n, H, W, 2]`.

    Returns:
      The starts that have an earlier frame, int64 `[m]`, and their averages, float32 `[m, H, W, 2]`.
    """
    slots = starts % _WEEK
    kept, means = [], []
    for slot in np.unique(slots):
        rows = np.flatnonzero(slots == slot)
        if len(rows) > 1:
            sums = np.cumsum(maps[rows[:-1]], axis=0, dtype=np.float64)
            counts = np.arange(1, len(rows)).reshape(-1, 1, 1, 1)
            kept.append(starts[rows[1:]])
            means.append((sums / counts).astype(np.float32))
    if not kept:
        return np.empty(0, np.int64), np.empty((0, *maps.shape[1:]), np.float32)
    order = np.argsort(np.concatenate(kept))
    return np.concatenate(kept)[order], np.concatenate(means)[order]


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
    mine = np.isin(starts % _WEEK, targets % _WEEK)
    with_average, averages = expanding_averages(starts[mine], maps[mine])
    known = np.isin(targets, with_average)
    found["historical_average"][known] = averages[np.searchsorted(with_average, targets[known])]
    return found | recent_means(starts, maps, targets, holidays, found["last_week"])
