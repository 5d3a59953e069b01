"""The content of a report, and the selections and sums behind its figures.

`n` is the number of test windows, `h` the horizon, `H, W` the grid; maps are `[H, W, 2]`, inflow then
outflow, in trips per interval; times are wall-clock minutes (`schema.intervals`).
"""

import dataclasses
from typing import Any, Optional

import numpy as np

from crowdflow.schema.errors import DataError
from crowdflow.schema.features import NAIVE_FORECASTS
from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY, weekday

# The forecasts that a report compares, in the order of its tables and legends.
LABELS = {
    "model": "Model",
    "last_pushed": "Best pushed model",
    "weeks_and_days": "Last four weeks and seven days",
    "four_weeks": "Last four weeks",
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
# Hours of the day, start and end, from which the busiest interval of a typical day is shown.
_TIMES_OF_DAY = (("Morning peak", 6, 11), ("Midday", 12, 14), ("Evening peak", 15, 21))


@dataclasses.dataclass(frozen=True, eq=False)
class ReportData:
    """Everything that a run's report shows.

    Attributes:
      title: the preset's name.
      config: `Config.to_dict()` of the run.
      seed: the run's seed.
      device: the device and precision of the training, in words.
      versions: package -> version.
      libraries: node -> the libraries that its result depends on, with their versions.
      windows: the number of windows in `train`, `eval` and `test`.
      counters: group -> counts, nested to any depth, such as `{"rejected": {"negative_flow": 3}}`.
      interval_minutes: length of an interval.
      target_times: int64 `[n]`, start of each test window's first target interval, increasing.
      truth: float32 `[n, h, H, W, 2]`, trips per interval.
      prediction: the model's forecast, shaped as `truth`.
      naive: each name of `schema.features.NAIVE_FORECASTS` -> its forecast, shaped as `truth`.
      active: bool `[H, W]`, cells with flow.
      metrics: each name of `LABELS` -> the values of `METRICS`, on the test windows, in trips per
        interval; `last_pushed` may be None or absent.
      by_hour: name of `LABELS` -> hour of the day (0..23) -> RMSE over active cells.
      by_day: name of `LABELS` -> `weekday` or `weekend` -> RMSE over active cells.
      history: one entry per epoch, in order: `phase` (1 or 2), `epoch`, `loss`, `eval_rmse` (trips per
        interval, or None), `seconds`, `learning_rate`, and `member` for an ensemble.
      blessed: the Evaluator blessed the model.
      reasons: one sentence each on why the model was blessed or not.
      pushed_model: the pushed version's path, or None.
      held_back: why an approved model was not pushed, if the Pusher says so.
      refit: what Refit did, see `components.refit.words`, or None where it is unknown.
      drift: the content of FlowDrift's `drift.json`, or None where it is unknown.

    Raises:
      DataError: the arrays' shapes do not match, the times do not increase, or there is no window.
    """

    title: str
    config: dict[str, Any]
    seed: int
    device: str
    versions: dict[str, str]
    libraries: dict[str, dict[str, str]]
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
    held_back: Optional[str] = None
    refit: Optional[dict[str, str]] = None
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
    """The part of increasing `times`, int64 `[n]`, within the last seven days."""
    begin = times[-1] - DAYS_PER_WEEK * MINUTES_PER_DAY
    return slice(int(np.searchsorted(times, begin, side="right")), None)


def with_gaps(times: np.ndarray, values: np.ndarray, minutes: int) -> tuple[np.ndarray, np.ndarray]:
    """Inserts a NaN at each gap, so that a plotted line breaks there.

    Args:
      times: int64 `[n]`, increasing.
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
    """The windows whose maps are shown: three of a typical working day, and the one with the largest error.

    The typical day is the one with the median flow among the working days (without any, among all
    days) that have the most windows.

    Returns:
      Labels and indices into the windows; at least one, and no index twice.
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
    """RMSE over active cells: the squared errors of all cells, divided by the number of active values.

    Args:
      forecast: float `[..., H, W, 2]`, with any leading axes.
      truth: float, the shape of `forecast`.
      active: bool `[H, W]`.
      axis: the axes to sum over, H and W among them.

    Returns:
      float64, with the remaining axes.
    """
    mean = np.square(forecast - truth, dtype=np.float64).mean(axis=axis)
    return np.sqrt(mean * active.size / max(int(active.sum()), 1))
