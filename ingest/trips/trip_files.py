"""Reads files of trips as blocks of rows: CSV (plain in slices of bytes, .gz, in .zip) and Parquet."""

import csv
import functools
import gzip
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa

from crowdflow.config import Config
from crowdflow.ingest.parquet import open_parquet, valid_text
from crowdflow.ingest.places.columns import is_places
from crowdflow.ingest.trips.trip_layouts import PLACES, POINT_ID, TIMES, require_layout
from crowdflow.ingest.trips.trip_lines import TripRows, parse_lines
from crowdflow.schema.errors import DataError
from crowdflow.storage import files

SLICE_BYTES = 32 << 20  # of a plain CSV file, read by one worker
_BLOCK_BYTES = 8 << 20  # of CSV, parsed at once
_BATCH_ROWS = 131_072
_HEADER_BYTES = 1 << 16
_SAMPLE_BYTES, _SAMPLE_ROWS = 1 << 18, 4096
# What Python raises for files that cannot be decompressed; UnicodeDecodeError is for names inside a zip.
UNREADABLE = (
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
)


def csv_header(path: str, config: Config) -> list[str]:
    """The column names in the first line of a CSV file, or of the first one of trips in a zip.

    Raises:
      DataError: it cannot be read.
    """
    return _read_header(path, 0, config)


class Members(NamedTuple):
    """The names of the files in a zip, each list sorted.

    Attributes:
      trips: CSV files of trips; their places in the list are the units.
      places: CSV files that are tables of places.
      others: all other files, which are ignored.
    """

    trips: list[str]
    places: list[str]
    others: list[str]


def zip_members(path: str, config: Config) -> Members:
    """The files in a zip by what they hold, judged by their names and headers.

    Raises:
      DataError: it is not a complete zip file, has no CSV file, or has a zip file inside.
    """
    local = files.local(path)
    return _zip_members(path, local, os.stat(local).st_mtime_ns, config)


@functools.lru_cache
def _zip_members(path: str, local: str, changed: int, config: Config) -> Members:
    """As `zip_members`, once for each state of the file and settings."""
    try:
        with zipfile.ZipFile(local) as archive:
            names = sorted(name for name in archive.namelist() if not name.endswith("/"))
            found = [n for n in names if n.lower().endswith(".csv") and not _is_stray(n)]
            headers = {name: _header(archive.open(name)) for name in found}
    except UNREADABLE as error:
        raise DataError(
            f"{path}: expected a whole zip file, but it cannot be read ({error})."
        ) from None
    nested = [name for name in names if name.lower().endswith(".zip")]
    if nested:
        raise DataError(
            f"{path}: expected CSV files inside, received a zip, {nested[0]}. Unpack it."
        )
    if not found:
        raise DataError(
            f"{path}: expected a CSV file inside, found {', '.join(names) or 'nothing'}."
        )
    places = [n for n in found if is_places(f"{path}/{n}", headers[n], config)]
    rides = [name for name in found if name not in places]
    return Members(rides, places, [name for name in names if name not in found])


def inspect_csv(path: str, config: Config) -> int:
    """Checks the header of a CSV file, or of each in a zip, and that there are lines below it.

    Returns:
      The number of units: slices of a plain file, 1 for a `.gz`, CSV files in a zip.

    Raises:
      DataError: it cannot be read, its header has no known layout, or it has no rows.
    """
    units = 1
    if _is_zip(path):
        units = len(zip_members(path, config).trips)
    elif not _is_gzip(path):
        units = max(1, -(-files.size(path) // SLICE_BYTES))
    for unit in range(units if _is_zip(path) else 1):
        where = unit_name(path, unit, config)
        require_layout(where, _read_header(path, unit, config), config)
        try:
            with open_unit(path, unit, config) as stream:
                _read_line(stream)
                if not stream.read(_HEADER_BYTES).strip():
                    raise DataError(f"{where}: expected rows below the header, received none.")
        except UNREADABLE as error:
            raise DataError(f"{where}: cannot be read ({error}).") from None
    return units


def unit_name(path: str, unit: int, config: Config) -> str:
    """The name of the file that has a unit; with the name of the CSV file if a zip has several."""
    members = zip_members(path, config).trips if _is_zip(path) else []
    return f"{path}/{members[unit]}" if len(members) > 1 else path


def read_csv(
    path: str, unit: int, config: Config, block_bytes: int | None = None
) -> Iterator[TripRows]:
    """Reads a unit block by block, of `_BLOCK_BYTES` by default; memory does not grow with the file.

    A line belongs to the slice in which it begins. A line end always ends a row, even inside quotes.

    Raises:
      DataError: the file cannot be read.
    """
    header = _read_header(path, unit, config)
    layout = require_layout(path, header, config)
    sliced = not (_is_zip(path) or _is_gzip(path))
    begin, end = (unit * SLICE_BYTES, (unit + 1) * SLICE_BYTES) if sliced else (0, None)
    first = 0
    try:
        with open_unit(path, unit, config) as stream:
            if begin:
                stream.seek(begin - 1)
                stream.readline()
            else:
                _read_line(stream)
            for block in _blocks(stream, end, block_bytes or _BLOCK_BYTES):
                rows = parse_lines(block, len(header), layout, first)
                first += rows.lines
                yield rows
    except (*UNREADABLE, pa.ArrowException) as error:
        place = f"{unit_name(path, unit, config)}, {first:,} lines into its part {unit + 1}"
        raise DataError(f"{place}: cannot be read ({error}).") from None


def sample(path: str, parquet: bool, config: Config) -> TripRows:
    """The first rows of a file, some thousands.

    Raises:
      DataError: the file cannot be read.
    """
    read = read_parquet if parquet else read_csv
    return next(read(path, 0, config, _SAMPLE_ROWS if parquet else _SAMPLE_BYTES))


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


def read_parquet(
    path: str, unit: int, config: Config, batch_rows: int = _BATCH_ROWS
) -> Iterator[TripRows]:
    """Reads a row group batch by batch.

    Raises:
      DataError: the file cannot be read.
    """
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        layout = require_layout(path, names, config)
        wanted = [names[place] for place in layout.columns]
        first, none = 0, np.zeros(0, np.int64)
        for batch in file.iter_batches(batch_rows, [unit], sorted(set(wanted))):
            places = map(batch.schema.get_field_index, wanted)
            columns = [valid_text(batch.column(place)) for place in places]
            numbers = np.arange(first, first + batch.num_rows)
            yield TripRows(layout, columns, numbers, none, (), batch.num_rows)
            first += batch.num_rows


def _blocks(stream: IO[bytes], end: int | None, block_bytes: int) -> Iterator[bytes]:
    """Yields the whole lines that begin before `end`, about `block_bytes` at a time."""
    while end is None or stream.tell() < end:
        size = block_bytes if end is None else min(block_bytes, end - stream.tell())
        block = stream.read(size)
        if not block:
            return
        if not block.endswith(b"\n"):
            block += stream.readline()
        yield block


def open_unit(path: str, unit: int, config: Config) -> IO[bytes]:
    """Opens a unit of a file, uncompressed: a CSV file in a zip, as `zip_members` orders them, or the file."""
    return open_member(path, zip_members(path, config).trips[unit] if _is_zip(path) else None)


def open_member(path: str, member: str | None = None) -> IO[bytes]:
    """Opens a file, uncompressed, or a file in a zip."""
    local = files.local(path)
    if member is not None:
        return io.BufferedReader(zipfile.ZipFile(local).open(member), _HEADER_BYTES)
    return gzip.open(local, "rb") if _is_gzip(path) else open(local, "rb")


def _read_header(path: str, unit: int, config: Config) -> list[str]:
    try:
        with open_unit(path, unit, config) as stream:
            return _header(stream)
    except (*UNREADABLE, csv.Error) as error:
        raise DataError(
            f"{unit_name(path, unit, config)}: cannot be read as CSV ({error})."
        ) from None


def _header(stream: IO[bytes]) -> list[str]:
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
    elif role in PLACES or role == POINT_ID:
        expected, fits = "a text or a whole number", pa.types.is_integer(value)
    else:
        expected = "numbers"
        fits = pa.types.is_integer(value) or pa.types.is_floating(value)
    if not (ok or fits):
        raise DataError(
            f"{path}, column {field.name}: expected {expected}, received the type {field.type}."
        )
