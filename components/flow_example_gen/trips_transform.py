"""The data flow of raw trips: parts of files -> counts by day -> complete frames, and the tally beside.

Counts are partial: every part of a file adds to a day's. So a day is combined by adding up, not by the rule of
duplicates that holds for flow records, and what is passed on is one packed array a day, never a trip.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from components.errors import CrowdFlowError
from components.flow_example_gen import trip_files, trip_rows, trip_tally
from components.flow_example_gen.day_counts import (
    INFLOW,
    OUTFLOW,
    Coverage,
    DayCounts,
    assemble,
    merge_coverage,
)
from components.flow_example_gen.trajectories import by_bucket, find_crossings
from components.flow_example_gen.trip_layouts import POINT_ROLES
from components.flow_example_gen.trip_tally import Origin, TripTally
from components.frames import FrameBlock
from pipeline.config import Config

_TALLY, _COVERAGE, _POINTS = "tally", "coverage", "points"
_BUCKET_BYTES = 64 << 20  # of input files, whose points are sorted at once
_FILE_BITS, _UNIT_BITS = 48, 33  # of a point's place in the order of files, units and lines
_LOG = logging.getLogger("crowdflow.ingest")


class Part(NamedTuple):
    """A part of a file of trips.

    Attributes:
      index: of the file among the inputs.
      path: of the file.
      unit: slice, member or row group.
      parquet: whether it is Parquet, not CSV.
    """

    index: int
    path: str
    unit: int
    parquet: bool


class _Counting(beam.DoFn):
    """Holds counts over a bundle, and hands them on when there are many or it ends."""

    def __init__(self, config: Config):
        self._config = config
        self._counts: DayCounts | None = None

    def start_bundle(self):
        grid, minutes = self._config.grid, self._config.intervals.minutes
        self._counts = DayCounts(grid.rows * grid.cols, minutes)

    def finish_bundle(self):
        for packed in self._counts.take():
            yield WindowedValue(packed, MIN_TIMESTAMP, [GlobalWindow()])

    def _add(self, starts: np.ndarray, cells: np.ndarray, channel: int) -> Iterator[Any]:
        self._counts.add(starts, cells, channel)
        if self._counts.full:
            yield from self._counts.take()


@beam.typehints.with_input_types(Part)
@beam.typehints.with_output_types(tuple[int, Any])
class CountTrips(_Counting):
    """Reads a part of a file as (day, packed counts); points of trajectories and the tally beside."""

    def __init__(self, config: Config, buckets: int):
        super().__init__(config)
        self._buckets = buckets

    def process(self, part):
        """Yields the counts; what goes wrong becomes a problem in the tally."""
        read = trip_files.read_parquet if part.parquet else trip_files.read_csv
        found = []
        try:
            name = part.path if part.parquet else trip_files.unit_name(part.path, part.unit)
            origin = Origin(name, part.unit, 0 if part.parquet else 2)
            for rows in read(part.path, part.unit, self._config):
                points = rows.layout.roles == POINT_ROLES
                count = self._points if points else self._trips
                yield from count(rows, part.index, origin, found)
                if len(found) > 1:
                    found = [trip_tally.merge(found)]
        except CrowdFlowError as error:
            found.append(TripTally(problems=[str(error)]))
        tally = trip_tally.merge(found)
        counts = tally.counts
        _LOG.info(
            "%s: %s rows", os.path.basename(part.path),
            f"{counts['trips_read'] + counts['points_read']:,}",
        )  # fmt: skip
        yield beam.pvalue.TaggedOutput(_COVERAGE, tally.coverage)
        yield beam.pvalue.TaggedOutput(_TALLY, tally)

    def _trips(self, rows, index, origin, found):
        starts, ends = trip_rows.judge_trips(rows, self._config)
        found.append(trip_tally.of_trips(rows, starts, ends, origin))
        for side, channel in ((starts, OUTFLOW), (ends, INFLOW)):
            good = side.reasons == trip_rows.OK
            yield from self._add(side.starts[good], side.cells[good], channel)

    def _points(self, rows, index, origin, found):
        points = trip_rows.judge_points(rows, self._config)
        found.append(trip_tally.of_points(rows, points.side, origin))
        good = points.side.reasons == trip_rows.OK
        unit = (index << _FILE_BITS) + (origin.unit << _UNIT_BITS)
        order = rows.numbers[good] + unit
        side = points.side
        for bucket in by_bucket(
            points.ids[good],
            points.elapsed[good],
            order,
            side.starts[good],
            side.cells[good],
            self._buckets,
        ):
            yield beam.pvalue.TaggedOutput(_POINTS, bucket)


@beam.typehints.with_output_types(tuple[int, Any])
class CountCrossings(_Counting):
    """Counts the crossings of some trajectories; `bucket` is (bucket, all its points)."""

    def process(self, bucket):
        """Yields (day, packed counts), and a tally beside."""
        crossings = find_crossings(bucket[1], self._config.trips.max_gap_minutes)
        tally = TripTally()
        tally.counts["gaps"] = crossings.gaps
        for cells, channel, name in (
            (crossings.entered, INFLOW, "crossings_in"),
            (crossings.left, OUTFLOW, "crossings_out"),
        ):
            inside = cells >= 0
            tally.counts[name] = int(inside.sum())
            yield from self._add(crossings.starts[inside], cells[inside], channel)
        yield beam.pvalue.TaggedOutput(_TALLY, tally)


@beam.typehints.with_output_types(FrameBlock)
class AssembleTripDay(beam.DoFn):
    """Makes a day's frames of its counts; every covered interval has one."""

    def __init__(self, config: Config):
        self._config = config

    def process(self, day, coverage: Coverage):
        """Yields the frames, and a tally beside; `day` is (day, packed counts)."""
        config, grid = self._config, self._config.grid
        parts = (part for part in day[1] if part)
        frames, outside = assemble(
            day[0],
            parts,
            coverage,
            (grid.rows, grid.cols),
            config.intervals.minutes,
            config.trips.empty_days,
        )
        zone = config.intervals.timezone
        tally = trip_tally.of_day(frames.starts, frames.maps, outside, zone)
        if len(frames.starts):
            yield frames
        yield beam.pvalue.TaggedOutput(_TALLY, tally)


class TripsToFrames(beam.PTransform):
    """Reads files of trips as frames.

    The result has `frames`, a FrameBlock without covariates for each day that has any, and `tally`, of TripTally.
    """

    def __init__(self, parts: Sequence[Part], config: Config):
        super().__init__()
        self._parts = list(parts)
        self._config = config

    def expand(self, pipeline: beam.Pipeline):
        """The frames and the tallies."""
        paths = {part.path for part in self._parts}
        buckets = 1 + sum(map(os.path.getsize, paths)) // _BUCKET_BYTES
        count = beam.ParDo(CountTrips(self._config, buckets))
        read = (
            pipeline
            | "Parts" >> beam.Create(self._parts)
            | "Spread" >> beam.Reshuffle()
            | "CountTrips" >> count.with_outputs(_TALLY, _COVERAGE, _POINTS, main="counts")
        )
        crossings = (
            read[_POINTS]
            | "ByTrajectory" >> beam.GroupByKey()
            | "CountCrossings"
            >> beam.ParDo(CountCrossings(self._config)).with_outputs(_TALLY, main="counts")
        )
        coverage = read[_COVERAGE] | "Coverage" >> beam.CombineGlobally(merge_coverage)
        covered = coverage | "CoveredDays" >> beam.FlatMap(_covered_days)
        days = (
            (read.counts, crossings.counts, covered)
            | "Counts" >> beam.Flatten()
            | "ByDay" >> beam.GroupByKey()
            | "AssembleDay"
            >> beam.ParDo(
                AssembleTripDay(self._config), beam.pvalue.AsSingleton(coverage)
            ).with_outputs(_TALLY, main="frames")
        )
        tally = (read[_TALLY], crossings[_TALLY], days[_TALLY]) | "Tallies" >> beam.Flatten()
        return {"frames": days.frames, "tally": tally}


@beam.typehints.with_output_types(tuple[int, Any])
def _covered_days(coverage: Coverage) -> Iterator[tuple[int, bytes]]:
    """Every covered day, with no counts, so that one without trips is made too."""
    return ((day, b"") for day in coverage.covered_days().tolist())
