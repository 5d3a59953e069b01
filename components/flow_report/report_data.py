"""The content of a report."""

import dataclasses
from typing import Any, Optional

from crowdflow.components.flow_report.period import TestPeriod
from crowdflow.config import GridConfig

# The forecasts that a report compares, in the order of its tables and legends.
LABELS = {
    "model": "Model",
    "median": "Model's median",
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
      tested: the test windows.
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
      grid: of the cells; None is one without a box.
      live: the content of LastPushedModel's `live.json`, or None where it is unknown.
      quantiles: how the model's quantiles held, see `quantile_section.held`, or None for a model without any.
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
    tested: TestPeriod
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
    grid: Optional[GridConfig] = None
    live: Optional[dict[str, Any]] = None
    quantiles: Optional[dict[str, Any]] = None

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
