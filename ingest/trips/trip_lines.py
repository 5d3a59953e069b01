"""Parses lines of CSV as columns, with the number of every line."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from crowdflow.ingest.times.spellings import MONTH_FIRST
from crowdflow.ingest.trips.trip_layouts import PLACES, POINT_ID, TIMES, Layout

_NULLS = ["", "NULL", "null", "NA", "\\N"]
# A quote opens a quoted field only at its start; inside, a doubled quote is a literal one, any other closes it.
_FIELD = rb'(?:"[^"]*(?:""[^"]*)*"(?!")[^,]*|[^",][^,]*|)'
_CLOSED = re.compile(rb"%b(?:,%b)*" % (_FIELD, _FIELD), re.DOTALL)


class TripRows(NamedTuple):
    """Rows of trips or points from a file, as columns.

    Attributes:
      layout: the roles of the columns.
      columns: an array of `n` values for each role, in the layout's order; strings or typed.
      numbers: int64 `[n]`, line numbers from 0 within the slice (Parquet: row numbers).
      malformed: numbers of the lines with a wrong number of fields or an open quote, int64 `[m]`.
      faults: what is wrong with each malformed line, `m` strings.
      lines: number of lines (or rows) in the block, including empty ones.
      date_order: gives the order of day and month in the file's dates in numbers.
    """

    layout: Layout
    columns: Sequence[pa.Array]
    numbers: np.ndarray
    malformed: np.ndarray
    faults: Sequence[str]
    lines: int
    date_order: Callable[[], str] = lambda: MONTH_FIRST


def parse_lines(block: bytes, fields: int, layout: Layout, first: int) -> TripRows:
    """Parses a block of whole lines as columns.

    Empty lines are not rows, but are counted. A line end always ends a row, even inside quotes.

    Args:
      block: lines with any of the three line ends.
      fields: number of fields in each line, as in the header.
      layout: which columns are read.
      first: number of the first line.

    Raises:
      pyarrow.ArrowInvalid: the lines cannot be matched with the parsed rows.
    """
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = block.count(b"\n") + (not block.endswith(b"\n"))
    numbers = None  # of the remaining lines, if some are removed
    if block.startswith(b"\n") or b"\n\n" in block:
        texts = block.split(b"\n")
        numbers = np.flatnonzero([bool(text) for text in texts])
        block = b"\n".join(text for text in texts if text)
    table, malformed = _read_table(block, fields, layout)
    left = lines if numbers is None else len(numbers)
    odd: list[tuple[int, str]] = []
    if table.num_rows + len(malformed) != left:  # a quoted field continues past a line end
        texts = block.split(b"\n")
        whole = [not ends_in_quotes(text) for text in texts]
        numbers = np.arange(left) if numbers is None else numbers
        odd = [(int(n), "an open quote") for n, w in zip(numbers, whole) if not w]
        numbers = numbers[np.array(whole[:left], bool)]
        block = b"\n".join(text for text, w in zip(texts, whole) if w)
        table, malformed = _read_table(block, fields, layout)
    numbers = np.arange(left) if numbers is None else numbers
    if table.num_rows + len(malformed) != len(numbers):
        raise pa.ArrowInvalid(
            f"lines {first + 1:,} to {first + lines:,} below: {len(numbers):,} lines are "
            f"{table.num_rows + len(malformed):,} rows"
        )
    wrong = np.array([row.number - 1 for row in malformed], np.int64)
    faults = [f"{r.actual_columns} fields, not {r.expected_columns}" for r in malformed]
    bad = [*zip(numbers[wrong].tolist(), faults), *odd]
    return TripRows(
        layout,
        [table.column(role).combine_chunks() for role in layout.roles],
        np.delete(numbers, wrong) + first,
        np.array([number for number, _ in bad], np.int64) + first,
        [fault for _, fault in bad],
        lines,
    )


def ends_in_quotes(line: bytes) -> bool:
    """Whether a quoted field is still open at the end of a line; `line` is without its line end."""
    return b'"' in line and _CLOSED.fullmatch(line) is None


def _read_table(
    block: bytes, fields: int, layout: Layout
) -> tuple[pa.Table, list[pa_csv.InvalidRow]]:
    """Parses only the columns of the layout: typed if every value is readable, else as bytes."""
    names = [f"-{place}" for place in range(fields)]
    for role, place in zip(layout.roles, layout.columns):
        names[place] = role
    if not block.strip():
        return pa.table({role: pa.array([], pa.binary()) for role in layout.roles}), []
    texts = dict.fromkeys(layout.roles, pa.binary())
    typed = {role: _type(role) for role in layout.roles}
    for types in (typed, texts):
        malformed: list[pa_csv.InvalidRow] = []

        def keep(row: pa_csv.InvalidRow, found=malformed) -> str:
            found.append(row)
            return "skip"

        try:
            table = pa_csv.read_csv(
                pa.BufferReader(block),
                pa_csv.ReadOptions(
                    use_threads=False, column_names=names, block_size=len(block) + 1
                ),
                pa_csv.ParseOptions(invalid_row_handler=keep, ignore_empty_lines=False),
                pa_csv.ConvertOptions(
                    include_columns=list(layout.roles),
                    column_types=types,
                    null_values=_NULLS,
                    strings_can_be_null=True,
                ),
            )
            return table, malformed
        except pa.ArrowInvalid as error:
            unread = error
    raise unread


def _type(role: str) -> pa.DataType:
    """The type of a role's column if every value is readable."""
    if role in TIMES:
        return pa.timestamp("us")
    if role in PLACES:  # few places, many trips
        return pa.dictionary(pa.int32(), pa.string())
    return pa.string() if role == POINT_ID else pa.float64()
