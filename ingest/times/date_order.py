"""The order of day and month in dates such as 03/02/2024, settled for a whole file from all of its dates."""

import datetime as dt
import logging
from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from crowdflow.ingest.times.spellings import DAY_FIRST, MONTH_FIRST
from crowdflow.schema.errors import DataError

_DATE = r"^(?P<first>\d{1,2})[/-](?P<other>\d{1,2})[/-](?P<year>\d{4}|\d{2})(?:\D|$)"
_DATE_LENGTH = 11  # the characters that show a date and what ends it
_HALF = r"\d ?[AaPp]\.?[Mm]"
_TYPO_SHARE = 0.01  # of the distinct dates: fewer that read only the other way are taken for errors
_LOG = logging.getLogger("crowdflow.ingest")


class Dates(NamedTuple):
    """Distinct dates in numbers.

    Attributes:
      triples: first number, other number and year, as written.
      american: whether some are spelled as in America: on a 12-hour clock, or with a number of one digit.
    """

    triples: frozenset[tuple[int, int, int]] = frozenset()
    american: bool = False


def find_dates(columns: Iterable[pa.Array]) -> Dates:
    """The dates in numbers in columns of strings; other texts are passed over."""
    triples: set[tuple[int, int, int]] = set()
    american = False
    for column in columns:
        heads = pc.unique(pc.utf8_slice_codeunits(pc.utf8_trim_whitespace(column), 0, _DATE_LENGTH))
        fields = pc.extract_regex(heads, _DATE).drop_null().flatten()
        if len(fields) and len(fields[0]):
            triples |= {*zip(*(pc.cast(field, pa.int64()).to_pylist() for field in fields))}
            short = (pc.any(pc.equal(pc.utf8_length(field), 1)).as_py() for field in fields[:2])
            american |= any(short) or pc.any(pc.match_substring_regex(column, _HALF)).as_py()
    return Dates(frozenset(triples), american)


def merge_dates(parts: Iterable[Dates]) -> Dates:
    """Merges the dates of parts."""
    parts = list(parts)
    return Dates(
        frozenset().union(*(part.triples for part in parts)), any(part.american for part in parts)
    )


def settle(dates: Dates, where: str) -> str:
    """Settles the order for all dates of a file.

    A number over 12 is a day, so one date can settle it. Where every date reads both ways, the order is settled
    only if it is spelled as in America and the days lie no further apart with the month first; this is logged.

    Args:
      dates: of the whole file.
      where: the file, for messages.

    Returns:
      `MONTH_FIRST` or `DAY_FIRST`.

    Raises:
      DataError: every date reads both ways, or some read only one way and some only the other.
    """
    day_first = [one for one in dates.triples if 31 >= one[0] > 12 >= one[1]]
    month_first = [one for one in dates.triples if 31 >= one[1] > 12 >= one[0]]
    if day_first or month_first:
        fewer, more = sorted((day_first, month_first), key=len)
        if len(fewer) > _TYPO_SHARE * len(more):
            raise DataError(
                f"{where}: expected dates in one order. Received {_text(day_first[0])}, which only reads with the "
                f"day first, and {_text(month_first[0])}, which only reads with the month first. Set "
                f"trips.date_order to {DAY_FIRST} or {MONTH_FIRST}; dates of the other order are then rejects."
            )
        return DAY_FIRST if more is day_first else MONTH_FIRST
    both = sorted(one for one in dates.triples if one[0] != one[1] and max(one[:2]) <= 12)
    if not both:
        return MONTH_FIRST
    months, days = _span(both, MONTH_FIRST), _span(both, DAY_FIRST)
    if dates.american and months <= days:
        _LOG.info(
            "%s: every date reads both ways, and is read with the month first, as it is spelled: %s is %s. "
            "Otherwise set trips.date_order=%s", where, _text(both[0]), _day(both[0], MONTH_FIRST), DAY_FIRST,
        )  # fmt: skip
        return MONTH_FIRST
    raise DataError(
        f"{where}: every date reads both ways: {_text(both[0])} is {_day(both[0], DAY_FIRST)} or "
        f"{_day(both[0], MONTH_FIRST)}. With the day first the dates span {days} days, with the month first "
        f"{months}. Set trips.date_order to {DAY_FIRST} or {MONTH_FIRST}."
    )


def _span(triples: list[tuple[int, int, int]], order: str) -> int:
    days = [_day(one, order).toordinal() for one in triples]
    return max(days) - min(days) + 1


def _day(triple: tuple[int, int, int], order: str) -> dt.date:
    first, other, year = triple
    month, day = (first, other) if order == MONTH_FIRST else (other, first)
    century = 0 if year >= 100 else 2000 if year < 70 else 1900
    return dt.date(century + year, max(month, 1), max(day, 1))


def _text(triple: tuple[int, int, int]) -> str:
    first, other, year = triple
    return f"{first:02d}/{other:02d}/{year:02d}"
