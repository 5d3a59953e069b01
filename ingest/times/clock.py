"""Times of raw trips: strings and timestamps as local wall-clock time, and the effects of daylight saving."""

import datetime as dt
from collections.abc import Callable
from typing import NamedTuple, Optional
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from crowdflow.ingest.times import spellings
from crowdflow.ingest.times.spellings import MICROS_PER_MINUTE, MONTH_FIRST
from crowdflow.ingest.times.zones import require_zone_of_offsets
from crowdflow.schema import intervals

_LATEST = np.datetime64("2149-12-31", "us").astype(np.int64)  # the data contract's last minute


class Times(NamedTuple):
    """A column of times.

    Attributes:
      local: microseconds of the local wall clock since 1970-01-01 00:00, int64 `[n]`; 0 where bad.
      elapsed: microseconds for measuring durations, int64 `[n]`: UTC for times with a zone, else `local`.
      bad: missing, unreadable, or not within 1970..2149, bool `[n]`.
    """

    local: np.ndarray
    elapsed: np.ndarray
    bad: np.ndarray


def read_times(
    column: pa.Array, zone: Optional[str], order: Callable[[], str] = lambda: MONTH_FIRST
) -> Times:
    """Reads a column of times.

    Args:
      column: `n` timestamps, dates, numbers or strings, see `spellings.SPELLINGS`. A time with an offset, a number
        that counts from 1970, or a timestamp with a zone is converted to `zone`; others are local already.
      zone: IANA name; None refuses those that would be converted.
      order: gives the order of day and month in dates in numbers, see `date_order`; called only if there are any.

    Raises:
      ConfigError: a time is to be converted, and there is no zone.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    if pa.types.is_timestamp(column.type):
        aware = column.type.tz is not None
        micros, absent = _micros(pc.cast(column, pa.timestamp("us", column.type.tz), safe=False))
        return _finish(micros, np.full(len(micros), aware), absent, zone)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        absent = column.is_null().to_numpy(zero_copy_only=False)
        micros, aware = spellings.numbers_to_micros(
            column.fill_null(0).to_numpy(zero_copy_only=False)
        )
        return _finish(micros, aware & ~absent, absent | (micros == spellings.UNREAD), zone)
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        column = decode(column)
    for tz in (None, "UTC"):
        try:
            micros, absent = _micros(pc.cast(column, pa.timestamp("us", tz)))
            return _finish(micros, np.full(len(micros), tz is not None), absent, zone)
        except pa.ArrowInvalid:
            continue
    return _read_texts(column, zone, order)


def _read_texts(column: pa.Array, zone: Optional[str], order: Callable[[], str]) -> Times:
    """The slower way for strings: reads each distinct one once."""
    codes = pc.utf8_trim_whitespace(pc.cast(column, pa.string())).dictionary_encode()
    found = spellings.read_texts(codes.dictionary, order)
    which = codes.indices.fill_null(len(codes.dictionary)).to_numpy(zero_copy_only=False)
    micros = np.append(found.micros, spellings.UNREAD)[which]  # a null selects the last
    return _finish(micros, np.append(found.aware, False)[which], micros == spellings.UNREAD, zone)


def _finish(micros: np.ndarray, aware: np.ndarray, bad: np.ndarray, zone: Optional[str]) -> Times:
    bad = bad | (micros < 0) | (micros > _LATEST)
    micros = np.where(bad, 0, micros)
    local = micros
    if (aware & ~bad).any():
        utc = pd.DatetimeIndex(micros[aware].astype("datetime64[us]")).tz_localize("UTC")
        there = utc.tz_convert(require_zone_of_offsets(zone)).tz_localize(None)
        local = micros.copy()
        local[aware] = there.to_numpy().astype("datetime64[us]").astype(np.int64)
    return Times(local, micros, bad)


def _micros(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    if not column.null_count:
        return column.cast(pa.int64()).to_numpy(), np.zeros(len(column), bool)
    absent = column.is_null().to_numpy(zero_copy_only=False)
    return column.cast(pa.int64()).fill_null(0).to_numpy(), absent


def decode(column: pa.Array) -> pa.Array:
    """Decodes bytes as strings; strings stay; invalid UTF-8 becomes replacement characters."""
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowInvalid:
        pass
    values = [None if v is None else v.decode("utf-8", "replace") for v in column.to_pylist()]
    return pa.array(values, pa.string())


def repeated_micros(local: np.ndarray, zone_name: str) -> np.ndarray:
    """How far the clock is set back for times that occur twice, usually an hour; 0 for all others.

    Args:
      local: microseconds of the wall clock, int64 `[n]`.
      zone_name: IANA name.

    Returns:
      Microseconds, int64 `[n]`.
    """
    minutes, index = np.unique(local // MICROS_PER_MINUTE, return_inverse=True)
    zone = ZoneInfo(zone_name)
    lengths = [max(dt.timedelta(0), _set_back(minute, zone)) for minute in minutes.tolist()]
    return np.array([length // dt.timedelta(microseconds=1) for length in lengths], np.int64)[index]


def changed_intervals(starts: np.ndarray, zone_name: str) -> tuple[np.ndarray, np.ndarray]:
    """The intervals that occur twice because of daylight saving, and those that it skips.

    Args:
      starts: wall-clock minutes of the intervals' starts, int64 `[n]`.
      zone_name: IANA name.

    Returns:
      The starts of each kind, int64 `[k]`.
    """
    zone, found = ZoneInfo(zone_name), ([], [])
    days, where = np.unique(starts // intervals.MINUTES_PER_DAY, return_inverse=True)
    for index, day in enumerate(days.tolist()):
        midnight = day * intervals.MINUTES_PER_DAY
        ends = [_offset(m, zone) for m in (midnight, midnight + intervals.MINUTES_PER_DAY)]
        if ends[0] != ends[1]:
            for start in starts[where == index].tolist():
                back = _set_back(start, zone)
                if back:
                    found[back < dt.timedelta(0)].append(start)
    return tuple(np.array(kind, np.int64) for kind in found)


def _set_back(minute: int, zone: ZoneInfo) -> dt.timedelta:
    """How far the clock is set back at a minute: positive if it occurs twice, negative if it is skipped."""
    first, second = (_offset(minute, zone, fold) for fold in (0, 1))
    return first - second


def _offset(minute: int, zone: ZoneInfo, fold: int = 0) -> dt.timedelta:
    time = dt.datetime(1970, 1, 1) + dt.timedelta(minutes=minute)
    return time.replace(tzinfo=zone, fold=fold).utcoffset()
