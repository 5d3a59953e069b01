"""Weather files: TaxiBJ meteorology (HDF5), and tables of daily or hourly weather (CSV)."""

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Optional

import numpy as np
import pandas as pd

from crowdflow.ingest.records.hdf5_reader import (
    count_slots,
    open_hdf5,
    require_data_sets,
    require_shape,
)
from crowdflow.schema import features, intervals
from crowdflow.schema.errors import DataError
from crowdflow.storage import files

DATA_SETS = ("date", "Temperature", "WindSpeed", "Weather")
TABLE_MINUTES = 60  # length of the slot of a row with a time, unless the configuration sets another
_EPOCH = dt.datetime(1970, 1, 1)
_DATE_LENGTH = len("2018-10-01")


@dataclasses.dataclass(frozen=True)
class Weather:
    """Observations in order of time, at most one for each `known_from`.

    Attributes:
      known_from: the end of each observation's slot, wall-clock minutes, int64 `[m]`: intervals that start
        earlier must not use it.
      values: by covariate name: kind int64 `[m]`, temperature and wind speed float32 `[m]`; or the
        columns of a table float32 `[m, k]`.
      unused: number of observations left out: a value is missing, not finite or not one-hot, or the slot
        already has one.
    """

    known_from: np.ndarray
    values: Mapping[str, np.ndarray]
    unused: int


def read_meteorology(
    paths: Sequence[str], minutes: int, missing_temperature: Optional[float] = None
) -> Weather:
    """Reads meteorology files of the TaxiBJ form.

    Args:
      paths: of two observations of the same slot, the first in this order is kept.
      minutes: length of a slot.
      missing_temperature: the Temperature that marks an observation as missing, or None.

    Returns:
      The usable observations.

    Raises:
      DataError: a data set is missing or has the wrong shape or type, or a slot is invalid.
    """
    parts = [_read_meteorology_file(path, minutes) for path in paths]
    starts, kinds, temperature, wind, usable = map(np.concatenate, zip(*parts))
    if missing_temperature is not None:
        usable &= temperature != np.float32(missing_temperature)
    values = {
        features.WEATHER: kinds,
        features.TEMPERATURE: temperature,
        features.WIND_SPEED: wind,
    }
    return _in_order(starts + minutes, values, usable)


def read_table(
    paths: Sequence[str], columns: Sequence[str], time_column: str, minutes: Optional[int]
) -> Weather:
    """Reads weather tables. A row with a date is known from the end of that day.

    Args:
      paths: of two rows of the same slot, the first in this order is kept.
      columns: names of the k numeric columns to use.
      time_column: the column of dates, `YYYY-MM-DD`, or of local times, ISO 8601 without a zone.
      minutes: length of the slot that begins at a row's time; None is `TABLE_MINUTES`.

    Returns:
      The rows without an empty field in `columns`.

    Raises:
      DataError: a file cannot be read, lacks a column or has no row, a time is invalid, or another field is
        neither empty nor a number; names file, line and column. Or `minutes` is None and the rows with
        times are one day apart: a daily value would count as known after the first hour of its day.
    """
    parts = [_read_table_file(path, columns, time_column, minutes) for path in paths]
    known_from, values = map(np.concatenate, zip(*parts))
    usable = np.isfinite(values).all(axis=1)
    return _in_order(known_from, {features.WEATHER_VALUES: values}, usable)


def _in_order(known_from: np.ndarray, values: dict[str, np.ndarray], usable: np.ndarray) -> Weather:
    times, keep = np.unique(known_from[usable], return_index=True)
    index = np.flatnonzero(usable)[keep]
    kept = {name: column[index] for name, column in values.items()}
    return Weather(times, kept, len(known_from) - len(index))


def _read_meteorology_file(path: str, minutes: int) -> tuple[np.ndarray, ...]:
    """Starts, kinds, temperatures, wind speeds, and which observations are usable, each `[m]`."""
    with open_hdf5(path) as file:
        require_data_sets(file, path, DATA_SETS)
        count = count_slots(file, path)
        words = "one for each slot of date"
        require_shape(file["Temperature"], path, (count,), words)
        require_shape(file["WindSpeed"], path, (count,), words)
        kinds = features.WEATHER_KINDS
        require_shape(file["Weather"], path, (count, kinds), f"{words}, one-hot of {kinds} kinds")
        slots, one_hot = file["date"][:], file["Weather"][:]
        temperature = file["Temperature"][:].astype(np.float32)
        wind = file["WindSpeed"][:].astype(np.float32)
    starts = intervals.parse_slots(slots, minutes, f"{path}, data set date")
    intervals.require_whole_days(starts, minutes, f"{path}, data set date")
    usable = (np.isin(one_hot, (0, 1)).all(axis=1)) & (one_hot.sum(axis=1) == 1)
    usable &= np.isfinite(temperature) & np.isfinite(wind)
    return starts, one_hot.argmax(axis=1), temperature, wind, usable


def _read_table_file(
    path: str, columns: Sequence[str], time_column: str, minutes: Optional[int]
) -> tuple[np.ndarray, np.ndarray]:
    """When each row becomes known, wall-clock minutes int64 `[m]`, and its values, float32 `[m, k]`."""
    names = [time_column, *columns]
    table = _read_csv(path)
    found = list(table.columns)
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(
            f"{path}: expected the columns {', '.join(names)}; {', '.join(missing)} missing. "
            f"Found: {', '.join(found)}."
        )
    table = table[names].apply(lambda texts: texts.str.strip())
    table = table[(table != "").any(axis=1)]  # empty lines are not rows
    if table.empty:
        raise DataError(f"{path}: expected rows of weather, received none.")
    slot = TABLE_MINUTES if minutes is None else minutes
    known_from = [_known_from(text, slot, path, row) for row, text in table[time_column].items()]
    if minutes is None:
        timed = (table[time_column].str.len() != _DATE_LENGTH).to_numpy()
        _require_not_daily(np.array(known_from, np.int64)[timed] - slot, path, time_column)
    numbers = table[list(columns)].apply(pd.to_numeric, errors="coerce")
    wrong = np.argwhere((numbers.isna() & (table[list(columns)] != "")).to_numpy())
    if len(wrong):
        row, column = table.index[wrong[0][0]], columns[wrong[0][1]]
        raise DataError(
            f"{path}, line {row + 2}, column {column}: expected a number, or nothing, received "
            f"{table.at[row, column][:40]!r}."
        )
    return np.array(known_from, np.int64), numbers.to_numpy(np.float32)


def _require_not_daily(starts: np.ndarray, path: str, time_column: str) -> None:
    """Raises a DataError if the rows with times, wall-clock minutes int64 `[n]`, look like daily weather."""
    gaps = np.diff(np.unique(starts))
    day = intervals.MINUTES_PER_DAY
    if len(starts) > 1 and ((starts % day == 0).all() or (gaps >= day).all() and len(gaps)):
        raise DataError(
            f"{path}, column {time_column}: expected dates YYYY-MM-DD for daily weather, received "
            f"times at midnight or a day apart. Set ingest.weather_minutes: 1440, or write plain dates."
        )


def _known_from(text: str, minutes: int, path: str, row: int) -> int:
    try:
        time = dt.datetime.fromisoformat(text)
        if time.tzinfo:
            raise ValueError("a time zone")
    except ValueError as error:
        raise DataError(
            f"{path}, line {row + 2}: expected a date YYYY-MM-DD or a local time YYYY-MM-DD HH:MM "
            f"without a zone, received {text[:40]!r} ({error})."
        ) from None
    covered = intervals.MINUTES_PER_DAY if len(text) == _DATE_LENGTH else minutes
    return -((_EPOCH - time) // dt.timedelta(minutes=1)) + covered  # rounded up to whole minutes


def _read_csv(path: str) -> pd.DataFrame:
    """The fields of a CSV file as strings, in the columns of its header; row i is line i + 2."""
    try:
        table = pd.read_csv(
            files.local(path),
            header=None,  # so that lines with more fields than the header are rejected
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            encoding="utf-8-sig",
        ).fillna("")
    except (OSError, EOFError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"{path}: expected a CSV file, but it cannot be read ({error}).") from None
    names = table.iloc[0].str.strip().tolist()
    table = table.iloc[1:].set_axis(names, axis=1).reset_index(drop=True)
    return table.loc[:, ~table.columns.duplicated()]  # keeps the first of equal names
