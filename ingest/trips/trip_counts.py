"""The steps of the data flow of trips, without Beam: files to events, and counts of events to frames."""

import functools
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

import numpy as np

from crowdflow.config import Config
from crowdflow.flows.frames import FrameBlock
from crowdflow.ingest.archives import is_zip
from crowdflow.ingest.doubles.find import Seen, by_day
from crowdflow.ingest.places.places import FilePlaces
from crowdflow.ingest.trips import trip_dates, trip_files, trip_parquet, trip_rows, trip_tally
from crowdflow.ingest.trips.day_counts import INFLOW, OUTFLOW, Coverage, assemble
from crowdflow.ingest.trips.trajectories import PointBlock, by_bucket, find_crossings
from crowdflow.ingest.trips.trip_lines import TripRows
from crowdflow.ingest.trips.trip_tally import Origin, TripTally

_FILE_BITS, _UNIT_BITS = 48, 33  # of a point's position: file, then unit, then line


class Part(NamedTuple):
    """A part of a file of trips.

    Attributes:
      index: index of the file among the inputs.
      path: of the file.
      unit: index of the slice, zip member or row group.
      parquet: whether the file is Parquet rather than CSV.
      number: index of the part among all.
    """

    index: int
    path: str
    unit: int
    parquet: bool
    number: int = 0

    @property
    def file(self) -> tuple[int, int]:
        """What tells the file, or the file in a zip, from all others."""
        return self.index, self.unit if is_zip(self.path) else 0


class Events(NamedTuple):
    """Starts or ends to count.

    Attributes:
      starts: wall-clock minutes of each event's interval, int64 `[n]`.
      cells: row * W + column, int64 `[n]`.
      channel: `INFLOW` or `OUTFLOW`.
      sign: -1 if they were counted and are taken back.
    """

    starts: np.ndarray
    cells: np.ndarray
    channel: int
    sign: int = 1


class Counted(NamedTuple):
    """The result of a block of rows or points.

    Attributes:
      tally: of the block.
      events: to count.
      points: of trajectories, by bucket: their crossings are known once all points are read.
      seen: trips by day, for `doubles.find`: which came before is known once all trips are read.
    """

    tally: TripTally
    events: list[Events]
    points: list[tuple[int, PointBlock]]
    seen: list[tuple[int, Seen]]


def read_part(part: Part, config: Config) -> Iterator[tuple[TripRows, Origin]]:
    """Reads a part of a file, block by block.

    Raises:
      DataError: the file cannot be read, or the order of day and month in its dates cannot be settled.
    """
    read = trip_parquet.read_parquet if part.parquet else trip_files.read_csv
    name = part.path if part.parquet else trip_files.unit_name(part.path, part.unit, config)
    first = 0 if part.parquet else 1 + trip_files.head_of(part.path, part.unit, config).written
    origin = Origin(name, part.unit, first)
    order = functools.partial(trip_dates.date_order, part.path, part.unit, part.parquet, config)
    for rows in read(part.path, part.unit, config):
        yield rows._replace(date_order=order), origin


def count_rows(
    rows: TripRows,
    part: Part,
    origin: Origin,
    config: Config,
    buckets: int,
    places: Optional[FilePlaces] = None,
) -> Counted:
    """Checks a block of rows and finds the events to count.

    Args:
      rows: of trips, or of points.
      part: of the inputs, that they come from.
      origin: where the rows come from.
      config: for grid, intervals and trips.
      buckets: number of buckets for the points.
      places: where the places of these rows are, if the rows name places.
    """
    if not rows.layout.of_points:
        starts, ends = trip_rows.check_trips(rows, config, places)
        events = [*_good(starts, OUTFLOW), *_good(ends, INFLOW)]
        seen = by_day(rows, (starts, ends), part.number, part.file)
        return Counted(trip_tally.of_trips(rows, starts, ends, origin), events, [], [*seen])
    points = trip_rows.check_points(rows, config)
    good = points.side.reasons == trip_rows.OK
    order = rows.numbers[good] + (part.index << _FILE_BITS) + (origin.unit << _UNIT_BITS)
    found = by_bucket(
        points.ids[good],
        points.elapsed[good],
        order,
        points.side.starts[good],
        points.side.cells[good],
        buckets,
    )
    return Counted(trip_tally.of_points(rows, points.side, origin), [], list(found), [])


def take_back(
    part: Part, again: np.ndarray, config: Config, places: Optional[FilePlaces] = None
) -> Iterator[Counted]:
    """Reads a part again, and takes back the rides in it that came before.

    Args:
      part: a part of a file of trips.
      again: the numbers of their rows, int64 `[n]`.
      config: as for `count_rows`.
      places: as for `count_rows`.

    Raises:
      DataError: the file cannot be read.
    """
    for rows, origin in read_part(part, config):
        chosen = np.flatnonzero(np.isin(rows.numbers, again))
        if len(chosen):
            some = rows.take(chosen)
            starts, ends = trip_rows.check_trips(some, config, places)
            events = [*_good(starts, OUTFLOW, -1), *_good(ends, INFLOW, -1)]
            yield Counted(trip_tally.of_doubles(some, starts, ends, origin), events, [], [])


def count_crossings(points: Iterable[PointBlock], max_gap_minutes: float) -> Counted:
    """Finds the crossings of trajectories; `points` must be all their points."""
    crossings = find_crossings(points, max_gap_minutes)
    tally, events = TripTally(), []
    tally.counts["gaps"] = crossings.gaps
    for cells, channel, name in (
        (crossings.entered, INFLOW, "crossings_in"),
        (crossings.left, OUTFLOW, "crossings_out"),
    ):
        inside = cells >= 0
        tally.counts[name] = int(inside.sum())
        events.append(Events(crossings.starts[inside], cells[inside], channel))
    return Counted(tally, events, [], [])


def trip_day(
    day: int, packed: Iterable[bytes], coverage: Coverage, config: Config
) -> tuple[FrameBlock, TripTally]:
    """The frames of a day, and their tally.

    Args:
      day: since 1970-01-01.
      packed: the day's compressed counts, in any number of parts.
      coverage: of all files.
      config: for grid, intervals and trips.
    """
    grid, minutes = config.grid, config.intervals.minutes
    frames, outside = assemble(
        day, packed, coverage, (grid.rows, grid.cols), minutes, config.trips.empty_days
    )
    zone = config.intervals.zone
    return frames, trip_tally.of_day(frames.starts, frames.maps, outside, zone)


def _good(side: Optional[trip_rows.Side], channel: int, sign: int = 1) -> list[Events]:
    if side is None:
        return []
    good = side.reasons == trip_rows.OK
    return [Events(side.starts[good], side.cells[good], channel, sign)]
