"""Side files, meteorology (HDF5) and holidays (text), and the covariates they give a frame."""

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Optional

import numpy as np

from components import intervals
from components.errors import DataError
from components.flow_example_gen.hdf5_reader import (
    count_slots,
    open_hdf5,
    require_data_sets,
    require_shape,
)
from trainer import features

WEATHER_DATA_SETS = ("date", "Temperature", "WindSpeed", "Weather")


@dataclasses.dataclass(frozen=True)
class Weather:
    """Observations in order of time, no two of one slot.

    Attributes:
      starts: wall-clock minutes of each observation's slot, int64 `[m]`.
      values: by covariate name: kind int64 `[m]`, temperature and wind speed float32 `[m]`.
      minutes: length of a slot; an observation is known once its slot has ended.
      unused: observations left out: not finite, not one-hot, or of a slot that had one.
    """

    starts: np.ndarray
    values: Mapping[str, np.ndarray]
    minutes: int
    unused: int


def read_holidays(paths: Sequence[str]) -> np.ndarray:
    """Reads holidays files, one `YYYYMMDD` a line; empty lines are skipped.

    Returns:
      Wall-clock minutes of the holidays' midnights, sorted int64 `[k]`.

    Raises:
      DataError: a line is no date, or a file has none; names file and line.
    """
    found = set()
    for path in paths:
        days = set()
        try:
            with open(path, encoding="utf-8-sig") as file:
                lines = file.read().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{path}: expected a text of dates, but it cannot be read ({error})."
            ) from None
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if text:
                days.add(_date_minutes(text, f"{path}, line {number}"))
        if not days:
            raise DataError(f"{path}: expected holidays, one YYYYMMDD a line, received none.")
        found |= days
    return np.array(sorted(found), np.int64)


def read_weather(paths: Sequence[str], minutes: int) -> Weather:
    """Reads meteorology files of the TaxiBJ form.

    Args:
      paths: in the order by which the first of two observations of one slot is kept.
      minutes: length of a slot.

    Returns:
      The usable observations.

    Raises:
      DataError: a data set is missing, or of another shape or type, or a slot is wrong.
    """
    parts = [_read_weather_file(path, minutes) for path in paths]
    starts, kinds, temperature, wind, usable = map(np.concatenate, zip(*parts))
    _, keep = np.unique(starts[usable], return_index=True)
    index = np.flatnonzero(usable)[keep]
    values = {
        features.WEATHER: kinds[index],
        features.TEMPERATURE: temperature[index],
        features.WIND_SPEED: wind[index],
    }
    return Weather(starts[index], values, minutes, len(starts) - len(index))


def covariates(
    starts: np.ndarray,
    holidays: Optional[np.ndarray],
    weather: Optional[Weather],
    max_age_hours: float,
) -> dict[str, np.ndarray]:
    """What is known before each interval starts, by the names of `trainer.features.covariates`.

    Args:
      starts: wall-clock minutes of the intervals, int64 `[n]`.
      holidays: wall-clock minutes of the holidays' midnights, or None for no such covariate.
      weather: the observations, or None for no such covariates.
      max_age_hours: the greatest age of an observation, from its slot's start to the interval's.

    Returns:
      int64 or float32 `[n]` by name. Where no observation is recent enough, the weather is zeros.
    """
    found = {}
    if holidays is not None:
        midnights = starts - starts % intervals.MINUTES_PER_DAY
        found[features.HOLIDAY] = np.isin(midnights, holidays).astype(np.int64)
    if weather is not None:
        ended = np.searchsorted(weather.starts + weather.minutes, starts, side="right") - 1
        last = np.maximum(ended, 0)
        known = ended >= 0
        if len(weather.starts):
            known &= starts - weather.starts[last] <= max_age_hours * 60
        for name, values in weather.values.items():
            column = np.zeros(len(starts), values.dtype)
            column[known] = values[last[known]]
            found[name] = column
        found[features.WEATHER_KNOWN] = known.astype(np.int64)
    return found


def _read_weather_file(path: str, minutes: int) -> tuple[np.ndarray, ...]:
    """Starts, kinds, temperature, wind speed and whether each is usable, `[m]` each."""
    with open_hdf5(path) as file:
        require_data_sets(file, path, WEATHER_DATA_SETS)
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
    usable = (np.isin(one_hot, (0, 1)).all(axis=1)) & (one_hot.sum(axis=1) == 1)
    usable &= np.isfinite(temperature) & np.isfinite(wind)
    return starts, one_hot.argmax(axis=1), temperature, wind, usable


def _date_minutes(text: str, where: str) -> int:
    try:
        if len(text) != 8 or not text.isdigit():
            raise ValueError("not eight digits")
        date = dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError as error:
        raise DataError(
            f"{where}: expected a date YYYYMMDD, received {text[:40]!r} ({error})."
        ) from None
    return intervals.date_to_minutes(date)
