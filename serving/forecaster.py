"""Forecasts from recent flows."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from crowdflow.config import Config
from crowdflow.config.account import levels_of, settings_of
from crowdflow.flows.holiday_table import holiday_dates
from crowdflow.flows.quantiles import quantile_name, shown_interval
from crowdflow.ingest.history import History, needed_files, read_history
from crowdflow.ingest.times.clock import changed_intervals
from crowdflow.schema import features
from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import to_datetime64
from crowdflow.serving import request
from crowdflow.serving.transport import Transport
from crowdflow.storage.store_path import AnyPath

BATCH = 64  # windows per request
_COLUMNS = {
    "forecast_start": pa.timestamp("ns"),
    "step": pa.int64(),
    "interval_start": pa.timestamp("ns"),
    "row": pa.int64(),
    "col": pa.int64(),
}


@dataclasses.dataclass(frozen=True)
class Forecast:
    """Forecasts, one per target.

    Attributes:
      starts: wall-clock minutes of each step's interval, int64 `[m, h]`.
      flows: inflow and outflow, trips per interval, float32 `[m, h, H, W, 2]`.
      quantiles: of the same, float32 `[m, h, H, W, 2, Q]`; Q is 0 for a model that has none.
      levels: of the quantiles, ascending.
    """

    starts: np.ndarray
    flows: np.ndarray
    quantiles: np.ndarray | None = None
    levels: tuple[float, ...] = ()

    @property
    def band(self) -> tuple[int, np.ndarray] | None:
        """The percentage and the ends, `[m, h, H, W, 2, 2]`, of the interval to show; None without quantiles."""
        ends = shown_interval(self.levels)
        if ends is None:
            return None
        percent, low, high = ends
        return percent, self.quantiles[..., [low, high]]

    def table(self) -> pd.DataFrame:
        """One row per step and cell: forecast_start, step, interval_start, row, col, inflow, outflow.

        Quantiles follow, as `inflow_p05` to `outflow_p95`. Times are local, without a zone; `step` counts from 1.
        """
        quantiles = {
            f"{channel}_{quantile_name(level)}": self.quantiles[..., number, index].reshape(-1)
            for number, channel in enumerate(features.CHANNELS)
            for index, level in enumerate(self.levels)
        }
        index = np.indices(self.flows.shape[:-1]).reshape(4, -1)
        forecast, step, row, col = index
        return pd.DataFrame(
            {
                "forecast_start": to_datetime64(self.starts[forecast, 0]).astype("datetime64[ns]"),
                "step": step + 1,
                "interval_start": to_datetime64(self.starts[forecast, step]).astype(
                    "datetime64[ns]"
                ),
                "row": row,
                "col": col,
                "inflow": self.flows[..., 0].reshape(-1),
                "outflow": self.flows[..., 1].reshape(-1),
                **quantiles,
            }
        )


def table_schema(levels: Sequence[float]) -> pa.Schema:
    """The columns of the forecasts, those of quantiles at the end."""
    names = [f"{channel}_{quantile_name(q)}" for channel in features.CHANNELS for q in levels]
    return pa.schema(_COLUMNS | dict.fromkeys([*features.CHANNELS, *names], pa.float32()))


class Forecaster:
    """Gets forecasts from a model. Windows are built with the model's own settings.

    Attributes:
      config: of the model.
      holidays: dates YYYY-MM-DD of the country's table in the model.
      layout: how the files of its training's data are named, as `range.pattern`, or None.
      levels: of the model's quantiles, ascending; none for a model without.
    """

    def __init__(self, transport: Transport, config: Config | None = None):
        """Gets the settings from the model.

        Args:
          transport: see `serving.connect`.
          config: settings to use instead; their country's holidays are those of today's package.

        Raises:
          ServingError: the model does not answer, or returns no settings.
        """
        self._transport = transport
        if config is None:
            query = {features.QUERY: np.array([""], object)}
            answer = transport.predict(query, features.ACCOUNT_SIGNATURE, [features.ACCOUNT])
            found = answer[features.ACCOUNT]
            account = found[0] if found.dtype == object and len(found) else ""
            self.config, self.holidays = settings_of(account)
            self.layout = json.loads(account).get(features.LAYOUT)
            self.levels = levels_of(account)
        else:
            self.config, self.holidays = config, holiday_dates(config.transform)
            self.layout, self.levels = config.range.pattern, ()

    def read(
        self, paths: Sequence[str], span: tuple[int | None, int | None] | None = None
    ) -> History:
        """Reads recent flows: trips, trajectories or flow records, with the side files that the model needs.

        Args:
          paths: files, folders and glob patterns.
          span: the first and last target, as `history.needed_files` takes them. Of files that are named as those
            of the training, only the days are read that these targets look back on; without it, all are.

        Raises:
          DataNotFoundError: an input is not there.
          DataError: an input cannot be used, or too many of its records are rejected.
        """
        if span is not None:
            paths = needed_files(paths, self.config, self.layout, *span)
        return read_history(paths, self.config)

    def next_target(self, history: History) -> int:
        """The interval after the last one, wall-clock minutes; one that daylight saving skips is passed over."""
        intervals = self.config.intervals
        target = int(history.frames.starts[-1]) + intervals.minutes
        while target in changed_intervals(np.array([target]), intervals.zone)[1]:
            target += intervals.minutes
        return target

    def forecast(self, history: History, targets: np.ndarray | None = None) -> Forecast:
        """Forecasts for the given targets.

        Args:
          history: frames up to then.
          targets: starts of the first target intervals, wall-clock minutes, int64 `[m]`; None is the
            interval after the last frame.

        Raises:
          DataError: a target starts no interval or misses a lag; names it.
          ServingError: the model refused, or does not answer.
        """
        targets = np.asarray([self.next_target(history)] if targets is None else targets)
        parts = list(self.in_batches(history, targets))
        windows, grid = self.config.windows, self.config.grid
        shape = 0, windows.horizon, grid.rows, grid.cols, 2
        flows = np.concatenate([np.zeros(shape, np.float32), *(part.flows for part in parts)])
        empty = np.zeros((*shape, len(self.levels)), np.float32)
        quantiles = np.concatenate([empty, *(part.quantiles for part in parts)])
        steps = np.arange(windows.horizon) * self.config.intervals.minutes
        return Forecast(targets[:, None] + steps, flows, quantiles, self.levels)

    def in_batches(self, history: History, targets: np.ndarray) -> Iterator[Forecast]:
        """Like `forecast`, one request at a time."""
        steps = np.arange(self.config.windows.horizon) * self.config.intervals.minutes
        for first in range(0, len(targets), BATCH):
            batch = targets[first : first + BATCH]
            inputs = request.build(history, batch, self.config, self.holidays)
            yield ask(self._transport, inputs, batch[:, None] + steps, self.levels)


def ask(
    transport: Transport,
    inputs: Mapping[str, np.ndarray],
    starts: np.ndarray,
    levels: tuple[float, ...],
) -> Forecast:
    """The forecasts of one request.

    Args:
      transport: to the model.
      inputs: of its dense signature.
      starts: of each step's interval, int64 `[b, h]`.
      levels: of the model's quantiles.
    """
    outputs = [features.FLOW, *([features.QUANTILES] if levels else [])]
    answer = transport.predict(inputs, features.DENSE_SIGNATURE, outputs)
    flows = answer[features.FLOW]
    none = np.zeros((*flows.shape, 0), np.float32)
    return Forecast(starts, flows, answer.get(features.QUANTILES, none), levels)


def settings_in(folder: AnyPath) -> tuple[Config, list[str]]:
    """The settings of a SavedModel and its country's holidays, without loading it.

    Raises:
      DataError: the folder has no account of the model.
      ServingError: as `settings_of`.
    """
    return settings_of(account_in(folder))


def account_in(folder: AnyPath) -> str:
    """The account that a SavedModel has of itself, as JSON.

    Raises:
      DataError: the folder has none.
    """
    try:
        return (folder / features.ACCOUNT_FILE).read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{folder}: expected {features.ACCOUNT_FILE}. {error.strerror}.") from None
