"""What a report is made of, and the plain choices and sums behind its pictures.

`n` windows of the test period, `h` the horizon, `H, W` the grid; maps are `[H, W, 2]`, inflow then
outflow, in trips per interval; times are wall-clock minutes (`schema.intervals`).
"""

import dataclasses
from typing import Any, Optional

import numpy as np

from crowdflow.schema.errors import DataError
from crowdflow.schema.features import NAIVE_FORECASTS
from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY, weekday

# Every forecast that a report compares, in the order of its tables and legends.
LABELS = {
    "model": "Model",
    "last_pushed": "Last pushed model",
    "historical_average": "Historical average",
    "last_week": "Same time last week",
    "last_interval": "Last interval",
}
METRICS = {
    "rmse_active_cells": "RMSE, active cells",
    "rmse_all_cells": "RMSE, all cells",
    "mae_active_cells": "MAE, active cells",
    "inflow_rmse_active_cells": "Inflow RMSE, active cells",
    "outflow_rmse_active_cells": "Outflow RMSE, active cells",
}
# Hours of the day, from and to, in which the busiest interval of a typical day is shown.
_TIMES_OF_DAY = (("Morning peak", 6, 11), ("Midday", 12, 14), ("Evening peak", 15, 21))


@dataclasses.dataclass(frozen=True, eq=False)
class ReportData:
    """Everything that a run's report shows.

    Attributes:
      title: the preset's name.
      config: `Config.to_dict()` of the run.
      seed: the run's seed.
      device: what the model was trained on, in words.
      versions: package -> version.
      windows: number of windows in `train`, `eval` and `test`.
      counters: group -> counts, nested to any depth, such as `{"rejected": {"negative_flow": 3}}`.
      interval_minutes: length of an interval.
      target_times: int64 `[n]`, start of each test window's first target interval, rising.
      truth: float32 `[n, h, H, W, 2]`, trips per interval.
      prediction: as `truth`, the model's.
      naive: each name of `schema.features.NAIVE_FORECASTS` -> a forecast as `truth`.
      active: bool `[H, W]`, cells with flow.
      metrics: each name of `LABELS` -> the values of `METRICS`, on the test windows, in trips per
        interval; `last_pushed` may be None or absent.
      by_hour: name of `LABELS` -> hour of the day (0..23) -> RMSE over active cells.
      by_day: name of `LABELS` -> `weekday` or `weekend` -> RMSE over active cells.
      history: an epoch each, in order: `phase` (1 or 2), `epoch`, `loss`, `eval_rmse` (trips per
        interval, or None), `seconds`, `learning_rate`, and `member` where there are several.
      blessed: the model was approved.
      reasons: why, or why not, a sentence each.
      pushed_model: the pushed version's path, or None.
      drift: what FlowDrift found, or None where that is not known.

    Raises:
      DataError: an array has another shape than the others ask for, or there is no window.
    """

    title: str
    config: dict[str, Any]
    seed: int
    device: str
    versions: dict[str, str]
    windows: dict[str, int]
    counters: dict[str, Any]
    interval_minutes: int
    target_times: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    naive: dict[str, np.ndarray]
    active: np.ndarray
    metrics: dict[str, Optional[dict[str, Any]]]
    by_hour: dict[str, dict[int, float]]
    by_day: dict[str, dict[str, float]]
    history: list[dict[str, Any]]
    blessed: bool
    reasons: list[str]
    pushed_model: Optional[str] = None
    drift: Optional[dict[str, Any]] = None

    def __post_init__(self):
        shape = self.truth.shape
        if len(shape) != 5 or shape[-1] != 2 or not shape[0]:
            _refuse("truth", "[n, h, H, W, 2] with n of at least 1", shape)
        arrays = {"prediction": self.prediction}
        arrays |= {f"naive {name}": self.naive[name] for name in NAIVE_FORECASTS}
        for name, array in arrays.items():
            if array.shape != shape:
                _refuse(name, f"the shape of truth, {list(shape)}", array.shape)
        if self.target_times.shape != shape[:1]:
            _refuse("target_times", list(shape[:1]), self.target_times.shape)
        if np.any(np.diff(self.target_times) <= 0):
            raise DataError("The report's target_times: expected rising times. Received: unsorted.")
        if self.active.shape != shape[2:4]:
            _refuse("active", list(shape[2:4]), self.active.shape)

    @property
    def unit(self) -> str:
        """The unit of a flow, such as `trips / h`."""
        hours, minutes = divmod(self.interval_minutes, 60)
        if minutes:
            return f"trips / {self.interval_minutes} min"
        return "trips / h" if hours == 1 else f"trips / {hours} h"

    @property
    def sources(self) -> list[str]:
        """Names of `LABELS` that have metrics, in order."""
        return [name for name in LABELS if self.metrics.get(name)]


def _refuse(name: str, expected: Any, received: tuple[int, ...]) -> None:
    raise DataError(f"The report's {name}: expected {expected}. Received: {list(received)}.")


def busiest_cell(data: ReportData) -> tuple[int, int]:
    """Row and column of the cell with the largest true flow, both directions, over all windows."""
    total = data.truth[:, 0].sum(axis=(0, 3), dtype=np.float64)  # [H, W]
    row, col = np.unravel_index(np.argmax(total), total.shape)
    return int(row), int(col)


def last_week(times: np.ndarray) -> slice:
    """The part of rising `times`, int64 `[n]`, that the last seven days hold."""
    begin = times[-1] - DAYS_PER_WEEK * MINUTES_PER_DAY
    return slice(int(np.searchsorted(times, begin, side="right")), None)


def with_gaps(times: np.ndarray, values: np.ndarray, minutes: int) -> tuple[np.ndarray, np.ndarray]:
    """Puts a NaN wherever an interval is missing, so that a line breaks there.

    Args:
      times: int64 `[n]`, rising.
      values: float `[n, ...]`.
      minutes: length of an interval.

    Returns:
      datetime64[m] `[n + gaps]` and float64 `[n + gaps, ...]`.
    """
    gaps = np.flatnonzero(np.diff(times) > minutes) + 1
    filled = np.insert(times, gaps, times[gaps - 1] + minutes)
    broken = np.insert(np.asarray(values, np.float64), gaps, np.nan, axis=0)
    return filled.astype("datetime64[m]"), broken


def chosen_windows(data: ReportData) -> list[tuple[str, int]]:
    """The windows whose maps are shown: a typical working day's, and the largest error's.

    The typical day has the median flow among the working days (where there is none, among all
    days) with the most windows.

    Returns:
      Label and index into the windows, each index once, at least one.
    """
    times, total = data.target_times, data.truth[:, 0].sum(axis=(1, 2, 3), dtype=np.float64)
    day, hour = times // MINUTES_PER_DAY, times % MINUTES_PER_DAY / 60
    pool = weekday(times) < 5
    pool = pool if pool.any() else np.ones_like(pool)
    days, counts = np.unique(day[pool], return_counts=True)
    fullest = sorted(days[counts == counts.max()], key=lambda d: total[day == d].sum())
    typical = fullest[len(fullest) // 2]

    chosen = {}
    for label, start, end in _TIMES_OF_DAY:
        among = np.flatnonzero((day == typical) & (hour >= start) & (hour < end))
        if among.size:
            chosen[int(among[np.argmax(total[among])])] = label
    errors = np.square(data.prediction[:, 0] - data.truth[:, 0]).sum(axis=(1, 2, 3))
    worst = int(np.argmax(errors))
    label = "Largest error"
    chosen[worst] = f"{chosen[worst]}, {label.lower()}" if worst in chosen else label
    return [(label, index) for index, label in chosen.items()]


def rmse_active(
    forecast: np.ndarray, truth: np.ndarray, active: np.ndarray, axis: tuple[int, ...]
) -> np.ndarray:
    """RMSE over active cells: every cell's error counts, over the number of active cells' values.

    Args:
      forecast: `[..., H, W, 2]`, with any leading axes.
      truth: alike.
      active: bool `[H, W]`.
      axis: the axes to sum over; they hold H and W.

    Returns:
      float64, the axes that are left.
    """
    mean = np.square(forecast - truth, dtype=np.float64).mean(axis=axis)
    return np.sqrt(mean * active.size / max(int(active.sum()), 1))
