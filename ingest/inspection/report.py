"""What files are and which settings they need, in lines, as `crowdflow inspect` prints them."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from crowdflow.config import Config
from crowdflow.flows import grids
from crowdflow.ingest import archives, grid_proposal
from crowdflow.ingest import sources as inputs
from crowdflow.ingest.inspection import records
from crowdflow.ingest.inspection.guess import guess_roles, settings_of, spelling_of
from crowdflow.ingest.inspection.samples import first_values
from crowdflow.ingest.inspection.trips import count_trips, describe_trips
from crowdflow.ingest.paths import expand
from crowdflow.ingest.places.columns import is_places
from crowdflow.ingest.places.find import TableFile, TripsFile, name_places, read_tables
from crowdflow.ingest.places.places import Places
from crowdflow.ingest.sources import Source
from crowdflow.ingest.times.zones import proposed_zone
from crowdflow.schema.errors import CrowdFlowError, DataError

_WORDS = {
    inputs.WEATHER_HDF5: "weather (set ingest.weather)",
    inputs.WEATHER_CSV: "weather table",
    inputs.HOLIDAYS: "holidays (set ingest.holidays)",
}


@dataclasses.dataclass
class Inspection:
    """What was found.

    Attributes:
      lines: about each file, for the reader.
      settings: by dotted name, what to set beside the defaults.
      problems: why files cannot be used.
    """

    lines: list[str] = dataclasses.field(default_factory=list)
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)


def inspect(paths: Sequence[str], config: Config) -> Inspection:
    """Finds out what files are, reads all their rows, and proposes settings.

    Args:
      paths: files, folders and glob patterns.
      config: for trips, ingest and intervals; without a box, one is proposed and used.

    Raises:
      DataNotFoundError: a path does not exist.
    """
    found = Inspection()
    sources, config = _classify_all(expand(paths), config, found)
    for source in sources:
        if source.kind in _WORDS:
            found.lines.append(f"{source.path}: {_WORDS[source.kind]}")
        elif source.kind in inputs.READERS:
            frames = source.kind == inputs.FLOWS_HDF5
            describe = records.describe_frames if frames else records.describe_table
            found.lines += _guarded(found, source.path, describe, source.path)
    for file in inputs.table_files(sources, config):
        found.lines += _guarded(found, file.name, _describe_tables, file, config)
    if any(source.kind in inputs.TRIPS for source in sources):
        _report_trips(sources, config, found)
    return found


def _classify_all(
    paths: Sequence[str], config: Config, found: Inspection
) -> tuple[list[Source], Config]:
    """The files by kind; columns are guessed for tables without a known layout."""
    sources = []
    for path in paths:
        settings, error = {}, None
        try:
            kind = inputs.classify(path, config)
        except DataError as raised:
            error = raised
        if error or (kind == inputs.PLACES and archives.is_zip(path)):  # trips may be beside places
            settings = _guess(path, config)
        if error and not settings:
            found.problems.append(str(error))
            found.lines += [f"{path}: not known; its columns:", *_columns(path)]
            continue
        if settings:
            config = config.replace(settings)
            found.settings |= settings
            found.lines.append(f"{path}: no known layout; the columns of the settings are guessed")
            kind = inputs.classify(path, config)
        try:
            if kind == inputs.FLOWS_HDF5:
                shape = records.shape_of(path, config)
                config, found.settings = config.replace(shape), {**found.settings, **shape}
            sources.append(inputs.source_of(path, kind, config))
        except DataError as error:
            found.problems.append(str(error))
            found.lines.append(f"{path}: cannot be used")
    return sources, config


def _guess(path: str, config: Config) -> dict[str, str]:
    """Settings for a table without a known layout, if its columns can be guessed."""
    if (
        not path.lower().endswith((".csv", ".csv.gz", ".parquet", ".zip"))
        or config.trips.layout != "auto"
    ):
        return {}
    for _, columns in _tables(path):
        if not is_places(path, [name for name, _ in columns], config):
            if settings := settings_of(guess_roles(dict(columns))):
                return settings
    return {}


def _tables(path: str) -> Iterator[tuple[str, list[tuple[str, list[str]]]]]:
    """The name and the first values of a table, or of each CSV file in a zip; none that cannot be read."""
    with contextlib.suppress(DataError), archives.clear_errors(path):
        if not archives.is_zip(path):
            yield path, first_values(path)
            return
        for member in archives.member_names(path):
            if member.lower().endswith((".csv", ".csv.gz")) and not archives.is_stray(member):
                yield f"{path}/{member}", first_values(path, member)


def _columns(path: str) -> Iterator[str]:
    """The columns of tables with a value of each."""
    columns = []
    for name, found in _tables(path):
        if name != path:
            yield f"  {name}:"
        for column, values in found:
            yield f"  {column}: {values[0][:60] if values else '(empty)'}"
        columns += found
    if any(spelling_of(values[:1], name) for name, values in columns):
        yield (
            "  trips? Set trips.layout=columns, and trips.start_time, trips.start_lat or trips.start_place and "
            "so on to these columns; a weather table? Set ingest.weather_columns and ingest.weather_time_column"
        )


def _guarded(
    found: Inspection, name: str, describe: Callable[..., Iterable[str]], *arguments: Any
) -> list[str]:
    """The lines of a file; an error becomes a problem."""
    lines: list[str] = []
    try:
        for line in describe(*arguments):
            lines.append(line)
    except CrowdFlowError as error:
        found.problems.append(str(error))
        lines.append(f"{name}: cannot be used")
    return lines


def _describe_tables(file: TableFile, config: Config) -> Iterator[str]:
    for table in read_tables(file, config):
        placed = np.isfinite(table.latitude) & np.isfinite(table.longitude)
        yield (
            f"{table.name}: a table of places, {placed.sum():,} of {len(placed):,} with a position; the id may be "
            f"{', '.join(table.keys)}"
        )


def _place(
    trips: Sequence[Source], places: Places, config: Config, found: Inspection
) -> tuple[Config, dict[str, str]]:
    """Proposes a box and a time zone where there are none, and adds them to the settings.

    Returns:
      The configuration with them, and why files have no positions, by path.
    """
    errors: dict[str, str] = {}
    if config.grid.south is None:
        positions = []
        for source in trips:
            try:
                positions.append(grid_proposal.count_positions([source], places, config))
            except CrowdFlowError as error:
                errors[source.path] = str(error)
        if not positions:
            return config, errors
        latitude, longitude, starts, ends = (
            np.concatenate([getattr(one, name) for one in positions])
            for name in ("latitude", "longitude", "starts", "ends")
        )
        grid = grids.propose(latitude, longitude, starts + ends)
        names = ("south", "west", "north", "east", "rows", "cols")
        box = {f"grid.{name}": getattr(grid, name) for name in names}
        found.settings |= box
        config = config.replace(box)
    zone = proposed_zone(config.grid) if config.intervals.timezone is None else None
    if zone is not None:
        found.settings["intervals.timezone"] = zone
        config = config.replace({"intervals.timezone": zone})
    return config, errors


def _report_trips(sources: Sequence[Source], config: Config, found: Inspection) -> None:
    """Adds the lines of files of trips."""
    trips = [source for source in sources if source.kind in inputs.TRIPS]
    errors: dict[str, str] = {}
    try:
        places = inputs.read_places(sources, config)
    except DataError as error:
        places, errors = Places(), _by_place(trips, str(error), config)
    config, without = _place([s for s in trips if s.path not in errors], places, config, found)
    errors |= without
    counted, more = count_trips([s for s in trips if s.path not in errors], places, config)
    errors |= more
    for source in trips:
        if source.path in errors:
            found.problems.append(errors[source.path])
        found.lines += _guarded(found, source.path, describe_trips, source, counted, places, config)
        if source.path in errors:
            found.lines.append("  cannot be used as it is")


def _by_place(trips: Sequence[Source], error: str, config: Config) -> dict[str, str]:
    """The error for every file that names places, by path."""
    files = [TripsFile(source.path, source.kind == inputs.TRIPS_PARQUET) for source in trips]
    return {file.path: error for file in files if name_places(file, config)}
