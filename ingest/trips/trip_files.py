"""Reads files of trips as blocks of rows: CSV (plain in slices, .gz, in .zip), and what is turned into CSV."""

import csv
import functools
import io
import os
import re
from collections.abc import Iterator
from typing import IO, NamedTuple, Optional

import pyarrow as pa

from crowdflow.config import Config
from crowdflow.ingest import archives
from crowdflow.ingest.archives import UNREADABLE, clear_errors, is_gzip, is_stray, is_zip
from crowdflow.ingest.forms import as_tables, polylines
from crowdflow.ingest.places.columns import is_places
from crowdflow.ingest.trips.trip_layouts import find_layout, require_layout
from crowdflow.ingest.trips.trip_lines import LineForm, TripRows, delimiter_of, parse_lines
from crowdflow.ingest.trips.trip_parquet import read_parquet
from crowdflow.schema.errors import CrowdFlowError, DataError
from crowdflow.storage import files

SLICE_BYTES = 32 << 20  # of a plain CSV file, read by one worker
CSV_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_MEMBER_ENDINGS = (".csv", ".tsv", ".txt", *as_tables.ENDINGS)
_BLOCK_BYTES = 8 << 20  # of CSV, parsed at once
_HEADER_BYTES = 1 << 16
_SAMPLE_BYTES, _SAMPLE_ROWS = 1 << 18, 4096


class Head(NamedTuple):
    """How a CSV file begins.

    Attributes:
      names: of the columns.
      delimiter: between fields.
      written: whether the names are the first line; else they are those of `trips.header`.
    """

    names: list[str]
    delimiter: str
    written: bool


class Members(NamedTuple):
    """The names of the files in a zip, each list sorted.

    Attributes:
      trips: files of trips; their places in the list are the units.
      places: tables of places.
      others: all other files, which are ignored.
    """

    trips: list[str]
    places: list[str]
    others: list[str]


def csv_header(path: str, config: Config) -> list[str]:
    """The column names of a CSV file, or of the first one of trips in a zip.

    Raises:
      DataError: it cannot be read.
    """
    return head_of(path, 0, config).names


def zip_members(path: str, config: Config) -> Members:
    """The files in a zip, and in zips in it, by what they hold, judged by their names and headers.

    Raises:
      DataError: it is not a complete zip file, or has neither trips nor places.
    """
    return _zip_members(path, os.stat(files.local(path)).st_mtime_ns, config)


@functools.lru_cache
def _zip_members(path: str, changed: int, config: Config) -> Members:
    """As `zip_members`, once for each state of the file and settings."""
    rides, places, tables = [], [], {}
    with clear_errors(f"{path}: expected a whole zip file, but it cannot be read", csv.Error):
        names = archives.member_names(path)
        for name in names:
            if name.lower().endswith(_MEMBER_ENDINGS) and not is_stray(name):
                tables[name] = _head_of(path, name, config).names
    for name in names:  # a name that is there twice is found later
        if name in tables and is_places(f"{path}/{name}", tables[name], config):
            places.append(name)
        elif name in tables and find_layout(tables[name], config) is not None:
            rides.append(name)
    if not rides and not places:
        likely = [name for name in tables if name.lower().endswith(".csv")]
        if not likely:
            found = ", ".join(names) or "nothing"
            raise DataError(f"{path}: expected a CSV file inside, found {found}.")
        require_layout(f"{path}/{likely[0]}", tables[likely[0]], config)
    return Members(rides, places, [name for name in names if name not in (*rides, *places)])


def inspect_csv(path: str, config: Config) -> int:
    """Checks the header of a CSV file, or of each in a zip; there may be no row below it.

    Returns:
      The number of units: slices of a plain file, 1 for a `.gz`, files of trips in a zip.

    Raises:
      DataError: it cannot be read, or its header has no known layout.
    """
    units = len(zip_members(path, config).trips) if is_zip(path) else 1
    if _is_sliced(path):
        units = max(1, -(-files.size(path) // SLICE_BYTES))
    for unit in range(units if is_zip(path) else 1):
        where = unit_name(path, unit, config)
        require_layout(where, head_of(path, unit, config).names, config)
        with clear_errors(f"{where}: cannot be read"), open_unit(path, unit, config) as stream:
            stream.read(2 * _HEADER_BYTES)
    return units


def unit_name(path: str, unit: int, config: Config) -> str:
    """The name of the file that has a unit; with the name of the CSV file if a zip has several."""
    members = zip_members(path, config).trips if is_zip(path) else []
    return f"{path}/{members[unit]}" if len(members) > 1 else path


def read_csv(
    path: str, unit: int, config: Config, block_bytes: Optional[int] = None
) -> Iterator[TripRows]:
    """Reads a unit block by block, of `_BLOCK_BYTES` by default; memory does not grow with the file.

    A line belongs to the slice in which it begins. A line end always ends a row, even inside quotes. Trips with a
    polyline become its points.

    Raises:
      DataError: the file cannot be read.
    """
    head = head_of(path, unit, config)
    form = LineForm(len(head.names), require_layout(path, head.names, config), head.delimiter)
    begin, end = 0, None
    if _is_sliced(path):
        begin, end = unit * SLICE_BYTES, (unit + 1) * SLICE_BYTES
    first = 0
    try:
        with open_unit(path, unit, config) as stream:
            if begin:
                stream.seek(begin - 1)
                stream.readline()
            elif head.written:
                _read_line(stream)
            for block in _blocks(stream, end, block_bytes or _BLOCK_BYTES):
                rows = parse_lines(block, form, first)
                first += rows.lines
                yield polylines.points_of(rows) if form.layout.of_lines else rows
    except CrowdFlowError:
        raise
    except (*UNREADABLE, pa.ArrowException) as error:
        place = f"{unit_name(path, unit, config)}, {first:,} lines into its part {unit + 1}"
        raise DataError(f"{place}: cannot be read ({error}).") from None


def sample(path: str, parquet: bool, config: Config) -> Optional[TripRows]:
    """The first rows of a file, some thousands; None if it has no row.

    Raises:
      DataError: the file cannot be read.
    """
    read = read_parquet if parquet else read_csv
    return next(read(path, 0, config, _SAMPLE_ROWS if parquet else _SAMPLE_BYTES), None)


def open_unit(path: str, unit: int, config: Config) -> IO[bytes]:
    """Opens a unit of a file, uncompressed: a file in a zip, as `zip_members` orders them, or the file."""
    return open_table(path, zip_members(path, config).trips[unit] if is_zip(path) else None)


def open_table(path: str, member: Optional[str] = None) -> IO[bytes]:
    """Opens a file, or a file in a zip, as CSV."""
    stream, name = archives.open_member(path, member), member or path
    if not name.lower().endswith(as_tables.ENDINGS):
        return stream
    with stream:
        return io.BytesIO(as_tables.as_csv(name, stream.read()))


def head_of(path: str, unit: int, config: Config) -> Head:
    """How a unit of a file begins.

    Raises:
      DataError: it cannot be read.
    """
    member = zip_members(path, config).trips[unit] if is_zip(path) else None
    with clear_errors(f"{unit_name(path, unit, config)}: cannot be read as CSV", csv.Error):
        return _head_of(path, member, config)


def _head_of(path: str, member: Optional[str], config: Config) -> Head:
    with open_table(path, member) as stream:
        line = _read_line(stream).decode("utf-8-sig", "replace").strip("\r\n ")
    if "\0" in line:  # as Python's csv said before 3.11
        raise csv.Error("line contains NUL")
    delimiter = delimiter_of(line)
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    given = list(config.trips.header)
    if given and len(given) == len(names) and find_layout(names, config) is None:
        return Head(given, delimiter, False)
    return Head(names, delimiter, True)


def _is_sliced(path: str) -> bool:
    """Whether a file is read in slices of bytes."""
    return not (is_zip(path) or is_gzip(path) or path.lower().endswith(as_tables.ENDINGS))


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


def _read_line(stream: IO[bytes]) -> bytes:
    """Reads the first line, and leaves the stream at the second."""
    start = stream.read(_HEADER_BYTES)
    found = re.search(rb"\r\n|\n|\r", start)
    stream.seek(found.end() if found else len(start))
    return start[: found.start()] if found else start
