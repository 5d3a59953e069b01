"""Holidays files, and the covariates of frames from holidays and weather."""

import datetime as dt
from collections.abc import Sequence
from typing import Optional

import numpy as np

from crowdflow.ingest.covariates.weather_files import Weather
from crowdflow.schema import features, intervals
from crowdflow.schema.errors import DataError
from crowdflow.storage import files

# Settings under which no side file of weather or holidays is needed.
NO_COVARIATES = {"ingest.weather": False, "ingest.weather_columns": [], "ingest.holidays": False}


def read_holidays(paths: Sequence[str]) -> np.ndarray:
    """Reads holidays files, one `YYYYMMDD` per line; empty lines are skipped.

    Returns:
      Wall-clock minutes of the holidays' midnights, sorted int64 `[k]`.

    Raises:
      DataError: a line is not a date, or a file has no date; names file and line.
    """
    found = set()
    for path in paths:
        days = set()
        try:
            with open(files.local(path), encoding="utf-8-sig") as file:
                lines = file.read().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{path}: expected a text file of dates, but it cannot be read ({error})."
            ) from None
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if text:
                days.add(_date_minutes(text, f"{path}, line {number}"))
        if not days:
            raise DataError(f"{path}: expected holidays, one YYYYMMDD per line, received none.")
        found |= days
    return np.array(sorted(found), np.int64)


def covariates(
    starts: np.ndarray,
    holidays: Optional[np.ndarray],
    weather: Optional[Weather],
    max_age_hours: float,
) -> dict[str, np.ndarray]:
    """The values known before each interval starts, by the names of `schema.features.covariates`.

    Args:
      starts: wall-clock minutes of the intervals, int64 `[n]`.
      holidays: wall-clock minutes of the holidays' midnights, or None for no holiday covariate.
      weather: the observations, or None for no weather covariates.
      max_age_hours: the greatest age of an observation: from the end of its slot to the start of the interval.

    Returns:
      int64 or float32 `[n, ...]` by name. Without a recent enough observation, the weather is all zeros.
    """
    found = {}
    if holidays is not None:
        midnights = starts - starts % intervals.MINUTES_PER_DAY
        found[features.HOLIDAY] = np.isin(midnights, holidays).astype(np.int64)
    if weather is not None:
        last = np.searchsorted(weather.known_from, starts, side="right") - 1
        known = last >= 0
        if len(weather.known_from):
            known &= starts - weather.known_from[np.maximum(last, 0)] <= max_age_hours * 60
        for name, values in weather.values.items():
            column = np.zeros((len(starts), *values.shape[1:]), values.dtype)
            column[known] = values[last[known]]
            found[name] = column
        found[features.WEATHER_KNOWN] = known.astype(np.int64)
    return found


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
