"""Reads files of trips as blocks of rows: CSV (plain in slices of bytes, .gz, in .zip) and Parquet."""

import contextlib
import csv
import gzip
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

import numpy as np
import pyarrow as pa

from crowdflow.config import Config
from crowdflow.ingest.parquet import open_parquet, valid_text
from crowdflow.ingest.trips.trip_layouts import TIMES, require_layout
from crowdflow.ingest.trips.trip_lines import TripRows, parse_lines
from crowdflow.schema.errors import CrowdFlowError, DataError
from crowdflow.storage import files

SLICE_BYTES = 32 << 20  # of a plain CSV file, read by one worker
_BLOCK_BYTES = 8 << 20  # of CSV, parsed at once
_BATCH_ROWS = 131_072
_HEADER_BYTES = 1 << 16
# What Python raises for files that cannot be decompressed; UnicodeDecodeError is for names inside a zip.
_UNREADABLE = (
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
)


@contextlib.contextmanager
def clear_errors(message: str, *more: type[Exception]) -> Iterator[None]:
    """Turns what a damaged file raises into a DataError; errors of ours, such as a store's, pass.

    Args:
      message: the DataError's, which adds what went wrong.
      *more: further errors to turn into it.
    """
    try:
        yield
    except CrowdFlowError:
        raise
    except (*_UNREADABLE, *more) as error:
        raise DataError(f"{message} ({error}).") from None


def csv_header(path: str) -> list[str]:
    """The column names in the first line of a CSV file, or of the first CSV file in a zip.

    Raises:
      DataError: it cannot be read.
    """
    return _read_header(path, 0)


def csv_members(path: str) -> tuple[list[str], list[str]]:
    """The names of the CSV files in a zip, sorted, and of the other files, which are ignored.

    Raises:
      DataError: it is not a complete zip file, has no CSV file, or has a zip file inside.
    """
    with (
        clear_errors(f"{path}: expected a whole zip file, but it cannot be read"),
        zipfile.ZipFile(files.local(path)) as archive,
    ):
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))
    nested = [name for name in names if name.lower().endswith(".zip")]
    if nested:
        raise DataError(
            f"{path}: expected CSV files inside, received a zip, {nested[0]}. Unpack it."
        )
    found = [n for n in names if n.lower().endswith(".csv") and not _is_stray(n)]
    if not found:
        raise DataError(
            f"{path}: expected a CSV file inside, found {', '.join(names) or 'nothing'}."
        )
    return found, [name for name in names if name not in found]


def inspect_csv(path: str, config: Config) -> int:
    """Checks the header of a CSV file, or of each in a zip, and that there are lines below it.

    Returns:
      The number of units: slices of a plain file, 1 for a `.gz`, CSV files in a zip.

    Raises:
      DataError: it cannot be read, its header has no known layout, or it has no rows.
    """
    units = 1
    if _is_zip(path):
        units = len(csv_members(path)[0])
    elif not _is_gzip(path):
        units = max(1, -(-files.size(path) // SLICE_BYTES))
    for unit in range(units if _is_zip(path) else 1):
        where = unit_name(path, unit)
        require_layout(where, _read_header(path, unit), config)
        with clear_errors(f"{where}: cannot be read"), open_unit(path, unit) as stream:
            _read_line(stream)
            if not stream.read(_HEADER_BYTES).strip():
                raise DataError(f"{where}: expected rows below the header, received none.")
    return units


def unit_name(path: str, unit: int) -> str:
    """The name of the file that has a unit; with the name of the CSV file if a zip has several."""
    members = csv_members(path)[0] if _is_zip(path) else []
    return f"{path}/{members[unit]}" if len(members) > 1 else path


def read_csv(path: str, unit: int, config: Config) -> Iterator[TripRows]:
    """Reads a unit block by block; memory does not grow with the file.

    A line belongs to the slice in which it begins. A line end always ends a row, even inside quotes.

    Raises:
      DataError: the file cannot be read.
    """
    header = _read_header(path, unit)
    layout = require_layout(path, header, config)
    sliced = not (_is_zip(path) or _is_gzip(path))
    begin, end = (unit * SLICE_BYTES, (unit + 1) * SLICE_BYTES) if sliced else (0, None)
    first = 0
    try:
        with open_unit(path, unit) as stream:
            if begin:
                stream.seek(begin - 1)
                stream.readline()
            else:
                _read_line(stream)
            for block in _blocks(stream, end):
                rows = parse_lines(block, len(header), layout, first)
                first += rows.lines
                yield rows
    except CrowdFlowError:
        raise
    except (*_UNREADABLE, pa.ArrowException) as error:
        place = f"{unit_name(path, unit)}, {first:,} lines into its part {unit + 1}"
        raise DataError(f"{place}: cannot be read ({error}).") from None


def inspect_parquet(path: str, config: Config) -> int:
    """Checks the columns of a Parquet file.

    Returns:
      The number of row groups.

    Raises:
      DataError: it is not Parquet, has no known layout or no rows, or a column has the wrong type.
    """
    schema, rows, groups = _parquet_schema(path)
    layout = require_layout(path, schema.names, config)
    if not rows:
        raise DataError(f"{path}: expected rows, received none.")
    for role, place in zip(layout.roles, layout.columns):
        _require_type(path, role, schema.field(place))
    return groups


def parquet_names(path: str) -> list[str]:
    """The column names of a Parquet file.

    Raises:
      DataError: it is not Parquet.
    """
    return _parquet_schema(path)[0].names


def read_parquet(path: str, unit: int, config: Config) -> Iterator[TripRows]:
    """Reads a row group batch by batch.

    Raises:
      DataError: the file cannot be read.
    """
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        layout = require_layout(path, names, config)
        wanted = [names[place] for place in layout.columns]
        first, none = 0, np.zeros(0, np.int64)
        for batch in file.iter_batches(_BATCH_ROWS, [unit], sorted(set(wanted))):
            places = map(batch.schema.get_field_index, wanted)
            columns = [valid_text(batch.column(place)) for place in places]
            numbers = np.arange(first, first + batch.num_rows)
            yield TripRows(layout, columns, numbers, none, (), batch.num_rows)
            first += batch.num_rows


def _blocks(stream: IO[bytes], end: int | None) -> Iterator[bytes]:
    """Yields the whole lines that begin before `end`, about `_BLOCK_BYTES` at a time."""
    while end is None or stream.tell() < end:
        size = _BLOCK_BYTES if end is None else min(_BLOCK_BYTES, end - stream.tell())
        block = stream.read(size)
        if not block:
            return
        if not block.endswith(b"\n"):
            block += stream.readline()
        yield block


def open_unit(path: str, unit: int) -> IO[bytes]:
    """Opens a unit of a file, uncompressed: a CSV file in a zip, as `csv_members` orders them, or the file."""
    if _is_zip(path):
        member = csv_members(path)[0][unit]
        return io.BufferedReader(zipfile.ZipFile(files.local(path)).open(member), _HEADER_BYTES)
    local = files.local(path)
    return gzip.open(local, "rb") if _is_gzip(path) else open(local, "rb")


def _read_header(path: str, unit: int) -> list[str]:
    with clear_errors(f"{unit_name(path, unit)}: cannot be read as CSV", csv.Error):
        with open_unit(path, unit) as stream:
            line = _read_line(stream).decode("utf-8-sig", "replace")
        return [name.strip() for name in next(csv.reader([line.strip()]), [])]


def _read_line(stream: IO[bytes]) -> bytes:
    """Reads the first line, and leaves the stream at the second."""
    start = stream.read(_HEADER_BYTES)
    found = re.search(rb"\r\n|\n|\r", start)
    stream.seek(found.end() if found else len(start))
    return start[: found.start()] if found else start


def _is_zip(path: str) -> bool:
    return path.lower().endswith(".zip")


def _is_gzip(path: str) -> bool:
    return path.lower().endswith(".gz")


def _is_stray(name: str) -> bool:
    return name.startswith("__MACOSX/") or os.path.basename(name).startswith((".", "_"))


def _parquet_schema(path: str) -> tuple[pa.Schema, int, int]:
    with open_parquet(path) as file:
        return file.schema_arrow, file.metadata.num_rows, file.num_row_groups


def _require_type(path: str, role: str, field: pa.Field) -> None:
    value = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    ok = any(
        kind(value) for kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_null)
    )
    if role in TIMES:
        expected, fits = "a timestamp", pa.types.is_timestamp(value)
    elif role == "point_id":
        expected, fits = "a text or a whole number", pa.types.is_integer(value)
    else:
        expected = "numbers"
        fits = pa.types.is_integer(value) or pa.types.is_floating(value)
    if not (ok or fits):
        raise DataError(
            f"{path}, column {field.name}: expected {expected}, received the type {field.type}."
        )
