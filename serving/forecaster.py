"""Forecasts from recent flows."""

import dataclasses
import json
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from crowdflow.config import Config
from crowdflow.config.account import settings_of
from crowdflow.flows.holiday_table import holiday_dates
from crowdflow.ingest.history import History, needed_files, read_history
from crowdflow.ingest.times.clock import changed_intervals
from crowdflow.schema import features
from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import to_datetime64
from crowdflow.serving import request
from crowdflow.serving.transport import Transport
from crowdflow.storage.store_path import AnyPath

BATCH = 64  # windows per request


@dataclasses.dataclass(frozen=True)
class Forecast:
    """Forecasts, one per target.

    Attributes:
      starts: wall-clock minutes of each step's interval, int64 `[m, h]`.
      flows: inflow and outflow, trips per interval, float32 `[m, h, H, W, 2]`.
    """

    starts: np.ndarray
    flows: np.ndarray

    def table(self) -> pd.DataFrame:
        """One row per step and cell: forecast_start, step, interval_start, row, col, inflow, outflow.

        Times are local, without a zone; `step` counts from 1.
        """
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
            }
        )


class Forecaster:
    """Gets forecasts from a model. Windows are built with the model's own settings.

    Attributes:
      config: of the model.
      holidays: dates YYYY-MM-DD of the country's table in the model.
      layout: how the files of its training's data are named, as `range.pattern`, or None.
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
            found = transport.predict(query, features.ACCOUNT_SIGNATURE, features.ACCOUNT)
            account = found[0] if found.dtype == object and len(found) else ""
            self.config, self.holidays = settings_of(account)
            self.layout = json.loads(account).get(features.LAYOUT)
        else:
            self.config, self.holidays = config, holiday_dates(config.transform)
            self.layout = config.range.pattern

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
        if targets is None:
            targets = np.array([self.next_target(history)])
        parts = [flows for _, flows in self.in_batches(history, targets)]
        windows, grid = self.config.windows, self.config.grid
        empty = np.zeros((0, windows.horizon, grid.rows, grid.cols, 2), np.float32)
        steps = np.arange(windows.horizon) * self.config.intervals.minutes
        return Forecast(np.asarray(targets)[:, None] + steps, np.concatenate([empty, *parts]))

    def in_batches(
        self, history: History, targets: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Like `forecast`, one request at a time: targets int64 `[b]`, and their flows `[b, h, H, W, 2]`."""
        for first in range(0, len(targets), BATCH):
            batch = targets[first : first + BATCH]
            inputs = request.build(history, batch, self.config, self.holidays)
            yield batch, self._transport.predict(inputs, features.DENSE_SIGNATURE, features.FLOW)


def settings_in(folder: AnyPath) -> tuple[Config, list[str]]:
    """The settings of a SavedModel and its country's holidays, without loading it.

    Raises:
      DataError: the folder has no account of the model.
      ServingError: as `settings_of`.
    """
    try:
        return settings_of((folder / features.ACCOUNT_FILE).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{folder}: expected {features.ACCOUNT_FILE}. {error.strerror}.") from None
