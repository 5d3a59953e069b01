"""What is usual at an interval: the mean of the weeks before, and of the days of its type. Pure numpy."""

import datetime as dt
from collections.abc import Sequence

import numpy as np

from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY, date_to_minutes, weekday

# Means float64 `[..., H, W, 2]`, zero where unknown, and where they are known, bool `[...]`.
Mean = tuple[np.ndarray, np.ndarray]


def usual_lags(weeks: int, days: int) -> np.ndarray:
    """How long before an interval the frames lie that say what is usual then: minutes, int64 `[weeks + days]`."""
    weekly = DAYS_PER_WEEK * np.arange(1, weeks + 1)
    return MINUTES_PER_DAY * np.concatenate([weekly, np.arange(1, days + 1)])


def usual_flows(
    starts: np.ndarray,
    maps: np.ndarray,
    times: np.ndarray,
    weeks: int,
    days: int,
    holidays: np.ndarray,
    decay: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the weeks before at the same time of the week, and of the days before that are of the same type.

    Each is the weighted mean of those frames that exist; half of both where there are both. A day's type is
    working day, or weekend or holiday.

    Args:
      starts: int64 `[n]`, ascending.
      maps: float32 `[n, H, W, 2]`, trips per interval.
      times: intervals, int64 `[...]`.
      weeks: how many weeks back.
      days: how many days back; 0 leaves the days out.
      holidays: days since 1970-01-01, int64 `[k]`.
      decay: the weight of a week, or a day, as a share of that of the next one.

    Returns:
      The usual flows, float32 `[..., H, W, 2]`, zero where no such frame exists; whether any does, bool `[...]`.
    """
    return half_of_both(*means(starts, maps, times, weeks, days, holidays, decay))


def means(
    starts: np.ndarray,
    maps: np.ndarray,
    times: np.ndarray,
    weeks: int,
    days: int,
    holidays: np.ndarray,
    decay: float = 1.0,
) -> tuple[Mean, Mean]:
    """The two means of `usual_flows`, of weeks and of days, each with where it is known."""

    def is_off(at: np.ndarray) -> np.ndarray:
        return (weekday(at) >= 5) | np.isin(at // MINUTES_PER_DAY, holidays)

    lags = usual_lags(weeks, days)
    same_type = is_off(times)[..., None] == is_off(times[..., None] - lags[weeks:])
    return (
        _mean(starts, maps, times, lags[:weeks], decay ** np.arange(weeks)),
        _mean(starts, maps, times, lags[weeks:], same_type * decay ** np.arange(days)),
    )


def half_of_both(weeks: Mean, days: Mean) -> tuple[np.ndarray, np.ndarray]:
    """Half of each mean where both are known, else the known one; see `usual_flows`."""
    (by_week, in_weeks), (by_day, in_days) = weeks, days
    known = in_weeks.astype(int) + in_days  # an unknown mean is zero
    both = (by_week + by_day) / np.maximum(known, 1)[..., None, None, None]
    return both.astype(np.float32), in_weeks | in_days


def _mean(
    starts: np.ndarray, maps: np.ndarray, times: np.ndarray, lags: np.ndarray, weights: np.ndarray
) -> Mean:
    """The weighted mean, float64, of the frames some lags before, or zero; and whether there is any.

    `weights` are of the lags, `[k]`, or of each interval's, `[..., k]`.
    """
    sought = times[..., None] - lags  # [..., k]
    rows = np.minimum(np.searchsorted(starts, sought), len(starts) - 1)
    weights = (starts[rows] == sought) * weights
    total = np.zeros((*times.shape, *maps.shape[1:]))
    for lag in range(len(lags)):
        total += maps[rows[..., lag]] * weights[..., lag, None, None, None]
    weight = weights.sum(axis=-1)
    known = weight > 0
    return total / np.where(known, weight, 1)[..., None, None, None], known


def holiday_days(dates: Sequence[str]) -> np.ndarray:
    """Dates YYYY-MM-DD as days since 1970-01-01, int64 `[n]`."""
    midnights = [date_to_minutes(dt.date.fromisoformat(date)) for date in dates]
    return np.array(midnights, np.int64) // MINUTES_PER_DAY
