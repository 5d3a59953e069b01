"""Naive forecasts: the intervals that they repeat, and the means of earlier ones. Pure numpy."""

import datetime as dt
from collections.abc import Sequence

import numpy as np

from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY, date_to_minutes, weekday

_WEEK = DAYS_PER_WEEK * MINUTES_PER_DAY
_FOUR_WEEKS = _WEEK * np.arange(1, 5)
_SEVEN_DAYS = MINUTES_PER_DAY * np.arange(1, 8)


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


def holiday_days(dates: Sequence[str]) -> np.ndarray:
    """Dates YYYY-MM-DD as days since 1970-01-01, int64 `[n]`."""
    midnights = [date_to_minutes(dt.date.fromisoformat(date)) for date in dates]
    return np.array(midnights, np.int64) // MINUTES_PER_DAY


def times_of_means(targets: np.ndarray) -> np.ndarray:
    """The intervals from which `recent_means` are taken: int64 `[m, h]` to `[m, h, 11]`."""
    return targets[..., None] - np.concatenate([_FOUR_WEEKS, _SEVEN_DAYS])


def recent_means(
    starts: np.ndarray,
    maps: np.ndarray,
    targets: np.ndarray,
    holidays: np.ndarray,
    otherwise: np.ndarray,
) -> dict[str, np.ndarray]:
    """The means of the last weeks and days, of those frames that exist.

    Args:
      starts: int64 `[n]`, ascending.
      maps: float32 `[n, H, W, 2]`.
      targets: target intervals, int64 `[m, h]`.
      holidays: days since 1970-01-01, int64.
      otherwise: the forecast where there is no such frame, float32 `[m, h, H, W, 2]`.

    Returns:
      `four_weeks`, the mean of the four weeks before at the target's time of the week, and `weeks_and_days`, half
      of it and half the mean of the seven days before at the target's time of day, over days of the target's type
      (working days, or weekends and holidays); the other one where one has no frame. float32 `[m, h, H, W, 2]`.
    """

    def is_off(times: np.ndarray) -> np.ndarray:
        return (weekday(times) >= 5) | np.isin(times // MINUTES_PER_DAY, holidays)

    same_type = is_off(targets)[..., None] == is_off(targets[..., None] - _SEVEN_DAYS)
    weeks, has_weeks = _mean(starts, maps, targets, _FOUR_WEEKS)
    days, has_days = _mean(starts, maps, targets, _SEVEN_DAYS, same_type)
    weeks = np.where(has_weeks, weeks, otherwise)
    days = np.where(has_days, days, weeks)
    both = np.where(has_weeks, (weeks + days) / 2, days)
    return {"four_weeks": weeks.astype(np.float32), "weeks_and_days": both.astype(np.float32)}


def _mean(
    starts: np.ndarray, maps: np.ndarray, times: np.ndarray, lags: np.ndarray, wanted: object = True
) -> tuple[np.ndarray, np.ndarray]:
    """Mean, float64, of the wanted frames some lags before, and where there is any, `[m, h, 1, 1, 1]`."""
    sought = times[..., None] - lags  # [m, h, k]
    rows = np.minimum(np.searchsorted(starts, sought), len(starts) - 1)
    there = (starts[rows] == sought) & wanted
    total = np.zeros((*times.shape, *maps.shape[1:]))
    for lag in range(len(lags)):
        total += maps[rows[..., lag]] * there[..., lag, None, None, None]
    count = there.sum(axis=-1)[..., None, None, None]
    return total / np.maximum(count, 1), count > 0
