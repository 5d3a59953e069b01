"""Files of trips, counted as an ingest counts them and described in lines."""

import collections
from collections.abc import Generator, Iterator, Mapping, Sequence

from crowdflow.config import Config
from crowdflow.ingest.archives import is_zip
from crowdflow.ingest.chunks import parts
from crowdflow.ingest.doubles.find import doubles_by_part
from crowdflow.ingest.inspection.guess import is_date_alone, spelling_of
from crowdflow.ingest.inspection.samples import first_values
from crowdflow.ingest.places import unknown
from crowdflow.ingest.places.places import Places
from crowdflow.ingest.sources import Source
from crowdflow.ingest.trips import trip_dates, trip_files, trip_layouts, trip_tally
from crowdflow.ingest.trips.day_counts import merge_coverage
from crowdflow.ingest.trips.trip_counts import Part, count_rows, read_part, take_back
from crowdflow.ingest.trips.trip_rows import OUTSIDE_SPAN
from crowdflow.ingest.trips.trip_tally import TripTally
from crowdflow.schema import intervals
from crowdflow.schema.errors import CrowdFlowError

_LATE = f"{trip_tally.END}_{OUTSIDE_SPAN}"


def count_trips(
    trips: Sequence[Source], places: Places, config: Config
) -> tuple[dict[str, TripTally], dict[str, str]]:
    """Reads all rows of files of trips.

    Args:
      trips: the files.
      places: where the places of the trips are.
      config: for grid, intervals and trips.

    Returns:
      The tally of each file, of a zip of each file in it, with the rides that came before as rejects; and why
      files cannot be read, by path.
    """
    every, seen = parts(trips), collections.defaultdict(list)
    found: dict[str, TripTally] = collections.defaultdict(TripTally)
    errors: dict[str, str] = {}
    for part in every:
        try:
            for rows, origin in read_part(part, config):
                here = places.of_file(part.path)
                counted = count_rows(rows, part, origin, config, buckets=1, places=here)
                found[origin.file] = trip_tally.merge([found[origin.file], counted.tally])
                for day, rides in counted.seen:
                    seen[day].append(rides)
        except CrowdFlowError as error:
            errors[part.path] = str(error)
            found.pop(_name(part, config), None)
    for number, rows in doubles_by_part(seen).items():
        part = every[number]
        if part.path not in errors:
            name = _name(part, config)
            for counted in take_back(part, rows, config, places.of_file(part.path)):
                found[name] = trip_tally.merge([found[name], counted.tally])
    coverage = merge_coverage(tally.coverage for tally in found.values())
    for tally in found.values():
        own, tally.coverage = tally.coverage, coverage
        before = _listed(tally, _LATE)
        trip_tally.finish(tally, config.trips.empty_days)
        tally.rejected[_LATE] += _listed(tally, _LATE) - before
        tally.coverage = own
    return dict(found), errors


def _listed(tally: TripTally, reason: str) -> int:
    return sum(reject.reason == reason for reject in tally.rejects)


def describe_trips(
    source: Source, counted: Mapping[str, TripTally], places: Places, config: Config
) -> Iterator[str]:
    """The lines of a file of trips; of a zip, of each of its files.

    Args:
      source: the file.
      counted: the tallies of all files, from `count_trips`; a file without one has only its columns described.
      places: where the places of the trips are.
      config: for intervals and trips.

    Raises:
      DataError: the file cannot be read.
    """
    firsts = {_name(part, config): part for part in reversed(parts([source]))}
    for name, part in sorted(firsts.items()):
        in_numbers = yield from _describe_columns(name, part, config)
        if name not in counted:
            continue
        if in_numbers:
            order = trip_dates.date_order(part.path, part.unit, part.parquet, config)
            yield f"  dates: {order.replace('_', ' ')}"
        yield from _describe_rows(counted[name], config)
        for table, key in zip(places.tables, places.keys.get(source.path, ())):
            yield f"  places: {table.name}, by {key}"
    if is_zip(source.path):
        for member in trip_files.zip_members(source.path, config).others:
            yield f"{source.path}/{member}: ignored"


def _name(part: Part, config: Config) -> str:
    return part.path if part.parquet else trip_files.unit_name(part.path, part.unit, config)


def _describe_columns(name: str, part: Part, config: Config) -> Generator[str, None, bool]:
    """The layout, and the column of each role with a value; returns whether a date is in numbers alone."""
    member = head = None
    if is_zip(part.path):
        member = trip_files.zip_members(part.path, config).trips[part.unit]
    if not part.parquet:
        head = trip_files.head_of(part.path, part.unit, config)
    columns = first_values(part.path, member, head)
    layout = trip_layouts.require_layout(name, [column for column, _ in columns], config)
    points = layout.of_points or layout.of_lines
    yield f"{name}: {'points of trajectories' if points else 'trips'}, layout {layout.name}"
    in_numbers = False
    with_date = [
        role.replace("_date", "_time") for role in layout.roles if role in trip_layouts.DATES
    ]
    for role, place in zip(layout.roles, layout.columns):
        column, texts = columns[place]
        line = f"  {role}: {column}"
        if texts:
            line += f", such as {texts[0][:40]}"
        if role in trip_layouts.TIMES and texts:
            spelling = spelling_of(texts[:1], role)
            in_numbers |= spelling == "day and month in numbers"
            if role in with_date:
                spelling = "of the date above or below"
            line += f" ({spelling or 'no known spelling of a time'})"
            if role not in with_date and is_date_alone(texts):
                line += (
                    f"; NO TIME OF DAY, all are at midnight: is there a column for trips.{role}? This one is then "
                    f"trips.{role.replace('_time', '_date')}"
                )
        yield line
    return in_numbers


def _describe_rows(tally: TripTally, config: Config) -> Iterator[str]:
    """Rows, first and last time, and what an ingest would reject."""
    counts, rejected = tally.counts, +tally.rejected
    yield f"  rows: {counts['trips_read'] + counts['points_read']:,}"
    if tally.coverage.first is not None:
        span = (tally.coverage.first, tally.coverage.last)
        first, last = (intervals.format_start(time) for time in span)
        zone = config.intervals.timezone
        yield f"  starts: {first} to {last}, {f'in {zone}' if zone else 'local time'}"
    examples = {reject.reason: reject.value for reject in sorted(tally.rejects, reverse=True)}
    yield f"  rejects: {rejected.total() or 'none'}"
    for reason, count in sorted(rejected.items()):
        yield f"    {reason}: {count:,}, such as {examples[reason]}"
    yield from (f"  {line}" for line in unknown.in_words(tally.unknown).split("\n")[1:])
