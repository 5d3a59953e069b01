"""Parses lines of CSV as columns, with the number of every line."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Optional

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from crowdflow.ingest.doubles.hashes import hash_lines
from crowdflow.ingest.times.spellings import MONTH_FIRST
from crowdflow.ingest.trips.trip_layouts import (
    DATES,
    DURATION,
    PLACES,
    POINT_ID,
    POLYLINE,
    RIDE_ID,
    TIMES,
    Layout,
)

# Against a fault of early Python 3.10 that is long mended, pyarrow walks over all objects of the process in each
# call: 40 ms of the 130 ms that a block takes. It does so in no other version of Python.
pa.lib.have_signal_refcycle = False

_DELIMITERS = ",;\t|"
_NULLS = ["", "NULL", "null", "NA", "\\N"]


class TripRows(NamedTuple):
    """Rows of trips or points from a file, as columns.

    Attributes:
      layout: the roles of the columns.
      columns: an array of `n` values for each role, in the layout's order; strings or typed.
      numbers: int64 `[n]`, line numbers from 0 within the slice (Parquet: row numbers).
      malformed: numbers of the lines with a wrong number of fields or an open quote, int64 `[m]`.
      faults: what is wrong with each malformed line, `m` strings.
      lines: number of lines (or rows) in the block, including empty ones.
      hashes: of whole lines, uint64 `[n]`; None if the rows have an id, are points or come from Parquet.
      date_order: gives the order of day and month in the file's dates in numbers.
    """

    layout: Layout
    columns: Sequence[pa.Array]
    numbers: np.ndarray
    malformed: np.ndarray
    faults: Sequence[str]
    lines: int
    hashes: Optional[np.ndarray] = None
    date_order: Callable[[], str] = lambda: MONTH_FIRST

    def take(self, places: np.ndarray) -> "TripRows":
        """Some of the rows, by their places in the block, int64 `[m]`; without lines and malformed rows."""
        return self._replace(
            columns=[column.take(pa.array(places)) for column in self.columns],
            numbers=self.numbers[places],
            malformed=self.malformed[:0],
            faults=(),
            lines=0,
            hashes=None if self.hashes is None else self.hashes[places],
        )


class LineForm(NamedTuple):
    """How the lines of a file are written.

    Attributes:
      fields: number of fields in each line, as in the header.
      layout: which columns are read.
      delimiter: between fields, one byte.
    """

    fields: int
    layout: Layout
    delimiter: str = ","


def parse_lines(block: bytes, form: LineForm, first: int) -> TripRows:
    """Parses a block of whole lines as columns.

    Empty lines are not rows, but are counted. A line end always ends a row, even inside quotes. Empty fields past
    those of the header are passed over.

    Args:
      block: lines with any of the three line ends.
      form: of the lines.
      first: number of the first line.

    Raises:
      pyarrow.ArrowInvalid: the lines cannot be matched with the parsed rows.
    """
    block = _utf8(block)
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    lines = len(ends) + (not block.endswith(b"\n"))
    numbers = None  # of the remaining lines, if some are removed
    if (np.diff(ends, prepend=-1) == 1).any():
        texts = block.split(b"\n")
        numbers = np.flatnonzero([bool(text) for text in texts])
        block = b"\n".join(text for text in texts if text)
    table, malformed = _read_table(block, form)
    left = lines if numbers is None else len(numbers)
    odd: list[tuple[int, str]] = []
    if table.num_rows + len(malformed) != left:  # a quoted field continues past a line end
        texts = block.split(b"\n")
        whole = [not ends_in_quotes(text, form.delimiter) for text in texts]
        numbers = np.arange(left) if numbers is None else numbers
        odd = [(int(n), "an open quote") for n, w in zip(numbers, whole) if not w]
        numbers = numbers[np.array(whole[:left], bool)]
        block = b"\n".join(text for text, w in zip(texts, whole) if w)
        table, malformed = _read_table(block, form)
    numbers = np.arange(left) if numbers is None else numbers
    if table.num_rows + len(malformed) != len(numbers):
        raise pa.ArrowInvalid(
            f"lines {first + 1:,} to {first + lines:,} below: {len(numbers):,} lines are "
            f"{table.num_rows + len(malformed):,} rows"
        )
    table, kept, malformed = _mend(table, malformed, form)
    bad = [*((int(numbers[row]), fault) for row, fault in malformed), *odd]
    layout = form.layout
    hashes = None
    if not layout.of_points and RIDE_ID not in layout.roles:
        hashes = hash_lines(block)[kept] if len(kept) else np.zeros(0, np.uint64)
    return TripRows(
        layout,
        [table.column(f"-{place}").combine_chunks() for place in layout.columns],
        numbers[kept] + first,
        np.array([number for number, _ in bad], np.int64) + first,
        [fault for _, fault in bad],
        lines,
        hashes,
    )


def delimiter_of(line: str) -> str:
    """The delimiter that a header has most of outside quotes; a comma if it has none."""
    return max(_DELIMITERS, key=re.sub(r'"[^"]*"', "", line).count)


def ends_in_quotes(line: bytes, delimiter: str = ",") -> bool:
    """Whether a quoted field is still open at the end of a line; `line` is without its line end."""
    return b'"' in line and _closed(delimiter).fullmatch(line) is None


def _utf8(block: bytes) -> bytes:
    """The block, with bytes of another encoding replaced: Arrow cannot give back a bad line that has them."""
    if not block.isascii():
        try:
            block.decode()
        except UnicodeDecodeError:
            return block.decode("utf-8", "replace").encode()
    return block


@functools.cache
def _closed(delimiter: str) -> re.Pattern:
    # A quote opens a field only at its start; inside, a doubled quote is a literal one, any other closes it.
    mark = re.escape(delimiter.encode())
    field = rb'(?:"[^"]*(?:""[^"]*)*"(?!")[^%b]*|[^"%b][^%b]*|)' % (mark, mark, mark)
    return re.compile(rb"%b(?:%b%b)*" % (field, mark, field), re.DOTALL)


def _mend(
    table: pa.Table, malformed: list[pa_csv.InvalidRow], form: LineForm
) -> tuple[pa.Table, np.ndarray, list[tuple[int, str]]]:
    """Takes up the rows whose fields past the header are empty.

    Returns:
      The table with them at its end, the places of its rows among all rows, int64 `[n]`, and the other malformed
      rows as their places and faults.
    """
    wrong = np.array([row.number - 1 for row in malformed], np.int64)
    kept = np.delete(np.arange(table.num_rows + len(malformed)), wrong)
    if not malformed:
        return table, kept, []
    mended, faults = [], []
    for row in malformed:
        surplus = row.actual_columns - row.expected_columns
        if surplus > 0 and row.text.endswith(form.delimiter * surplus):
            mended.append((row.number - 1, row.text[:-surplus]))
        else:
            faults.append(
                (row.number - 1, f"{row.actual_columns} fields, not {row.expected_columns}")
            )
    if mended:
        text = "\n".join(line for _, line in mended).encode()
        more, none = _read_table(text, form)
        if more.num_rows == len(mended) and not none:
            if more.schema != table.schema:
                more, table = (_as_bytes(part) for part in (more, table))
            table = pa.concat_tables([table, more])
            kept = np.append(kept, [place for place, _ in mended])
    return table, kept, faults


def _as_bytes(table: pa.Table) -> pa.Table:
    """The table as the texts it was read from, or as ones that read the same."""
    columns = []
    for column in table.columns:
        column = column.cast(pa.string()) if not pa.types.is_binary(column.type) else column
        columns.append(column.cast(pa.binary()))
    return pa.table(columns, table.schema.names)


def _read_table(block: bytes, form: LineForm) -> tuple[pa.Table, list[pa_csv.InvalidRow]]:
    """Parses only the columns of the layout: typed if every value is readable, else as bytes."""
    names = [f"-{place}" for place in range(form.fields)]
    wanted = {
        f"-{place}": _types(role) for role, place in zip(form.layout.roles, form.layout.columns)
    }
    if not block.strip():
        return pa.table({name: pa.array([], pa.binary()) for name in wanted}), []
    tried = []
    for kind in range(3):
        types = {name: kinds[kind] for name, kinds in wanted.items()}
        if types in tried:
            continue
        tried.append(types)
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
                pa_csv.ParseOptions(
                    delimiter=form.delimiter, invalid_row_handler=keep, ignore_empty_lines=False
                ),
                pa_csv.ConvertOptions(
                    include_columns=list(wanted),
                    column_types=types,
                    null_values=_NULLS,
                    strings_can_be_null=True,
                ),
            )
            return table, malformed
        except pa.ArrowInvalid as error:
            unread = error
    raise unread


def _types(role: str) -> tuple[pa.DataType, pa.DataType, pa.DataType]:
    """The types of a role's column: if every value is readable; if times are in another spelling; as bytes."""
    if role in TIMES:
        return pa.timestamp("us"), pa.binary(), pa.binary()
    if role in PLACES:  # few places, many trips
        places = pa.dictionary(pa.int32(), pa.string())
        return places, places, pa.binary()
    if role == POINT_ID:
        return pa.string(), pa.string(), pa.binary()
    if role in DATES or role in (RIDE_ID, POLYLINE):
        return pa.binary(), pa.binary(), pa.binary()
    if role == DURATION:
        return pa.float64(), pa.binary(), pa.binary()
    return pa.float64(), pa.float64(), pa.binary()
