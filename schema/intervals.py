"""Time in the pipeline: local wall-clock minutes, divided into intervals of equal length.

An interval is identified by its start in **wall-clock minutes**: the minutes from 1970-01-01 00:00 to its start,
both read off the local clock, without time zones or daylight saving. So every day has `per_day` slots, and
the period lag of 08:00 is 08:00 on the day before.
"""

import datetime as dt

import numpy as np

from crowdflow.schema.errors import DataError

MINUTES_PER_DAY = 24 * 60
DAYS_PER_WEEK = 7
_EPOCH = dt.date(1970, 1, 1)
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0


def per_day(minutes: int) -> int:
    """Number of intervals per day, T, for intervals of `minutes`."""
    return MINUTES_PER_DAY // minutes


def date_to_minutes(date: dt.date) -> int:
    """Wall-clock minutes of midnight at the start of a date."""
    return (date - _EPOCH).days * MINUTES_PER_DAY


def minutes_to_date(start: int) -> dt.date:
    """The local date of wall-clock minute `start`."""
    return _EPOCH + dt.timedelta(days=int(start) // MINUTES_PER_DAY)


def to_datetime64(starts: np.ndarray) -> np.ndarray:
    """Converts wall-clock minutes, int64 `[...]`, to naive local `datetime64[m]` `[...]`."""
    return np.asarray(starts, np.int64).astype("datetime64[m]")


def from_datetime64(times: np.ndarray) -> np.ndarray:
    """Converts naive local `datetime64` `[...]` to wall-clock minutes, int64 `[...]`; drops the seconds."""
    return np.asarray(times).astype("datetime64[m]").astype(np.int64)


def format_start(start: int) -> str:
    """Formats wall-clock minutes as local time, such as `2014-09-21 08:00`."""
    return str(to_datetime64(np.int64(start))).replace("T", " ")


def weekday(starts: np.ndarray) -> np.ndarray:
    """Day of the week of wall-clock minutes, from Monday 0 to Sunday 6; int64 array or tensor `[...]`."""
    return (starts // MINUTES_PER_DAY + _EPOCH_WEEKDAY) % DAYS_PER_WEEK


def first_slot(slots: np.ndarray) -> int:
    """0 if some slot of a file is the interval 00 of its day, so that all count from there; else 1."""
    texts = (s.decode("ascii", "replace") if isinstance(s, bytes) else str(s) for s in slots)
    return 0 if any(len(text) == 10 and text.endswith("00") for text in texts) else 1


def parse_slots(slots: np.ndarray, minutes: int, where: str, first: int = 1) -> np.ndarray:
    """Reads the `YYYYMMDDSS` slots of the BikeNYC and TaxiBJ files.

    Args:
      slots: bytes or str `[n]`; SS is the interval of the day, from `first` on.
      minutes: length of an interval, in minutes.
      where: file (and data set), for the error message.
      first: the first interval of the day, 1 or 0; see `first_slot`.

    Returns:
      Wall-clock minutes, int64 `[n]`.

    Raises:
      DataError: a slot is not a date, or SS is not one of the T from `first` on; the message has the row, from 0.
    """
    per = per_day(minutes)
    last = per - 1 + first
    texts = [s.decode("ascii", "replace") if isinstance(s, bytes) else str(s) for s in slots]
    starts = np.empty(len(texts), np.int64)
    for row, text in enumerate(texts):
        try:
            if len(text) != 10 or not text.isdigit():
                raise ValueError("not ten digits")
            slot = int(text[8:])
            if not first <= slot <= last:
                raise ValueError(f"slot {slot:02d} is outside {first:02d}..{last:02d}")
            date = dt.date(int(text[:4]), int(text[4:6]), int(text[6:8]))
        except ValueError as error:
            raise DataError(
                f"{where}, row {row}: expected a slot YYYYMMDDSS with SS in {first:02d}..{last:02d} "
                f"({minutes}-minute intervals), received {text!r} ({error})."
            ) from None
        starts[row] = date_to_minutes(date) + (slot - first) * minutes
    return starts


def require_whole_days(starts: np.ndarray, minutes: int, where: str) -> None:
    """Detects slots of longer intervals: hourly slots are valid half-hourly ones, but all in the morning.

    Args:
      starts: wall-clock minutes of all slots in a file, int64 `[n]`.
      minutes: length of an interval, in minutes.
      where: file (and data set), for the error message.

    Raises:
      DataError: there are three days or more, none with a slot in its second half.
    """
    days, per = np.unique(starts // MINUTES_PER_DAY), per_day(minutes)
    last = int((starts % MINUTES_PER_DAY).max(initial=0)) // minutes + 1
    if len(days) >= 3 and 2 * last <= per:
        raise DataError(
            f"{where}: expected slots 01..{per:02d} ({minutes}-minute intervals), received none above "
            f"{last:02d} in {len(days)} days. Are the intervals longer? Set intervals.minutes (or "
            "ingest.weather_minutes for a meteorology file)."
        )
