"""Reads forecasts that were written as tables, by `crowdflow predict --out` and `batch` or in their form."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crowdflow.config import Config
from crowdflow.evaluation.score import Forecasts
from crowdflow.flows.map_tables import ENDINGS
from crowdflow.ingest.paths import expand
from crowdflow.schema.errors import DataError
from crowdflow.schema.features import CHANNELS
from crowdflow.schema.intervals import from_datetime64

_COLUMNS = ("forecast_start", "step", "row", "col", *CHANNELS)
_PARQUET, _OTHERS = (".parquet", ENDINGS[0]), (".json",)


def read_forecasts(paths: Sequence[str], config: Config) -> Forecasts:
    """Reads forecasts: one row for each target, step and cell, in any order.

    Args:
      paths: files, folders and glob patterns of CSV, Parquet and GeoParquet; counters.json is passed over.
      config: of the model, for the grid, the zone and the number of steps.

    Raises:
      DataNotFoundError: an input does not exist.
      DataError: a file has another form, or a forecast is outside of the grid, not a number, or there twice.
    """
    found = [path for path in expand(paths) if Path(path).suffix.lower() not in _OTHERS]
    tables = [_read(path, config) for path in found]
    grid, steps = config.grid, config.windows.horizon
    whole = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_COLUMNS)
    if not len(whole):
        raise DataError(f"{', '.join(paths)}: expected forecasts. Received none.")
    starts = from_datetime64(whole["forecast_start"].to_numpy("datetime64[s]"))
    origins, which = np.unique(starts, return_inverse=True)
    place = [which, *(whole[name].to_numpy(np.int64) for name in ("step", "row", "col"))]
    place[1] = place[1] - 1
    shape = (len(origins), steps, grid.rows, grid.cols)
    for name, index, size in zip(_COLUMNS, place, shape, strict=False):
        wrong = np.flatnonzero((index < 0) | (index >= size))
        if len(wrong):
            _refuse(whole, wrong[0], f"{name} within the model's {size}")
    flat = np.ravel_multi_index(place, shape)
    _, first = np.unique(flat, return_index=True)
    if len(first) < len(flat):
        again = np.setdiff1d(np.arange(len(flat)), first)[0]
        _refuse(whole, again, "each target, step and cell once")
    values = whole[list(CHANNELS)].to_numpy(np.float32)
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(wrong):
        _refuse(whole, wrong[0], "numbers of trips")
    flows = np.full((np.prod(shape), len(CHANNELS)), np.nan, np.float32)
    flows[flat] = values
    return Forecasts(origins, flows.reshape(*shape, len(CHANNELS)))


def _read(path: str, config: Config) -> pd.DataFrame:
    try:
        if Path(path).suffix.lower() in _PARQUET:
            names = pq.read_schema(path).names
            table = pq.read_table(path, columns=[n for n in _COLUMNS if n in names]).to_pandas()
        else:
            table = pd.read_csv(path, usecols=lambda name: name in _COLUMNS)
        missing = [name for name in _COLUMNS if name not in table]
        if missing:
            raise DataError(
                f"{path}: expected a table of forecasts, with columns {', '.join(_COLUMNS)}. Missing: "
                f"{', '.join(missing)}."
            )
        times = pd.to_datetime(table["forecast_start"])
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a table of forecasts. {error}") from None
    if times.dt.tz is not None:
        times = times.dt.tz_convert(config.intervals.timezone or "UTC").dt.tz_localize(None)
    number = np.arange(len(table)) + 1
    return table.assign(forecast_start=times, file=path, number=number)


def _refuse(table: pd.DataFrame, index: int, expected: str) -> None:
    row = table.iloc[index]
    received = ", ".join(f"{name} {row[name]}" for name in _COLUMNS)
    raise DataError(
        f"{row['file']}, row {row['number']}: expected {expected}. Received: {received}."
    )
