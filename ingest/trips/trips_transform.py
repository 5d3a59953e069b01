"""The data flow of raw trips: parts of files -> counts by day -> complete frames; the tally is a second output.

Counts are partial: every part of a file can add to a day. So the counts of a day are summed; the rule for
duplicate flow records does not apply. One compressed array per day is passed on, never single trips.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from crowdflow.config import Config
from crowdflow.flows.frames import FrameBlock
from crowdflow.ingest import date_range
from crowdflow.ingest.doubles.find import find_doubles, pack_rows, unpack_rows
from crowdflow.ingest.doubles.spool import Stored, spool_of, store
from crowdflow.ingest.places.places import Places
from crowdflow.ingest.trips import trip_tally
from crowdflow.ingest.trips.day_counts import Coverage, DayCounts, merge_coverage
from crowdflow.ingest.trips.trip_counts import (
    Events,
    Part,
    count_crossings,
    count_rows,
    read_part,
    take_back,
    trip_day,
)
from crowdflow.ingest.trips.trip_tally import TripTally
from crowdflow.schema.errors import CrowdFlowError
from crowdflow.storage import files

_TALLY, _COVERAGE, _POINTS, _SEEN = "tally", "coverage", "points", "seen"
_BUCKET_BYTES = 64 << 20  # of input files per bucket; the points of a bucket are sorted at once
_LOG = logging.getLogger("crowdflow.ingest")


class _Counting(beam.DoFn):
    """Keeps counts during a bundle, and passes them on when there are many or the bundle ends."""

    def __init__(self, config: Config):
        self._config = config
        self._counts: DayCounts | None = None

    def start_bundle(self):
        grid, minutes = self._config.grid, self._config.intervals.minutes
        self._counts = DayCounts(grid.rows * grid.cols, minutes)

    def finish_bundle(self):
        for packed in self._counts.take():
            yield WindowedValue(packed, MIN_TIMESTAMP, [GlobalWindow()])

    def _add(self, events: Events) -> Iterator[Any]:
        self._counts.add(*events)
        if self._counts.full:
            yield from self._counts.take()


@beam.typehints.with_input_types(Part)
@beam.typehints.with_output_types(tuple[int, Any])
class CountTrips(_Counting):
    """Reads a part of a file as (day, compressed counts); points and the tally are tagged outputs."""

    def __init__(self, config: Config, buckets: int, places: Places, spool: str | None):
        super().__init__(config)
        self._buckets = buckets
        self._places = places
        self._spool = spool

    def process(self, part):
        """Yields the counts; an error becomes a problem in the tally."""
        found, places = [], self._places.of_file(part.path)
        try:
            for rows, origin in read_part(part, self._config):
                counted = count_rows(rows, part, origin, self._config, self._buckets, places)
                for events in counted.events:
                    yield from self._add(events)
                for day, trips in counted.seen:
                    kept = store(trips, day, self._spool) if self._spool else trips
                    yield beam.pvalue.TaggedOutput(_SEEN, (day, kept))
                for bucket in counted.points:
                    yield beam.pvalue.TaggedOutput(_POINTS, bucket)
                found.append(counted.tally)
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


@beam.typehints.with_output_types(tuple[int, Any])
class CountCrossings(_Counting):
    """Counts the crossings of the trajectories in a bucket."""

    def process(self, bucket):
        """Yields (day, compressed counts), and the tally as a tagged output; `bucket` is (index, all points)."""
        counted = count_crossings(bucket[1], self._config.trips.max_gap_minutes)
        for events in counted.events:
            yield from self._add(events)
        yield beam.pvalue.TaggedOutput(_TALLY, counted.tally)


@beam.typehints.with_output_types(tuple[int, Any])
def _doubles(day: tuple[int, Any]) -> Iterator[tuple[int, bytes]]:
    """Yields the rides that came before, by the part that has them; `day` is (day, all its trips)."""
    seen = (trips.read() if isinstance(trips, Stored) else trips for trips in day[1])
    for part, rows in find_doubles(seen).items():
        yield part, pack_rows(rows)


@beam.typehints.with_output_types(tuple[int, Any])
class TakeBack(_Counting):
    """Reads a part with rides that came before again, and takes back their counts."""

    def __init__(self, parts: Sequence[Part], config: Config, places: Places):
        super().__init__(config)
        self._parts = parts
        self._places = places

    def process(self, doubles):
        """Yields counts below zero, and the tally as a tagged output; `doubles` is (part, packed rows)."""
        part, rows = self._parts[doubles[0]], np.concatenate([*map(unpack_rows, doubles[1])])
        tally = TripTally()
        for counted in take_back(part, rows, self._config, self._places.of_file(part.path)):
            for events in counted.events:
                yield from self._add(events)
            tally = trip_tally.merge([tally, counted.tally])
        yield beam.pvalue.TaggedOutput(_TALLY, tally)


@beam.typehints.with_output_types(FrameBlock)
class AssembleTripDay(beam.DoFn):
    """Assembles the frames of a day from its counts; every covered interval has one."""

    def __init__(self, config: Config):
        self._config = config

    def process(self, day, coverage: Coverage):
        """Yields the frames, and the tally as a tagged output; `day` is (day, compressed counts)."""
        parts = (part for part in day[1] if part)
        frames, tally = trip_day(day[0], parts, coverage, self._config)
        if len(frames.starts):
            yield frames
        yield beam.pvalue.TaggedOutput(_TALLY, tally)


class TripsToFrames(beam.PTransform):
    """Reads files of trips as frames.

    Returns `frames`, one FrameBlock without covariates per day with frames, and `tally`, TripTally.
    """

    def __init__(self, parts: Sequence[Part], config: Config, places: Places):
        super().__init__()
        self._parts = list(parts)
        self._config = config
        self._places = places

    def expand(self, pipeline: beam.Pipeline):
        """The frames and the tallies, as PCollections."""
        paths = {part.path for part in self._parts}
        buckets = 1 + sum(map(files.size, paths)) // _BUCKET_BYTES
        spool = spool_of(pipeline.pipeline)
        count = beam.ParDo(CountTrips(self._config, buckets, self._places, spool))
        read = (
            pipeline
            | "Parts" >> beam.Create(self._parts)
            | "Spread" >> beam.Reshuffle()
            | "CountTrips" >> count.with_outputs(_TALLY, _COVERAGE, _POINTS, _SEEN, main="counts")
        )
        again = (
            read[_SEEN]
            | "SeenByDay" >> beam.GroupByKey()
            | "FindDoubles" >> beam.FlatMap(_doubles)
            | "ByPart" >> beam.GroupByKey()
            | "TakeBack"
            >> beam.ParDo(TakeBack(self._parts, self._config, self._places)).with_outputs(
                _TALLY, main="counts"
            )
        )
        crossings = (
            read[_POINTS]
            | "ByTrajectory" >> beam.GroupByKey()
            | "CountCrossings"
            >> beam.ParDo(CountCrossings(self._config)).with_outputs(_TALLY, main="counts")
        )
        coverage = (
            read[_COVERAGE]
            | "AllCoverage" >> beam.CombineGlobally(merge_coverage)
            | "InRange" >> beam.Map(_in_range, self._config)
        )
        covered = coverage | "CoveredDays" >> beam.FlatMap(_covered_days)
        days = (
            (read.counts, again.counts, crossings.counts, covered)
            | "Counts" >> beam.Flatten()
            | "ByDay" >> beam.GroupByKey()
            | "AssembleDay"
            >> beam.ParDo(
                AssembleTripDay(self._config), beam.pvalue.AsSingleton(coverage)
            ).with_outputs(_TALLY, main="frames")
        )
        tally = (
            read[_TALLY],
            again[_TALLY],
            crossings[_TALLY],
            days[_TALLY],
        ) | "Tallies" >> beam.Flatten()
        return {"frames": days.frames, "tally": tally}


def _in_range(coverage: Coverage, config: Config) -> Coverage:
    return coverage.within(date_range.bounds(config), config.intervals.minutes)


@beam.typehints.with_output_types(tuple[int, Any])
def _covered_days(coverage: Coverage) -> Iterator[tuple[int, bytes]]:
    """Yields every covered day without counts, so that days without trips get frames too."""
    return ((day, b"") for day in coverage.covered_days().tolist())
