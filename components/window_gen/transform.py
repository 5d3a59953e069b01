"""Frames to windows in Beam: one block per day, sent to every day whose windows need it."""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
import numpy as np

from crowdflow.components.tf_examples import decode_frames, encode_columns
from crowdflow.config import Config, SplitConfig
from crowdflow.flows import windows as pure
from crowdflow.flows.frames import FrameBlock, merge_blocks
from crowdflow.flows.naive import expanding_averages, naive_sources, recent_means, recent_times
from crowdflow.flows.usual import holiday_days
from crowdflow.schema import features
from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY, date_to_minutes, weekday

NEVER = np.iinfo(np.int64).max
_FRAMES, _AVERAGES = "frames", "averages"


def _days(starts: np.ndarray) -> np.ndarray:
    return np.unique(np.asarray(starts) // MINUTES_PER_DAY)


def take(block: FrameBlock, rows: np.ndarray) -> FrameBlock:
    """Selects rows of a block; `rows` is bool `[n]` or int64 `[m]`."""
    covariates = {name: values[rows] for name, values in block.covariates.items()}
    return FrameBlock(block.starts[rows], block.maps[rows], covariates)


def split_days(block: FrameBlock) -> Iterator[tuple[int, FrameBlock]]:
    """Splits a block by day; the key is the number of days since 1970-01-01."""
    days = block.starts // MINUTES_PER_DAY
    for day in np.unique(days):
        yield int(day), take(block, days == day)


@dataclasses.dataclass(frozen=True)
class Routes:
    """The plan of windows, and which days need each day's frames and averages.

    Attributes:
      plan: the windows.
      starts: all frames' starts, int64 `[n]`, ascending.
      frames: source day -> the days whose windows take lags, targets or naive forecasts from it.
      averages: source day -> the days whose windows' targets lie in it.
    """

    plan: pure.WindowPlan
    starts: np.ndarray
    frames: dict[int, list[int]]
    averages: dict[int, list[int]]


def make_routes(starts: np.ndarray, config: Config) -> Routes:
    """Plans the windows of all frames, and which days need each day of frames."""
    minutes = config.intervals.minutes
    starts = np.sort(starts)
    plan = pure.plan_windows(starts, minutes, config.windows, config.split)
    offsets = pure.window_offsets(config.windows, config.intervals.per_day)
    span = np.concatenate([part.reshape(-1) for part in offsets.values()]) * minutes
    frames, averages = {}, {}
    origins = np.sort(np.concatenate(list(plan.origins.values())))
    naive = naive_sources(starts, origins, config.windows.horizon, minutes)
    for day in _days(origins):
        mine = origins // MINUTES_PER_DAY == day
        targets = origins[mine][:, None] + offsets[features.TARGET] * minutes
        needed = [origins[mine][:, None] + span] + [source[mine] for source in naive.values()]
        needed.append(recent_times(targets))
        for source in _days(np.concatenate([part.reshape(-1) for part in needed])):
            frames.setdefault(int(source), []).append(int(day))
        for source in _days(targets):
            averages.setdefault(int(source), []).append(int(day))
    return Routes(plan, starts, frames, averages)


def last_day(split: SplitConfig) -> int:
    """The last day that is used, in days since 1970-01-01."""
    if split.until is None:
        return NEVER
    return date_to_minutes(dt.date.fromisoformat(split.until)) // MINUTES_PER_DAY


def _send(
    keyed: tuple[int, FrameBlock], routes: dict[int, list[int]]
) -> list[tuple[int, FrameBlock]]:
    day, block = keyed
    return [(to, block) for to in routes.get(day, [])]


def day_averages(blocks: Iterable[FrameBlock]) -> Iterator[tuple[int, FrameBlock]]:
    """The historical averages of one weekday's frames, by day."""
    block = merge_blocks(blocks)
    starts, averages = expanding_averages(block.starts, block.maps)
    yield from split_days(FrameBlock(starts, averages))


def day_windows(
    day: int,
    blocks: dict[str, list[FrameBlock]],
    routes: Routes,
    first: np.ndarray,
    config: Config,
    holidays: np.ndarray,
) -> Iterator[tuple[str, list[bytes]]]:
    """All windows of one day, serialized, by split.

    Args:
      day: days since 1970-01-01.
      blocks: `frames` and `averages`, the blocks sent to this day.
      routes: the plan.
      first: when each cell first has any flow, int64 `[H, W]`.
      config: grid, intervals, windows and covariates.
      holidays: those of the country's table, days since 1970-01-01; a holidays file's are in the frames.
    """
    minutes, horizon = config.intervals.minutes, config.windows.horizon
    frames = merge_blocks(blocks[_FRAMES])
    if features.HOLIDAY in frames.covariates:
        holidays = frames.starts[frames.covariates[features.HOLIDAY] == 1] // MINUTES_PER_DAY
    averages = merge_blocks(blocks[_AVERAGES]) if blocks[_AVERAGES] else None
    for split, origins in routes.plan.origins.items():
        origins = origins[origins // MINUTES_PER_DAY == day]
        if not len(origins):
            continue
        columns = pure.gather(
            frames.starts, frames.maps, origins, config.windows, minutes, holidays
        )
        targets = origins[:, None] + np.arange(horizon) * minutes
        sources = naive_sources(routes.starts, origins, horizon, minutes)
        naive = {n: frames.maps[pure.locate(frames.starts, s)] for n, s in sources.items()}
        naive["historical_average"] = naive["last_week"].copy()
        if averages is not None:
            known = np.isin(targets, averages.starts)
            rows = pure.locate(averages.starts, targets[known])
            naive["historical_average"][known] = averages.maps[rows]
        last_week = naive["last_week"]
        naive |= recent_means(frames.starts, frames.maps, targets, holidays, last_week)
        columns |= {features.naive_feature(name): naive[name] for name in features.NAIVE_FORECASTS}
        rows = pure.locate(frames.starts, origins)
        columns |= {name: values[rows] for name, values in frames.covariates.items()}
        columns[features.TARGET_TIME] = origins
        columns[features.HOUR] = origins % MINUTES_PER_DAY // 60
        columns[features.WEEKEND] = (weekday(origins) >= 5).astype(np.int64)
        columns[features.ACTIVE_CELLS] = active_cells(first, origins, routes.plan.test_start)
        yield split, encode_columns(columns)


def first_flows(block: FrameBlock) -> np.ndarray:
    """When each cell first has any flow: a frame's start, or `NEVER`, int64 `[H, W]`."""
    active = (block.maps > 0).any(axis=3)
    return np.where(active, block.starts[:, None, None], NEVER).min(axis=0)


def active_cells(first: np.ndarray, origins: np.ndarray, test_start: int) -> np.ndarray:
    """Cells that are active for each window: with any flow before the window, not counting the test period.

    Args:
      first: as `first_flows`, of all frames, int64 `[H, W]`.
      origins: first target intervals, int64 `[m]`.
      test_start: first minute of the test period.

    Returns:
      Counts, int64 `[m]`; the same for all test windows.
    """
    before = np.minimum(origins, test_start)
    return (first.reshape(-1) < before[:, None]).sum(axis=1)


class _Windows(beam.DoFn):
    """`(day, {frames, averages})` to serialized windows, one tagged output per split."""

    def __init__(self, config: Config, holidays: np.ndarray):
        self._config, self._holidays = config, holidays

    def process(self, element, routes: Routes, first: np.ndarray):
        day, blocks = element
        blocks = {name: list(found) for name, found in blocks.items()}
        if not blocks[_FRAMES]:
            return
        made = day_windows(day, blocks, routes, first, self._config, self._holidays)
        for split, examples in made:
            for example in examples:
                yield beam.pvalue.TaggedOutput(split, example)


def _earliest(firsts: Iterable[np.ndarray]) -> np.ndarray:
    return np.min(list(firsts), axis=0)


class FramesToWindows(beam.PTransform):
    """Serialized frames to serialized windows by split, and the plan's counters.

    The result is a dict: `train`, `eval` and `test` -> PCollection[bytes], `counters` -> PCollection with one
    dict, `active` -> PCollection with the mask of the active cells, bool `[H, W]`.

    Args:
      config: sections grid, intervals, ingest, windows and split.
      holidays: dates YYYY-MM-DD of `transform.holiday_country`'s table.
    """

    def __init__(self, config: Config, holidays: Sequence[str] = ()):
        super().__init__()
        self._config, self._holidays = config, holiday_days(holidays)

    def expand(self, serialized):
        config, ingest = self._config, self._config.ingest
        known = features.covariates(ingest.holidays, ingest.weather, ingest.weather_columns)
        every = (
            serialized
            | "Batch" >> beam.BatchElements(min_batch_size=256, max_batch_size=1024)
            | "Decode"
            >> beam.Map(lambda e: decode_frames(e, config.grid.rows, config.grid.cols, known))
            | "SplitDays" >> beam.FlatMap(split_days)
            | "GroupDays" >> beam.GroupByKey()
            | "MergeDays" >> beam.MapTuple(lambda day, blocks: (day, merge_blocks(blocks)))
        )
        last = last_day(config.split)
        days = every | "Until" >> beam.Filter(lambda keyed: keyed[0] <= last)
        after = (
            every
            | "After" >> beam.Filter(lambda keyed: keyed[0] > last)
            | "CountAfter" >> beam.MapTuple(lambda day, block: len(block.starts))
            | "AllAfter" >> beam.CombineGlobally(sum)
        )
        routes = (
            days
            | "Starts" >> beam.MapTuple(lambda day, block: block.starts)
            | "AllStarts" >> beam.CombineGlobally(Concatenate())
            | "Plan" >> beam.Map(make_routes, config)
        )
        side = beam.pvalue.AsSingleton(routes)
        first = (
            days
            | "FirstFlows" >> beam.MapTuple(lambda day, block: first_flows(block))
            | "FirstOfAll" >> beam.CombineGlobally(_earliest).without_defaults()
        )
        active = first | "Active" >> beam.Map(lambda f, r: f < r.plan.test_start, side)
        frames = days | "RouteFrames" >> beam.FlatMap(lambda keyed, r: _send(keyed, r.frames), side)
        averages = (
            days
            | "ByWeekday" >> beam.MapTuple(lambda day, block: (day % DAYS_PER_WEEK, block))
            | "GroupWeekdays" >> beam.GroupByKey()
            | "Averages" >> beam.FlatMapTuple(lambda _, blocks: day_averages(blocks))
            | "RouteAverages" >> beam.FlatMap(lambda keyed, r: _send(keyed, r.averages), side)
        )
        splits = (
            {_FRAMES: frames, _AVERAGES: averages}
            | "GroupTargets" >> beam.CoGroupByKey()
            | "Windows"
            >> beam.ParDo(
                _Windows(config, self._holidays), side, beam.pvalue.AsSingleton(first)
            ).with_outputs(*pure.SPLITS)
        )
        counters = routes | "Counters" >> beam.Map(
            lambda r, mask, left: {
                **r.plan.counters(),
                "frames_after_until": left,
                "active_cells": int(mask.sum()),
            },
            beam.pvalue.AsSingleton(active),
            beam.pvalue.AsSingleton(after),
        )
        found = {split: splits[split] for split in pure.SPLITS}
        return found | {"counters": counters, "active": active}


class Concatenate(beam.CombineFn):
    """Concatenates int64 arrays."""

    def create_accumulator(self):
        return []

    def add_input(self, accumulator, element):
        return [*accumulator, element]

    def merge_accumulators(self, accumulators):
        return [array for accumulator in accumulators for array in accumulator]

    def extract_output(self, accumulator):
        return np.concatenate([np.zeros(0, np.int64), *accumulator])
