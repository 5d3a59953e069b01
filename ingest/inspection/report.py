"""What files are and which settings they need, in lines, as `crowdflow inspect` prints them."""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from crowdflow.config import Config
from crowdflow.flows import grids
from crowdflow.ingest import grid_proposal
from crowdflow.ingest import sources as inputs
from crowdflow.ingest.chunks import parts
from crowdflow.ingest.inspection import records
from crowdflow.ingest.inspection.guess import guess_roles, settings_of, spelling_of
from crowdflow.ingest.inspection.samples import first_values
from crowdflow.ingest.paths import expand
from crowdflow.ingest.places import unknown
from crowdflow.ingest.places.find import TableFile, TripsFile, name_places, read_tables
from crowdflow.ingest.places.places import Places
from crowdflow.ingest.sources import Source
from crowdflow.ingest.times.zones import proposed_zone
from crowdflow.ingest.trips import trip_dates, trip_files, trip_layouts, trip_tally
from crowdflow.ingest.trips.trip_counts import Part, count_rows, read_part
from crowdflow.schema import intervals
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
    trips = [source for source in sources if source.kind in inputs.TRIPS]
    if trips:
        config = _place(trips, sources, config, found)
        try:
            places: Places | DataError = inputs.read_places(sources, config)
        except DataError as error:
            places = error
        for source in trips:
            found.lines += _guarded(found, source.path, _describe_trips, source, places, config)
    return found


def _classify_all(
    paths: Sequence[str], config: Config, found: Inspection
) -> tuple[list[Source], Config]:
    """The files by kind; columns are guessed for tables without a known layout."""
    sources = []
    for path in paths:
        try:
            kind = inputs.classify(path, config)
        except DataError as error:
            settings = _guess(path, config)
            if not settings:
                found.problems.append(str(error))
                found.lines += [f"{path}: not known; its columns:", *_columns(path)]
                continue
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
    if not path.lower().endswith((".csv", ".csv.gz", ".parquet")) or config.trips.layout != "auto":
        return {}
    try:
        return settings_of(guess_roles(dict(first_values(path))))
    except DataError:
        return {}


def _columns(path: str) -> Iterator[str]:
    """The columns of a table with a value of each."""
    try:
        for name, values in first_values(path):
            yield f"  {name}: {values[0][:60] if values else '(empty)'}"
    except DataError:
        return


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
    trips: Sequence[Source], sources: Sequence[Source], config: Config, found: Inspection
) -> Config:
    """Proposes a box and a time zone where there are none, and adds them to the settings."""
    if config.grid.south is None:
        tables = [s.path for s in sources if s.kind == inputs.PLACES]
        positions = []
        for source in trips:
            try:
                positions.append(grid_proposal.read_positions([source.path, *tables], config))
            except CrowdFlowError:
                continue  # the file's own description says why
        if not positions:
            return config
        latitude, longitude, starts, ends = (
            np.concatenate([getattr(one, name) for one in positions])
            for name in ("latitude", "longitude", "starts", "ends")
        )
        grid = grids.propose(latitude, longitude, starts + ends)
        box = {
            name: getattr(grid, name) for name in ("south", "west", "north", "east", "rows", "cols")
        }
        found.settings |= {f"grid.{name}": value for name, value in box.items()}
        config = config.replace({f"grid.{name}": value for name, value in box.items()})
    if config.intervals.timezone is None:
        zone = proposed_zone(config.grid)
        if zone is not None:
            found.settings["intervals.timezone"] = zone
            return config.replace({"intervals.timezone": zone})
    return config


def _describe_trips(source: Source, places: Places | DataError, config: Config) -> Iterator[str]:
    """The lines of a file of trips; of a zip, of each of its files. `places` may be why there are none."""
    parquet = source.kind == inputs.TRIPS_PARQUET
    by_file = collections.defaultdict(list)
    for part in parts([source]):
        name = source.path if parquet else trip_files.unit_name(source.path, part.unit, config)
        by_file[name].append(part)
    for name, units in by_file.items():
        yield from _describe_columns(name, units[0], config)
        if isinstance(places, DataError):
            if name_places(TripsFile(source.path, parquet), config):
                raise places
            places = Places()
        here, tally = places.of_file(source.path), trip_tally.TripTally()
        for part in units:
            for rows, origin in read_part(part, config):
                counted = count_rows(rows, 0, origin, config, buckets=1, places=here)
                tally = trip_tally.merge([tally, counted.tally])
        yield from _describe_rows(tally, config)
        if source.path in places.keys:
            for table, key in zip(places.tables, places.keys[source.path]):
                yield f"  places: {table.name}, by {key}"
            yield from (f"  {line}" for line in unknown.in_words(tally.unknown).split("\n")[1:])
    if source.path.lower().endswith(".zip"):
        for member in trip_files.zip_members(source.path, config).others:
            yield f"{source.path}/{member}: ignored"


def _describe_columns(name: str, part: Part, config: Config) -> Iterator[str]:
    """The layout, and the column of each role with a value."""
    member = None
    if part.path.lower().endswith(".zip"):
        member = trip_files.zip_members(part.path, config).trips[part.unit]
    columns = first_values(part.path, member)
    layout = trip_layouts.require_layout(name, [column for column, _ in columns], config)
    points = layout.roles == trip_layouts.POINT_ROLES
    yield f"{name}: {'points of trajectories' if points else 'trips'}, layout {layout.name}"
    numbers_alone = False
    for role, place in zip(layout.roles, layout.columns):
        column, texts = columns[place]
        line = f"  {role}: {column}"
        if texts:
            line += f", such as {texts[0][:40]}"
        if role in trip_layouts.TIMES and texts:
            spelling = spelling_of(texts[:1], role)
            numbers_alone |= spelling == "day and month in numbers"
            line += f" ({spelling or 'no known spelling of a time'})"
        yield line
    if numbers_alone:
        order = trip_dates.date_order(part.path, part.unit, part.parquet, config)
        yield f"  dates: {order.replace('_', ' ')}"


def _describe_rows(tally: trip_tally.TripTally, config: Config) -> Iterator[str]:
    """Rows, first and last time, and what an ingest would reject."""
    counts = tally.counts
    coverage = tally.coverage
    outside = sum(
        int((~coverage.holds(late.starts, config.trips.empty_days)).sum()) for late in tally.late
    )
    rejected = collections.Counter({reason: n for reason, n in tally.rejected.items() if n})
    if outside:
        rejected[f"{trip_tally.END}_outside_span"] += outside
    yield f"  rows: {counts['trips_read'] + counts['points_read']:,}"
    if coverage.first is not None:
        first, last = (intervals.format_start(time) for time in (coverage.first, coverage.last))
        zone = config.intervals.timezone
        yield f"  starts: {first} to {last}, {f'in {zone}' if zone else 'local time'}"
    examples = {reject.reason: reject.value for reject in sorted(tally.rejects, reverse=True)}
    yield f"  rejects: {sum(rejected.values()) or 'none'}"
    for reason, count in sorted(rejected.items()):
        yield f"    {reason}: {count:,}, such as {examples.get(reason, 'the last ones')}"
