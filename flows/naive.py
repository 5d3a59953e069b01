"""Naive forecasts: the intervals that they repeat, and the historical average. Pure numpy."""

import numpy as np

from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY


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
    week = DAYS_PER_WEEK * MINUTES_PER_DAY
    order = np.lexsort((starts, starts % week))
    keys = (starts % week)[order] * np.int64(2**40) + starts[order]
    rows = np.searchsorted(keys, (targets % week) * np.int64(2**40) + targets) - 1
    found = starts[order][np.maximum(rows, 0)]
    same_slot = (rows >= 0) & (found % week == targets % week)
    return {"last_interval": last, "last_week": np.where(same_slot, found, last)}


def expanding_averages(starts: np.ndarray, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The historical average: for each frame, the mean of all **earlier** frames in its slot of the week.

    Args:
      starts: int64 `[n]`, ascending; all frames of one or more slots of the week.
      maps: float32 `[n, H, W, 2]`.

    Returns:
      The starts that have an earlier frame, int64 `[m]`, and their averages, float32 `[m, H, W, 2]`.
    """
    slots = starts % (DAYS_PER_WEEK * MINUTES_PER_DAY)
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
