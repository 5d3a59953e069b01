"""Frames to windows in Beam: blocks of a day, each sent to the days whose windows need it."""

import dataclasses
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np

from components.frames import FrameBlock, decode_frames, encode_columns
from components.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY, weekday
from components.window_gen import windows as pure
from pipeline.config import Config
from trainer import features

_FRAMES, _AVERAGES = "frames", "averages"


def _days(starts: np.ndarray) -> np.ndarray:
    return np.unique(np.asarray(starts) // MINUTES_PER_DAY)


def merge_blocks(blocks: Iterable[FrameBlock]) -> FrameBlock:
    """One block of many, in order of time."""
    blocks = list(blocks)
    starts = np.concatenate([block.starts for block in blocks])
    order = np.argsort(starts)
    return FrameBlock(
        starts=starts[order],
        maps=np.concatenate([block.maps for block in blocks])[order],
        covariates={
            name: np.concatenate([block.covariates[name] for block in blocks])[order]
            for name in blocks[0].covariates
        },
    )


def take(block: FrameBlock, rows: np.ndarray) -> FrameBlock:
    """Some rows of a block; `rows` is bool `[n]` or int64 `[m]`."""
    covariates = {name: values[rows] for name, values in block.covariates.items()}
    return FrameBlock(block.starts[rows], block.maps[rows], covariates)


def split_days(block: FrameBlock) -> Iterator[tuple[int, FrameBlock]]:
    """A block's days, each keyed by its number since 1970-01-01."""
    days = block.starts // MINUTES_PER_DAY
    for day in np.unique(days):
        yield int(day), take(block, days == day)


@dataclasses.dataclass(frozen=True)
class Routes:
    """Where each day's frames and averages are needed, and the plan they come from.

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
    """Plans the windows of all frames and where each day of frames has to go."""
    minutes = config.intervals.minutes
    starts = np.sort(starts)
    plan = pure.plan_windows(starts, minutes, config.windows, config.split)
    offsets = pure.window_offsets(config.windows, config.intervals.per_day)
    span = np.concatenate(list(offsets.values())) * minutes
    frames, averages = {}, {}
    origins = np.sort(np.concatenate(list(plan.origins.values())))
    naive = pure.naive_sources(starts, origins, config.windows.horizon, minutes)
    for day in _days(origins):
        mine = origins // MINUTES_PER_DAY == day
        needed = [origins[mine][:, None] + span] + [source[mine] for source in naive.values()]
        for source in _days(np.concatenate([part.reshape(-1) for part in needed])):
            frames.setdefault(int(source), []).append(int(day))
        targets = origins[mine][:, None] + offsets[features.TARGET] * minutes
        for source in _days(targets):
            averages.setdefault(int(source), []).append(int(day))
    return Routes(plan, starts, frames, averages)


def _send(
    keyed: tuple[int, FrameBlock], routes: dict[int, list[int]]
) -> list[tuple[int, FrameBlock]]:
    day, block = keyed
    return [(to, block) for to in routes.get(day, [])]


def day_averages(blocks: Iterable[FrameBlock]) -> Iterator[tuple[int, FrameBlock]]:
    """The historical averages of one weekday's frames, by day."""
    block = merge_blocks(blocks)
    starts, averages = pure.expanding_averages(block.starts, block.maps)
    yield from split_days(FrameBlock(starts, averages))


def day_windows(
    day: int, blocks: dict[str, list[FrameBlock]], routes: Routes, active: int, config: Config
) -> Iterator[tuple[str, list[bytes]]]:
    """All windows of one day, serialized, by split.

    Args:
      day: days since 1970-01-01.
      blocks: `frames` and `averages`, the blocks that were routed to this day.
      routes: the plan.
      active: number of active cells.
      config: grid, intervals, windows and covariates.
    """
    minutes, horizon = config.intervals.minutes, config.windows.horizon
    frames = merge_blocks(blocks[_FRAMES])
    averages = merge_blocks(blocks[_AVERAGES]) if blocks[_AVERAGES] else None
    for split, origins in routes.plan.origins.items():
        origins = origins[origins // MINUTES_PER_DAY == day]
        if not len(origins):
            continue
        columns = pure.gather(frames.starts, frames.maps, origins, config.windows, minutes)
        sources = pure.naive_sources(routes.starts, origins, horizon, minutes)
        for name, source in sources.items():
            rows = pure.locate(frames.starts, source)
            columns[features.naive_feature(name)] = frames.maps[rows]
        average = columns[features.naive_feature("last_week")].copy()
        if averages is not None:
            targets = origins[:, None] + np.arange(horizon) * minutes
            known = np.isin(targets, averages.starts)
            average[known] = averages.maps[pure.locate(averages.starts, targets[known])]
        columns[features.naive_feature("historical_average")] = average
        first = pure.locate(frames.starts, origins)
        columns |= {name: values[first] for name, values in frames.covariates.items()}
        columns[features.TARGET_TIME] = origins
        columns[features.HOUR] = origins % MINUTES_PER_DAY // 60
        columns[features.WEEKEND] = (weekday(origins) >= 5).astype(np.int64)
        columns[features.ACTIVE_CELLS] = np.full(len(origins), active, np.int64)
        yield split, encode_columns(columns)


def active_mask(block: FrameBlock, before: int) -> np.ndarray:
    """Cells with any flow before a minute, bool `[H, W]`."""
    return (block.maps[block.starts < before] > 0).any(axis=(0, 3))


class _Windows(beam.DoFn):
    """`(day, {frames, averages})` to serialized windows, one tagged output a split."""

    def __init__(self, config: Config):
        self._config = config

    def process(self, element, routes: Routes, active: int):
        day, blocks = element
        blocks = {name: list(found) for name, found in blocks.items()}
        if not blocks[_FRAMES]:
            return
        for split, examples in day_windows(day, blocks, routes, active, self._config):
            for example in examples:
                yield beam.pvalue.TaggedOutput(split, example)


def _any(masks: Iterable[np.ndarray]) -> np.ndarray:
    return np.any(list(masks), axis=0)


class FramesToWindows(beam.PTransform):
    """Serialized frames to serialized windows by split, and the plan's counters.

    The result is a dict: `train`, `eval` and `test` -> PCollection[bytes], `counters` -> PCollection with one
    dict, `active` -> PCollection with the mask of the active cells, bool `[H, W]`.
    """

    def __init__(self, config: Config):
        super().__init__()
        self._config = config

    def expand(self, serialized):
        config, ingest = self._config, self._config.ingest
        known = features.covariates(ingest.holidays, ingest.weather, ingest.weather_columns)
        days = (
            serialized
            | "Batch" >> beam.BatchElements(min_batch_size=256, max_batch_size=1024)
            | "Decode"
            >> beam.Map(lambda e: decode_frames(e, config.grid.rows, config.grid.cols, known))
            | "SplitDays" >> beam.FlatMap(split_days)
            | "GroupDays" >> beam.GroupByKey()
            | "MergeDays" >> beam.MapTuple(lambda day, blocks: (day, merge_blocks(blocks)))
        )
        routes = (
            days
            | "Starts" >> beam.MapTuple(lambda day, block: block.starts)
            | "AllStarts" >> beam.CombineGlobally(_Concatenate())
            | "Plan" >> beam.Map(make_routes, config)
        )
        side = beam.pvalue.AsSingleton(routes)
        active = (
            days
            | "ActiveMasks"
            >> beam.Map(lambda keyed, r: active_mask(keyed[1], r.plan.test_start), side)
            | "AnyActive" >> beam.CombineGlobally(_any).without_defaults()
        )
        count = beam.pvalue.AsSingleton(active | "CountActive" >> beam.Map(lambda m: int(m.sum())))
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
            | "Windows" >> beam.ParDo(_Windows(config), side, count).with_outputs(*pure.SPLITS)
        )
        counters = routes | "Counters" >> beam.Map(
            lambda r, cells: {**r.plan.counters(), "active_cells": cells}, count
        )
        found = {split: splits[split] for split in pure.SPLITS}
        return found | {"counters": counters, "active": active}


class _Concatenate(beam.CombineFn):
    """All int64 arrays as one."""

    def create_accumulator(self):
        return []

    def add_input(self, accumulator, element):
        return [*accumulator, element]

    def merge_accumulators(self, accumulators):
        return [array for accumulator in accumulators for array in accumulator]

    def extract_output(self, accumulator):
        return np.concatenate(accumulator) if accumulator else np.empty(0, np.int64)
