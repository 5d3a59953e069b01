"""Tables of flow records, CSV and Parquet: one row per cell and interval, in any order."""

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple, NoReturn, Optional

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from crowdflow.config import Config
from crowdflow.flows.frames import RECORD_COLUMNS
from crowdflow.ingest import tally as tallies
from crowdflow.ingest.parquet import batches, open_parquet, valid_text
from crowdflow.ingest.records import raw_lines
from crowdflow.ingest.records.records import Block
from crowdflow.ingest.records.table_rows import parse_rows
from crowdflow.ingest.trips.trip_lines import ends_in_quotes
from crowdflow.schema.errors import DataError
from crowdflow.storage import files

_LIBCITY = {"time": "interval_start", "row_id": "row", "column_id": "col"}
_HEADER_BYTES = 1 << 16
_PARQUET_BATCH_ROWS = 250_000


class _Lines(NamedTuple):
    """Lines of a CSV file.

    Attributes:
      columns: `RECORD_COLUMNS` as strings, `n` rows.
      numbers: line numbers, int64 `[n]`; the header is line 1.
      malformed: whether these lines have too many or too few fields.
    """

    columns: pa.RecordBatch
    numbers: np.ndarray
    malformed: bool


def inspect_csv(path: str, config: Config) -> int:
    """Checks the header of a CSV file, and that it has a row.

    Returns:
      The number of pieces, see `raw_lines.find_lines`.

    Raises:
      DataError: the file is not CSV, lacks a column or has no rows.
    """
    del config
    if next(_csv_lines(path), None) is None:
        raise DataError(f"{path}: expected rows below the header, received none.")
    return len(raw_lines.find_lines(path).pieces)


def read_csv(
    path: str, index: int, begin: int, end: int, config: Config
) -> Iterator[tuple[list[tuple[int, Block]], tallies.Tally]]:
    """Reads pieces `begin` to `end` of a CSV file block by block; rows are numbered by line, from 1.

    Args:
      path: the file; `.gz` is decompressed.
      index: its index among the inputs.
      begin: first piece.
      end: one past the last.
      config: for the grid and the interval's length.

    Yields:
      Blocks by day, and the tally.

    Raises:
      DataError: the file cannot be read.
    """
    for lines in _csv_lines(path, begin, end):
        yield parse_rows(lines.columns, lines.numbers, lines.malformed, path, index, config)


def inspect_parquet(path: str, config: Config) -> int:
    """Checks the columns of a Parquet file, and that it has a row.

    Returns:
      The number of row groups.

    Raises:
      DataError: the file is not Parquet, a column is missing or has the wrong type, or there are no
        rows.
    """
    del config
    with open_parquet(path) as file:
        schema, rows, groups = file.schema_arrow, file.metadata.num_rows, file.num_row_groups
    _require_columns(path, schema.names)
    for name in RECORD_COLUMNS:
        _require_type(path, name, schema.field(name).type)
    if not rows:
        raise DataError(f"{path}: expected rows, received none.")
    return groups


def read_parquet(
    path: str, index: int, begin: int, end: int, config: Config
) -> Iterator[tuple[list[tuple[int, Block]], tallies.Tally]]:
    """Reads row groups `begin` to `end` of a Parquet file; rows are counted from 0.

    Args:
      path: the file.
      index: its index among the inputs.
      begin: first row group.
      end: one past the last.
      config: for the grid and the interval's length.

    Yields:
      Blocks by day, and the tally.

    Raises:
      DataError: the file cannot be read.
    """
    with open_parquet(path) as file:
        row = sum(file.metadata.row_group(group).num_rows for group in range(begin))
        groups = list(range(begin, end))
        for batch in batches(file, _PARQUET_BATCH_ROWS, RECORD_COLUMNS, groups):
            rows = np.arange(row, row + batch.num_rows)
            columns = [valid_text(column) for column in batch.columns]
            batch = pa.RecordBatch.from_arrays(columns, batch.schema.names)
            yield parse_rows(batch, rows, False, path, index, config)
            row += batch.num_rows


def read_columns(path: str) -> Iterator[pd.DataFrame]:
    """The columns of the records of a file, as they are, block by block.

    Raises:
      DataError: the file cannot be read.
    """
    if path.lower().endswith(".parquet"):
        with open_parquet(path) as file:
            for batch in batches(file, _PARQUET_BATCH_ROWS, RECORD_COLUMNS):
                yield batch.to_pandas()
    else:
        for lines in _csv_lines(path):
            yield lines.columns.to_pandas()


def _csv_lines(path: str, first: int = 0, last: Optional[int] = None) -> Iterator[_Lines]:
    """Yields the lines of pieces `first` to `last` of a CSV file as strings, without empty lines."""
    header, (empty, count, pieces) = _csv_header(path), raw_lines.find_lines(path)
    (begin, first_line), headers = pieces[first], int(first == 0)
    end, next_line = [*pieces, (None, count + 1)][len(pieces) if last is None else last]
    malformed: list[pa_csv.InvalidRow] = []  # filled by the reader below

    def keep(row: pa_csv.InvalidRow) -> str:
        malformed.append(row._replace(number=row.number + first_line - 1))
        return "skip"

    parse = pa_csv.ParseOptions(invalid_row_handler=keep, ignore_empty_lines=False)
    convert = pa_csv.ConvertOptions(
        include_columns=list(RECORD_COLUMNS),
        column_types={name: pa.string() for name in RECORD_COLUMNS},
    )
    read = pa_csv.ReadOptions(
        use_threads=False,
        block_size=raw_lines.BLOCK_BYTES,
        skip_rows=headers,
        column_names=header,
    )
    line, rows = first_line + headers, headers
    wrong: set[int] = set()
    try:
        with raw_lines.open_lines(path, begin, end) as stream:
            for batch in pa_csv.open_csv(raw_lines.as_utf8(stream), read, parse, convert):
                # Of this batch and maybe of later ones, which Arrow reads meanwhile.
                skipped = malformed[:]
                del malformed[: len(skipped)]
                wrong.update(row.number for row in skipped)
                rows += batch.num_rows + len(skipped)
                numbers = _line_numbers(line, batch.num_rows, wrong)
                line = int(numbers[-1]) + 1 if len(numbers) else line
                filled = ~np.isin(numbers, empty)
                if is_libcity(path):
                    batch = _local(batch)
                if filled.any():
                    yield _Lines(batch.filter(pa.array(filled)), numbers[filled], False)
                if skipped:
                    yield _malformed_lines(skipped, header)
    except raw_lines.ERRORS as error:
        place = f"{path}, after line {line - 1}"
        raise DataError(f"{place}: cannot be read as CSV ({error}).") from None
    if malformed:
        rows += len(malformed)
        yield _malformed_lines(malformed, header)
    if rows != next_line - first_line:
        _raise_joined(path, next_line - first_line, rows)


def _raise_joined(path: str, lines: int, rows: int) -> NoReturn:
    """Raises a DataError that names the line with an open quoted field, though its quotes are even."""
    with pa.input_stream(files.local(path), compression="detect") as stream:
        for number, text in enumerate(io.BufferedReader(stream), 1):
            if ends_in_quotes(text.rstrip(b"\r\n")):
                raise DataError(f"{path}, line {number}: {raw_lines.OPEN_QUOTE}")
    raise DataError(f"{path}: expected one row per line, received {lines:,} lines, {rows:,} rows.")


def _csv_header(path: str) -> list[str]:
    try:
        with pa.input_stream(files.local(path), compression="detect") as stream:
            first = stream.read(_HEADER_BYTES).split(b"\n")[0].decode("utf-8-sig")
            names = next(csv.reader([first.strip()]), [])
    except raw_lines.ERRORS as error:
        raise DataError(f"{path}: cannot be read as CSV ({error}).") from None
    if is_libcity(path):
        names = [_LIBCITY.get(name, name) for name in names]
    _require_columns(path, names)
    return names


def is_libcity(path: str) -> bool:
    """Whether a file is a `.grid` file of LibCity, which names the columns of flow records in its own way."""
    return path.lower().endswith((".grid", ".grid.gz"))


def _local(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The records of LibCity, whose local times end in `Z`."""
    columns = dict(zip(batch.schema.names, batch.columns))
    columns["interval_start"] = pc.replace_substring_regex(columns["interval_start"], "Z$", "")
    return pa.RecordBatch.from_arrays([*columns.values()], [*columns])


def _line_numbers(first: int, count: int, malformed: set[int]) -> np.ndarray:
    """The numbers of the next `count` well-formed lines from `first` on, int64 `[count]`."""
    numbers = np.arange(first, first + count + len(malformed))
    return numbers[~np.isin(numbers, list(malformed))][:count]


def _malformed_lines(rows: list[pa_csv.InvalidRow], header: list[str]) -> _Lines:
    """Lines with too many or too few fields, with their fields by position as far as there are any."""
    # Python's csv takes no NUL before 3.11.
    fields = [next(csv.reader([row.text.replace("\0", "\ufffd")]), []) for row in rows]
    columns = []
    for name in RECORD_COLUMNS:
        place = header.index(name)
        columns.append(pa.array([f[place] if place < len(f) else "" for f in fields], pa.string()))
    numbers = np.array([row.number for row in rows], np.int64)
    return _Lines(pa.RecordBatch.from_arrays(columns, list(RECORD_COLUMNS)), numbers, True)


def _require_columns(path: str, found: list[str]) -> None:
    missing = [name for name in RECORD_COLUMNS if name not in found]
    if missing:
        raise DataError(
            f"{path}: expected the columns {', '.join(RECORD_COLUMNS)}; {', '.join(missing)} missing. "
            f"Found: {', '.join(found)[:200]}."
        )
    twice = [name for name in RECORD_COLUMNS if found.count(name) > 1]
    if twice:
        raise DataError(
            f"{path}: expected one column {twice[0]}. Received {found.count(twice[0])}."
        )


def _require_type(path: str, name: str, kind: pa.DataType) -> None:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    text = pa.types.is_string(value) or pa.types.is_large_string(value)
    if name == "interval_start":
        expected = "a local time without a zone"
        ok = pa.types.is_timestamp(value) and value.tz is None
    else:
        expected = "numbers"
        ok = pa.types.is_integer(value) or pa.types.is_floating(value)
    if not (ok or text):
        raise DataError(f"{path}, column {name}: expected {expected}, received the type {kind}.")
