"""Reads files as frames in this process, without Beam: for the few weeks that a forecast needs.

Runs the same functions as the data flow, `transform`, in a plain loop, so the frames are the same.
"""

import collections
import dataclasses
import json
import math
from collections.abc import Iterable, Sequence

import numpy as np

from crowdflow.config import Config
from crowdflow.flows.frames import FrameBlock, merge_blocks
from crowdflow.ingest import date_range
from crowdflow.ingest.chunks import are_trips, chunks, merge_of, parts
from crowdflow.ingest.counters import counters_json
from crowdflow.ingest.covariates.side_files import covariates
from crowdflow.ingest.doubles.find import doubles_by_part
from crowdflow.ingest.records.records import assemble_day
from crowdflow.ingest.sources import (
    READERS,
    Source,
    inspect_sources,
    read_places,
    read_side_files,
)
from crowdflow.ingest.tally import Tally
from crowdflow.ingest.trips import trip_tally
from crowdflow.ingest.trips.day_counts import DayCounts
from crowdflow.ingest.trips.trip_counts import (
    count_crossings,
    count_rows,
    read_part,
    take_back,
    trip_day,
)
from crowdflow.schema.errors import DataNotFoundError
from crowdflow.schema.intervals import MINUTES_PER_DAY


@dataclasses.dataclass(frozen=True)
class History:
    """Frames, with the side files and the counters.

    Attributes:
      frames: in order of time, without covariates.
      side: the content of the side files, see `sources.read_side_files`.
      counters: what was read and rejected, as in `counters.json`.
    """

    frames: FrameBlock
    side: dict
    counters: dict

    def covariates(self, starts: np.ndarray, config: Config) -> dict[str, np.ndarray]:
        """The covariates of intervals, whether they have a frame or not; see `side_files.covariates`."""
        return covariates(starts, **self.side, max_age_hours=config.ingest.weather_max_age_hours)


def read_history(paths: Sequence[str], config: Config) -> History:
    """Reads flow records, trips or trajectories, and side files, as FlowExampleGen does.

    Args:
      paths: files, folders and glob patterns.
      config: for grid, intervals, ingest and trips, and windows if there is a range of dates.

    Raises:
      DataNotFoundError: an input does not exist.
      DataError: an input cannot be used, too many records are rejected, or there is no frame.
    """
    resolved = date_range.resolve(paths, config)
    config = resolved.config
    sources = inspect_sources(resolved.paths, config)
    read = _read_trips if are_trips(sources) else _read_flows
    blocks, found = read(sources, config)
    tally = merge_of(sources)(found)
    counters = json.loads(counters_json(tally, sources, paths, resolved))
    return History(merge_blocks(blocks), read_side_files(sources, config), counters)


def needed_files(
    paths: Sequence[str], config: Config, pattern: str | None, first: int | None, last: int | None
) -> list[str]:
    """The files of the days that forecasts look back on, by the dates in their names, and those without a date.

    Args:
      paths: files, folders and glob patterns.
      config: for windows, intervals and trips.
      pattern: as `range.pattern`. If it is None, or no file is named so, all paths are returned.
      first: the first target, wall-clock minutes; None is the one after the newest file's records.
      last: the last target; None likewise.
    """
    try:
        dated, others = date_range.list_partitions(paths, pattern)
    except DataNotFoundError:  # the files lie otherwise here; if there are none, the reader says so
        return list(paths)
    if not dated:
        return list(paths)
    newest = max(dated, key=lambda partition: partition.last)
    begin = newest.first if first is None else first // MINUTES_PER_DAY
    end = newest.last if last is None else last // MINUTES_PER_DAY
    begin -= config.windows.history_days(config.intervals.per_day)
    begin -= math.ceil(config.trips.max_hours / 24)  # a trip from then may end within the days
    chosen = [part.path for part in dated if part.last >= begin and part.first <= end]
    return chosen + others if chosen else list(paths)


def _read_flows(sources: Sequence[Source], config: Config) -> tuple[list[FrameBlock], list[Tally]]:
    by_day, tallies = collections.defaultdict(list), []
    for chunk in chunks(sources):
        source = sources[chunk.index]
        for blocks, tally in READERS[source.kind].read(source.path, *chunk, config):
            for day, block in blocks:
                by_day[day].append(block)
            tallies.append(tally)
    files, grid = [source.path for source in sources], config.grid
    frames = []
    for day in sorted(by_day):
        made, tally = assemble_day(
            by_day[day], grid.rows, grid.cols, config.ingest.absent_cells, files
        )
        frames.append(made)
        tallies.append(tally)
    return frames, tallies


def _read_trips(sources: Sequence[Source], config: Config) -> tuple[list[FrameBlock], list[Tally]]:
    grid = config.grid
    counts = DayCounts(grid.rows * grid.cols, config.intervals.minutes)
    packed, tallies, points = collections.defaultdict(list), [], []
    seen, every = collections.defaultdict(list), parts(sources)

    def add(events: Iterable) -> None:
        for event in events:
            counts.add(*event)
        if counts.full:
            keep()

    def keep() -> None:
        for day, part in counts.take():
            packed[day].append(part)

    places = read_places(sources, config)
    for part in every:
        here = places.of_file(part.path)
        for rows, origin in read_part(part, config):
            counted = count_rows(rows, part, origin, config, buckets=1, places=here)
            add(counted.events)
            tallies.append(counted.tally)
            points += [block for _, block in counted.points]
            for day, trips in counted.seen:
                seen[day].append(trips)
    for number, rows in doubles_by_part(seen).items():
        part = every[number]
        for counted in take_back(part, rows, config, places.of_file(part.path)):
            add(counted.events)
            tallies.append(counted.tally)
    crossings = count_crossings(points, config.trips.max_gap_minutes)
    add(crossings.events)
    keep()
    limits = date_range.bounds(config)
    coverage = trip_tally.merge(tallies).coverage.within(limits, config.intervals.minutes)
    days = {*packed, *coverage.covered_days().tolist()}
    made = [trip_day(day, packed[day], coverage, config) for day in sorted(days)]
    frames = [block for block, _ in made if len(block.starts)]
    return frames, [*tallies, crossings.tally, *(tally for _, tally in made)]
