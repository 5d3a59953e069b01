"""Time as the pipeline keeps it: local wall-clock minutes, on a raster of intervals.

An interval is keyed by its start in **wall-clock minutes**: minutes between 1970-01-01 00:00 and the
interval's start, both read off the local clock (no zone, no daylight saving arithmetic). So a day
always has `per_day` slots, and the period lag of 08:00 is 08:00 the day before.
"""

import datetime as dt

import numpy as np

from crowdflow.schema.errors import DataError

MINUTES_PER_DAY = 24 * 60
DAYS_PER_WEEK = 7
_EPOCH = dt.date(1970, 1, 1)
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0


def per_day(minutes: int) -> int:
    """Intervals a day, T, for an interval of `minutes`."""
    return MINUTES_PER_DAY // minutes


def date_to_minutes(date: dt.date) -> int:
    """Wall-clock minutes of a date's midnight."""
    return (date - _EPOCH).days * MINUTES_PER_DAY


def minutes_to_date(start: int) -> dt.date:
    """The local date that holds wall-clock minute `start`."""
    return _EPOCH + dt.timedelta(days=int(start) // MINUTES_PER_DAY)


def to_datetime64(starts: np.ndarray) -> np.ndarray:
    """Wall-clock minutes, int64 `[...]`, as naive local `datetime64[m]` `[...]`."""
    return np.asarray(starts, np.int64).astype("datetime64[m]")


def from_datetime64(times: np.ndarray) -> np.ndarray:
    """Naive local `datetime64` `[...]` as wall-clock minutes, int64 `[...]` (seconds are cut off)."""
    return np.asarray(times).astype("datetime64[m]").astype(np.int64)


def format_start(start: int) -> str:
    """Wall-clock minutes as readable local time, such as `2014-09-21 08:00`."""
    return str(to_datetime64(np.int64(start))).replace("T", " ")


def weekday(starts: np.ndarray) -> np.ndarray:
    """Day of the week, Monday 0 to Sunday 6, of wall-clock minutes; int64 array or tensor `[...]`."""
    return (starts // MINUTES_PER_DAY + _EPOCH_WEEKDAY) % DAYS_PER_WEEK


def parse_slots(slots: np.ndarray, minutes: int, where: str) -> np.ndarray:
    """Reads the `YYYYMMDDSS` slots of the BikeNYC and TaxiBJ files.

    Args:
      slots: bytes or str `[n]`; SS counts the day's intervals from 01.
      minutes: length of an interval.
      where: file (and data set) for the message.

    Returns:
      Wall-clock minutes, int64 `[n]`.

    Raises:
      DataError: a slot is not a date, or SS is not within 01..T; names the row, counted from 0.
    """
    per = per_day(minutes)
    texts = [s.decode("ascii", "replace") if isinstance(s, bytes) else str(s) for s in slots]
    starts = np.empty(len(texts), np.int64)
    for row, text in enumerate(texts):
        try:
            if len(text) != 10 or not text.isdigit():
                raise ValueError("not ten digits")
            slot = int(text[8:])
            if not 1 <= slot <= per:
                raise ValueError(f"slot {slot:02d} is outside 01..{per:02d}")
            date = dt.date(int(text[:4]), int(text[4:6]), int(text[6:8]))
        except ValueError as error:
            raise DataError(
                f"{where}, row {row}: expected a slot YYYYMMDDSS with SS in 01..{per:02d} "
                f"({minutes}-minute intervals), received {text!r} ({error})."
            ) from None
        starts[row] = date_to_minutes(date) + (slot - 1) * minutes
    return starts


def require_whole_days(starts: np.ndarray, minutes: int, where: str) -> None:
    """Notices slots of longer intervals: hourly ones are valid half-hourly ones, all of them in the morning.

    Args:
      starts: wall-clock minutes of a whole file's slots, int64 `[n]`.
      minutes: length of an interval.
      where: file (and data set) for the message.

    Raises:
      DataError: three days or more, and no slot in the second half of any of them.
    """
    days, per = np.unique(starts // MINUTES_PER_DAY), per_day(minutes)
    last = int((starts % MINUTES_PER_DAY).max(initial=0)) // minutes + 1
    if len(days) >= 3 and 2 * last <= per:
        raise DataError(
            f"{where}: expected slots 01..{per:02d} ({minutes}-minute intervals), received none above "
            f"{last:02d} in {len(days)} days. Are the intervals longer? Set intervals.minutes (or "
            "ingest.weather_minutes for a meteorology file)."
        )
