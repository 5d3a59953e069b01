"""The times of trips: of one column or two, and ends from durations."""

from typing import Optional

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crowdflow.config import Config
from crowdflow.ingest.times import clock
from crowdflow.ingest.times.spellings import MICROS_PER_MINUTE, MICROS_PER_SECOND
from crowdflow.ingest.trips.trip_layouts import (
    DURATION,
    END_DATE,
    END_TIME,
    START_DATE,
    START_TIME,
)
from crowdflow.ingest.trips.trip_lines import TripRows

_MIDNIGHT = r"[T ]0?0:00(:00)?(\.0+)?$"  # what some programs write behind a date
_CLOCK = r"^(?P<days>\d{1,3} days? )?(?P<hours>\d{1,4}:)?(?P<minutes>\d{1,4}):(?P<seconds>\d{2})(?:\.\d+)?$"
_MICROS = {"s": MICROS_PER_SECOND, "min": MICROS_PER_MINUTE, "ms": 1000}
_PER_DURATION = {"s": MICROS_PER_SECOND, "ms": 1000, "us": 1, "ns": 1e-3}


def read_times(rows: TripRows, time: str, date: str, config: Config) -> Optional[clock.Times]:
    """The times of the starts, ends or points; None if the rows have none.

    Args:
      rows: of trips or points.
      time: the role of their column.
      date: the role of the column of dates, which may be absent.
      config: for intervals.

    Raises:
      ConfigError: the times have offsets, and no zone is set.
      DataError: the order of day and month cannot be settled.
    """
    columns = dict(zip(rows.layout.roles, rows.columns))
    if time not in columns:
        return None
    column = columns[time]
    if date in columns:
        column = _joined(columns[date], column)
    return clock.read_times(column, config.intervals.timezone, rows.date_order)


def read_both(
    rows: TripRows, config: Config
) -> tuple[Optional[clock.Times], Optional[clock.Times]]:
    """The times of starts and ends; an end is the start and the duration where there is no time of the end.

    Raises:
      ConfigError: as `read_times`.
      DataError: as `read_times`.
    """
    start = read_times(rows, START_TIME, START_DATE, config)
    end = read_times(rows, END_TIME, END_DATE, config)
    if end is None and DURATION in rows.layout.roles:
        column = rows.columns[rows.layout.roles.index(DURATION)]
        lasts, bad = read_durations(column, config.trips.duration_unit)
        bad |= start.bad
        lasts = np.where(bad, 0, lasts)
        end = clock.Times(
            np.where(bad, 0, start.local + lasts), np.where(bad, 0, start.elapsed + lasts), bad
        )
    return start, end


def read_durations(column: pa.Array, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads durations.

    Args:
      column: numbers, typed durations, or strings: numbers, or hours, minutes and seconds such as 1:02:03.
      unit: of the numbers, `s`, `min` or `ms`.

    Returns:
      Microseconds, int64 `[n]`, 0 where bad; and which are no duration, or over a hundred years, bool `[n]`.
    """
    if pa.types.is_duration(column.type):
        scale = _PER_DURATION[column.type.unit]
        values = column.cast(pa.int64()).cast(pa.float64()).to_numpy(zero_copy_only=False) * scale
    elif pa.types.is_binary(column.type) or pa.types.is_string(column.type):
        values = _of_texts(clock.decode(column), _MICROS[unit])
    else:
        values = column.cast(pa.float64()).to_numpy(zero_copy_only=False) * _MICROS[unit]
    bad = ~(np.abs(values) < 100 * 366 * 1440 * MICROS_PER_MINUTE)
    return np.rint(np.where(bad, 0, values)).astype(np.int64), bad


def _of_texts(texts: pa.Array, scale: int) -> np.ndarray:
    """Microseconds, float64 `[n]`; NaN where a text is no duration."""
    texts = pc.utf8_trim_whitespace(texts.fill_null(""))
    texts = pc.if_else(
        pc.match_substring_regex(texts, r"^-?\d{1,3}(,\d{3})+(\.\d+)?$"),
        pc.replace_substring(texts, ",", ""),
        pc.replace_substring(texts, ",", "."),
    )
    numbers = pc.match_substring_regex(texts, r"^-?\d+(\.\d*)?([eE][+-]?\d+)?$")
    values = pc.if_else(numbers, texts, pa.scalar("nan")).cast(pa.float64())
    values = values.to_numpy(zero_copy_only=False) * scale
    clocks = pc.extract_regex(texts, _CLOCK)
    found = clocks.is_valid().to_numpy(zero_copy_only=False)
    if found.any():
        parts = dict(
            zip([clocks.type[i].name for i in range(4)], clocks.filter(pa.array(found)).flatten())
        )
        days, hours, minutes, seconds = (
            _whole(parts[name]) for name in ("days", "hours", "minutes", "seconds")
        )
        total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        values = values.copy()
        values[found] = total * MICROS_PER_SECOND
    return values


def _whole(texts: pa.Array) -> np.ndarray:
    digits = pc.replace_substring_regex(texts, r"\D", "")
    return (
        pc.if_else(pc.equal(digits, ""), "0", digits)
        .cast(pa.int64())
        .to_numpy(zero_copy_only=False)
    )


def _joined(dates: pa.Array, times: pa.Array) -> pa.Array:
    """Dates and clock times as one text each; null where one is."""
    if pa.types.is_timestamp(dates.type) or pa.types.is_date(dates.type):
        dates = pc.strftime(dates.cast(pa.timestamp("s"), safe=False), "%Y-%m-%d")
    dates, times = (clock.decode(column) for column in (dates, times))
    dates = pc.replace_substring_regex(pc.utf8_trim_whitespace(dates), _MIDNIGHT, "")
    return pc.binary_join_element_wise(dates, pc.utf8_trim_whitespace(times), " ")
