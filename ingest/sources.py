"""Finds, classifies and checks the inputs of FlowExampleGen, and fingerprints them by content."""

import dataclasses
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from crowdflow.config import Config
from crowdflow.flows.frames import RECORD_COLUMNS
from crowdflow.ingest import date_range
from crowdflow.ingest.covariates import side_files, weather_files
from crowdflow.ingest.forms import as_tables
from crowdflow.ingest.paths import expand
from crowdflow.ingest.places.columns import is_places
from crowdflow.ingest.places.find import TableFile, TripsFile, find_places, name_places
from crowdflow.ingest.places.places import Places
from crowdflow.ingest.records import hdf5_reader, table_reader
from crowdflow.ingest.records.records import Block
from crowdflow.ingest.tally import Tally
from crowdflow.ingest.times import zones
from crowdflow.ingest.trips import same_content, trip_files, trip_layouts, trip_parquet
from crowdflow.schema.errors import DataError
from crowdflow.storage import files
from crowdflow.storage.digests import Digests

FLOWS_HDF5 = "flows_hdf5"
TABLE_CSV = "table_csv"
TABLE_PARQUET = "table_parquet"
TRIPS_CSV = "trips_csv"  # plain, .gz or in .zip
TRIPS_PARQUET = "trips_parquet"
WEATHER_HDF5 = "weather_hdf5"
WEATHER_CSV = "weather_csv"
HOLIDAYS = "holidays"
PLACES = "places"
_FORMS = (
    "HDF5 flows (.h5, .hdf5), HDF5 meteorology, tables of flows or trips (.csv, .csv.gz, .parquet), "
    "trips in .zip, tables of places (.csv, .parquet, .geojson, .json), or holidays (.txt)"
)


class Reader(NamedTuple):
    """How a kind of flow records is read.

    Attributes:
      inspect: `(path, config) -> units`, checks a file cheaply and counts the units into which it is divided.
      read: `(path, index, begin, end, config) -> (blocks by day, tally), ...` of units `begin` to `end`.
      units: number of units read at a time.
    """

    inspect: Callable[[str, Config], int]
    read: Callable[[str, int, int, int, Config], Iterator[tuple[list[tuple[int, Block]], Tally]]]
    units: int


READERS = {
    FLOWS_HDF5: Reader(hdf5_reader.inspect_flows, hdf5_reader.read_flows, 240),  # frames
    TABLE_CSV: Reader(table_reader.inspect_csv, table_reader.read_csv, 1),  # pieces
    TABLE_PARQUET: Reader(table_reader.inspect_parquet, table_reader.read_parquet, 1),  # row groups
}

# Raw trips have a data flow of their own, `trips_transform`; these functions inspect each kind.
TRIPS: dict[str, Callable[[str, Config], int]] = {
    TRIPS_CSV: trip_files.inspect_csv,
    TRIPS_PARQUET: trip_parquet.inspect_parquet,
}


@dataclasses.dataclass(frozen=True)
class Source:
    """An input file.

    Attributes:
      path: of the file.
      kind: one of `READERS` or `TRIPS`, `WEATHER_HDF5`, `WEATHER_CSV`, `HOLIDAYS` or `PLACES`.
      units: number of units, see `Reader`; 0 for a side file.
    """

    path: str
    kind: str
    units: int = 0


def inspect_sources(
    paths: Sequence[str],
    config: Config,
    side_files_needed: bool = True,
    box_needed: bool = True,
) -> list[Source]:
    """Finds the input files, and checks what can be checked without reading the records.

    Args:
      paths: files, folders (all files directly in them except hidden ones) and glob patterns.
      config: for grid, intervals, ingest, trips and range; with a range, paths and config come from
        `date_range.resolve`.
      side_files_needed: whether the configured side files must be among the files, and are checked.
      box_needed: whether trips need the box of the grid.

    Returns:
      The files, sorted by path: of duplicate records, the first in this order is kept.

    Raises:
      DataNotFoundError: a path does not exist, or a pattern or folder has no file.
      DataError: a file is empty, of an unknown kind or not of the configured form; there are no records;
        or a configured side file is missing.
    """
    sources, found = [], expand(paths)
    files.fetch(found)
    for path in found:
        kind = classify(path, config)
        if kind in READERS and date_range.is_before(path, config):
            continue
        sources.append(source_of(path, kind, config))
    trips = [source.path for source in sources if source.kind in TRIPS]
    flows = [source.path for source in sources if source.kind in READERS]
    if not trips and not flows:
        raise DataError(f"{', '.join(paths) or 'no paths'}: expected a file of flows, found none.")
    if trips and flows:
        raise DataError(
            f"Expected raw trips or flow records, received both: {trips[0]} and {flows[0]}."
        )
    if trips:
        if box_needed:
            zones.require_zone(config)  # raises without a box, too
        same_content.refuse_twice(trips, config)
        read_places(sources, config)  # raises without the tables that the trips need
    if not side_files_needed:
        return sources
    for kind, setting, words, used in _side_kinds(config):
        if used and not paths_of(sources, kind):
            raise DataError(
                f"ingest.{setting} is set: expected {words} among the inputs, found none "
                f"in {', '.join(source.path for source in sources)}."
            )
    read_side_files(sources, config)
    return sources


def source_of(path: str, kind: str, config: Config) -> Source:
    """Checks a file of a kind cheaply, and counts its units.

    Raises:
      DataError: it is not of the configured form, or has no records.
    """
    inspect = TRIPS.get(kind) or (READERS[kind].inspect if kind in READERS else None)
    return Source(path, kind, inspect(path, config) if inspect else 0)


def paths_of(sources: Sequence[Source], kind: str) -> list[str]:
    """The paths of one kind of source."""
    return [source.path for source in sources if source.kind == kind]


def read_places(sources: Sequence[Source], config: Config) -> Places:
    """The tables of places that the trips among the sources need.

    Raises:
      DataError: trips name places and there is no table, or a file cannot be read.
    """
    tables = table_files(sources, config)
    trips = [
        TripsFile(source.path, source.kind == TRIPS_PARQUET)
        for source in sources
        if source.kind in TRIPS
    ]
    return find_places(tables, [file for file in trips if name_places(file, config)], config)


def table_files(sources: Sequence[Source], config: Config) -> list[TableFile]:
    """The tables of places among the sources, those in zips too."""
    tables = []
    for source in sources:
        if source.path.lower().endswith(".zip"):
            members = trip_files.zip_members(source.path, config).places
            tables += [TableFile(source.path, member) for member in members]
        elif source.kind == PLACES:
            tables.append(TableFile(source.path))
    return tables


def read_side_files(sources: Sequence[Source], config: Config) -> dict:
    """The content of the configured side files: `holidays` and `weather` of `side_files.covariates`.

    Raises:
      DataError: a file does not have the expected form.
    """
    found: dict = {"holidays": None, "weather": None}
    if config.ingest.holidays:
        found["holidays"] = side_files.read_holidays(paths_of(sources, HOLIDAYS))
    ingest = config.ingest
    if ingest.weather:
        found["weather"] = weather_files.read_meteorology(
            paths_of(sources, WEATHER_HDF5),
            ingest.weather_minutes or config.intervals.minutes,
            ingest.missing_temperature,
        )
    if ingest.weather_columns:
        found["weather"] = weather_files.read_table(
            paths_of(sources, WEATHER_CSV),
            ingest.weather_columns,
            ingest.weather_time_column,
            ingest.weather_minutes,
        )
    return found


def ignored_side_files(sources: Sequence[Source], places: Places, config: Config) -> list[str]:
    """The given side files that the configuration does not use, and tables that are not among `places`."""
    unused = [kind for kind, _, _, used in _side_kinds(config) if not used]
    needed = {table.name for table in places.tables}
    return [
        source.path
        for source in sources
        if source.kind in unused or (source.kind == PLACES and source.path not in needed)
    ]


def fingerprint(sources: Sequence[Source], kept: Optional[Path] = None) -> str:
    """SHA-256 in hex of the kind, name and bytes of every file; `kept` remembers the files' digests."""
    known = Digests(kept)
    lines = [f"{s.kind} {os.path.basename(s.path)} {known.of(files.real(s.path))}" for s in sources]
    known.keep()
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _side_kinds(config: Config) -> tuple[tuple[str, str, str, bool], ...]:
    """For each side file: its kind, its setting, a description, and whether it is set."""
    ingest = config.ingest
    columns = ", ".join((ingest.weather_time_column, *ingest.weather_columns))
    table = f"a CSV file with the columns {columns}"
    return (
        (WEATHER_HDF5, "weather", "a weather file", ingest.weather),
        (WEATHER_CSV, "weather_columns", table, bool(ingest.weather_columns)),
        (HOLIDAYS, "holidays", "a holidays file", ingest.holidays),
    )


def classify(path: str, config: Config) -> str:
    """The kind of a file, by its first bytes, then its extension, then its header.

    Raises:
      DataError: it is empty, cannot be read, or is of no known kind.
    """
    try:
        with open(files.local(path), "rb") as file:
            magic = file.read(8)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
    if not magic:
        raise DataError(f"{path}: the file is empty.")
    name = path.lower()
    if magic == b"\x89HDF\r\n\x1a\n" or name.endswith((".h5", ".hdf5")):
        return _classify_hdf5(path)
    if magic[:4] == b"PAR1" or name.endswith(".parquet"):
        names = trip_parquet.parquet_names(path)
        return _classify_table(path, names, config, TABLE_PARQUET, TRIPS_PARQUET)
    if table_reader.is_libcity(path):
        return TABLE_CSV
    if name.endswith(trip_files.CSV_ENDINGS):
        names, ingest = trip_files.csv_header(path, config), config.ingest
        if ingest.weather_columns and {ingest.weather_time_column, *ingest.weather_columns} <= {
            *names
        }:
            return WEATHER_CSV
        return _classify_table(path, names, config, TABLE_CSV, TRIPS_CSV)
    if name.endswith(".zip"):
        return TRIPS_CSV if trip_files.zip_members(path, config).trips else PLACES
    if name.endswith((*as_tables.ENDINGS, ".txt")):
        names = trip_files.csv_header(path, config)
        if trip_layouts.find_layout(names, config) is not None:
            return TRIPS_CSV
        if not name.endswith(".txt"):
            return PLACES
        if config.ingest.holidays or re.fullmatch(r"\d{8}|", names[0].strip() if names else ""):
            return HOLIDAYS
        words = "expected dates of holidays, or trips (without a header, set trips.header)"
        raise DataError(f"{path}: {words}. Found: {','.join(names)[:200]}.")
    raise DataError(f"{path}: unknown kind of file. Expected {_FORMS}.")


def _classify_table(path: str, names: list[str], config: Config, flows: str, trips: str) -> str:
    """Flow records, trips or places, by the column names; raises DataError for a table of something else."""
    if is_places(path, names, config):
        return PLACES
    if set(names) & set(RECORD_COLUMNS):
        return flows
    if trip_layouts.find_layout(names, config) is None:
        known = ", ".join(RECORD_COLUMNS)
        trip_layouts.require_layout(path, names, config, also=f"  flow records: {known}")
    return trips


def _classify_hdf5(path: str) -> str:
    with hdf5_reader.open_hdf5(path) as file:
        weather = set(weather_files.DATA_SETS) - {"date"}
        return WEATHER_HDF5 if "data" not in file and weather & set(file) else FLOWS_HDF5
