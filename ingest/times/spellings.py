"""The spellings of a time: how each is recognised and read, column by column.

A spelling is a row of `SPELLINGS`, with examples. Fields are found by regular expressions over a whole column, and
the date is computed with integers, so that nothing here runs once per row.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MICROS_PER_SECOND = 1_000_000
MICROS_PER_MINUTE = 60 * MICROS_PER_SECOND
_MICROS_PER_DAY = 24 * 60 * MICROS_PER_MINUTE
UNREAD = np.iinfo(np.int64).min
MONTH_FIRST, DAY_FIRST = "month_first", "day_first"

_YEAR = r"(?P<year>\d{4}|\d{2})"
_SECOND = r"(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?"
_HALF = r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
_CLOCK = rf"(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?::{_SECOND})?{_HALF}"
_OFFSET = r" ?(?P<offset>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)"
_AFTER = rf"(?:(?:T|,? +){_CLOCK}(?:{_OFFSET})?)?"
_WEEKDAY = r"(?:(?:[Mm]on|[Tt]ue|[Ww]ed|[Tt]hu|[Ff]ri|[Ss]at|[Ss]un)[a-z]*,? +)?"
_WORD, _TH = r"(?P<word>[A-Za-z]{3,9})", r"(?:st|nd|rd|th)?"
# Only what is a date: twelve digits may be milliseconds since 1970, too.
_COMPACT = r"(?P<year>(?:19|20)\d{2})(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])"
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip


class Spelling(NamedTuple):
    """A way to write a time.

    Attributes:
      name: of the spelling.
      pattern: with named groups `year`, `month` or `word`, `day`, or `first` and `other` where the order of day
        and month is not written; `hour`, `minute`, `second`, `fraction`, `half` (of the day), `offset`; or
        `number`, a count since 1970 or Excel's day.
      examples: of 2024-05-06 13:15 or so.
    """

    name: str
    pattern: str
    examples: tuple[str, ...]


SPELLINGS = (
    Spelling(
        "ISO 8601, year first",
        rf"(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}}){_AFTER}",
        ("2024-05-06 13:15:30.25", "2024-05-06T13:15:30Z", "2024-05-06 13:15+00", "2024/5/6 1:15 PM"),
    ),
    Spelling(
        "day and month in numbers",
        rf"(?P<first>\d{{1,2}})[/-](?P<other>\d{{1,2}})[/-]{_YEAR}{_AFTER}",
        ("05/06/2024 13:15:30", "5/6/2024 13:15", "5/6/24 13:15", "05/06/2024 01:15:30 PM", "05-06-2024 13:15"),
    ),
    Spelling(
        "day.month.year",
        rf"(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.{_YEAR}{_AFTER}",
        ("06.05.2024 13:15", "6.5.24 13:15:30"),
    ),
    Spelling(
        "month in words, after the day",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}}){_TH}[ -]?{_WORD}\.?,?[ -]?{_YEAR}{_AFTER}",
        ("6 May 2024 13:15", "06-May-24 1:15 PM", "Mon, 06 May 2024 13:15:30 GMT"),
    ),
    Spelling(
        "month in words, before the day",
        rf"{_WEEKDAY}{_WORD}\.? +(?P<day>\d{{1,2}}){_TH},? +{_YEAR}{_AFTER}",
        ("May 6, 2024 1:15 PM", "May 6 2024 13:15:30", "Monday, May 6, 2024, 13:15"),
    ),
    Spelling(
        "year after the clock",
        rf"{_WEEKDAY}{_WORD}\.? +(?P<day>\d{{1,2}}) +{_CLOCK}(?:{_OFFSET})? +(?P<year>\d{{4}})",
        ("Mon May  6 13:15:30 2024", "Mon May 06 13:15:30 +0000 2024"),
    ),
    Spelling(
        "digits alone",
        rf"{_COMPACT}(?:[T ]?(?P<hour>[01]\d|2[0-3]):?(?P<minute>[0-5]\d)(?::?{_SECOND})?(?:{_OFFSET})?)?",
        ("20240506131530", "20240506T1315", "20240506T131530Z", "20240506"),
    ),
    Spelling(
        "seconds, milliseconds, microseconds or nanoseconds since 1970 (UTC), or Excel's day",
        r"(?P<number>\d+(?:\.\d*)?(?:[eE]\+?\d{1,2})?)",
        ("1714995330", "1714995330.25", "1714995330250", "1714995330250000", "45418.552083"),
    ),
)  # fmt: skip


class Read(NamedTuple):
    """What texts say.

    Attributes:
      micros: microseconds since 1970-01-01 00:00, of UTC if `aware`, else of the clock that wrote them, int64
        `[n]`; `UNREAD` where a text is no time.
      aware: whether the text says how far its clock is from UTC, bool `[n]`.
    """

    micros: np.ndarray
    aware: np.ndarray


def read_texts(texts: pa.Array, order: Callable[[], str]) -> Read:
    """Reads times.

    Args:
      texts: strings without white space at their ends, no nulls, `[n]`; best distinct ones.
      order: gives `MONTH_FIRST` or `DAY_FIRST`; called where a date does not say it.
    """
    micros, aware = np.full(len(texts), UNREAD), np.zeros(len(texts), bool)
    left = np.arange(len(texts))
    for spelling in _likely_first(texts):
        if not len(left):
            break
        matched, fields = _match(
            spelling.pattern, texts if len(left) == len(texts) else texts.take(pa.array(left))
        )
        rows = left[matched]
        if "number" in fields:
            micros[rows], aware[rows] = _of_numbers(fields["number"])
        elif len(rows):
            micros[rows], aware[rows] = _of_fields(fields, order)
        left = left[~matched]
    return Read(micros, aware)


def numbers_to_micros(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reads counts since 1970 and Excel's days, by their size.

    Args:
      numbers: float64 or int64 `[n]`.

    Returns:
      Microseconds, int64 `[n]`, `UNREAD` where a number is none of them; and whether they are UTC, bool `[n]`:
      Excel's days are local.
    """
    micros, aware = np.full(len(numbers), UNREAD), np.ones(len(numbers), bool)
    whole = np.issubdtype(numbers.dtype, np.integer)
    for low, high, scale in (
        (1e8, 1e11, MICROS_PER_SECOND),
        (1e11, 1e14, 1000),
        (1e14, 1e17, 1),
        (1e17, 9e18, 1e-3),
    ):
        chosen = (numbers >= low) & (numbers < high)
        found = numbers[chosen]
        if whole:
            micros[chosen] = found * scale if scale >= 1 else found // 1000
        else:
            micros[chosen] = np.rint(found * scale).astype(np.int64)
    excel = (numbers >= 25_569) & (numbers < 100_000)
    seconds = np.rint((numbers[excel] - 25_569) * 86_400)  # Excel's days are exact to the second
    micros[excel] = seconds.astype(np.int64) * MICROS_PER_SECOND
    aware[excel] = False
    return micros, aware


def _likely_first(texts: pa.Array) -> Sequence[Spelling]:
    """The spellings, with the first text's own one first."""
    if not len(texts):
        return SPELLINGS
    text = texts[0].as_py()
    return sorted(SPELLINGS, key=lambda spelling: not re.fullmatch(spelling.pattern, text))


def _match(pattern: str, texts: pa.Array) -> tuple[np.ndarray, dict[str, pa.Array]]:
    """Which texts have a pattern, bool `[n]`, and the named groups of those, empty where a group is absent."""
    found = pc.extract_regex(texts, f"^{pattern}$")
    matched = found.is_valid().to_numpy(zero_copy_only=False)
    found = found.filter(pa.array(matched))
    names = [found.type[place].name for place in range(found.type.num_fields)]
    return matched, dict(zip(names, found.flatten()))


def _of_fields(
    fields: dict[str, pa.Array], order: Callable[[], str]
) -> tuple[np.ndarray, np.ndarray]:
    year = _years(fields["year"])
    if "first" in fields:
        first, other = _number(fields["first"]), _number(fields["other"])
        month, day = (first, other) if order() == MONTH_FIRST else (other, first)
    else:
        month = _months(fields["word"]) if "word" in fields else _number(fields["month"])
        day = _number(fields["day"])
    hour, minute, second = (_number(fields[name]) for name in ("hour", "minute", "second"))
    good = (month >= 1) & (month <= 12) & (minute < 60) & (second < 60)
    if "half" in fields:
        half = pc.utf8_lower(fields["half"]).to_numpy(zero_copy_only=False)
        twelve = half != ""
        good &= ~twelve | ((hour >= 1) & (hour <= 12))
        hour = np.where(twelve, hour % 12 + 12 * (half == "p"), hour)
    good &= hour < 24
    days, exists = _days(year, np.where(good, month, 1), day)
    fraction = _number(pc.utf8_slice_codeunits(pc.utf8_rpad(fields["fraction"], 9, "0"), 0, 6))
    micros = days * _MICROS_PER_DAY + (hour * 60 + minute) * MICROS_PER_MINUTE
    micros += second * MICROS_PER_SECOND + fraction
    offset, aware = np.zeros(len(year), np.int64), np.zeros(len(year), bool)
    if "offset" in fields:
        offset, aware, fits = _offsets(fields["offset"])
        good &= fits
    return np.where(good & exists, micros - offset, UNREAD), aware


def _of_numbers(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    whole = pc.match_substring_regex(texts, r"^\d{1,18}$").to_numpy(zero_copy_only=False)
    micros, aware = numbers_to_micros(pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False))
    if whole.any():  # exact beyond 2^53
        integers = pc.cast(texts.filter(pa.array(whole)), pa.int64()).to_numpy()
        micros[whole], aware[whole] = numbers_to_micros(integers)
    return micros, aware


def _number(texts: pa.Array) -> np.ndarray:
    """Whole numbers, int64 `[n]`; 0 where a text is empty."""
    return pc.cast(pc.replace_with_mask(texts, pc.equal(texts, ""), "0"), pa.int64()).to_numpy()


def _years(texts: pa.Array) -> np.ndarray:
    """Years; one of two digits is within 1970..2069."""
    year = _number(texts)
    short = pc.equal(pc.utf8_length(texts), 2).to_numpy(zero_copy_only=False)
    return np.where(short, np.where(year < 70, 2000, 1900) + year, year)


def _months(words: pa.Array) -> np.ndarray:
    """Months of English names or their first three or four letters; 0 where a word is none."""
    known = {name[:length]: n for n, name in enumerate(_MONTHS, 1) for length in (3, 4, len(name))}
    codes = pc.utf8_lower(words).dictionary_encode()
    months = np.array([known.get(word, 0) for word in codes.dictionary.to_pylist()], np.int64)
    return (
        months[codes.indices.to_numpy(zero_copy_only=False)]
        if len(months)
        else np.zeros(0, np.int64)
    )


def _days(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days since 1970-01-01 of months within 1..12, and whether the date exists."""
    months = (year - 1970) * 12 + month - 1
    first, after = (
        when.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        for when in (months, months + 1)
    )
    return first + day - 1, (day >= 1) & (day <= after - first)


def _offsets(texts: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Microseconds east of UTC, int64 `[n]`, and whether there is an offset and whether it is one of a clock."""
    codes = texts.dictionary_encode()
    found = [_offset(text) for text in codes.dictionary.to_pylist()] or [0]
    which = codes.indices.to_numpy(zero_copy_only=False)
    minutes = np.array([0 if one is None else one for one in found], np.int64)[which]
    return (
        minutes * MICROS_PER_MINUTE,
        pc.not_equal(texts, "").to_numpy(zero_copy_only=False),
        np.abs(minutes) < 24 * 60,
    )


def _offset(text: str) -> int:
    """Minutes east of UTC of `Z`, `UTC`, `GMT`, `+05`, `+0530` or `+05:30`; of an empty text 0."""
    if text in ("", "Z", "UTC", "GMT"):
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return -minutes if text[0] == "-" else minutes
