"""Frames to windows in Beam: what passes between workers are references, maps lie in files by day."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np

from crowdflow.components.tf_examples import decode_frames, encode_columns
from crowdflow.components.window_gen import frames, windows
from crowdflow.config import Config
from crowdflow.flows import windows as pure
from crowdflow.flows.usual import holiday_days
from crowdflow.schema import features
from crowdflow.schema.intervals import MINUTES_PER_DAY
from crowdflow.storage.map_store import write_starts


class FramesToWindows(beam.PTransform):
    """Serialized frames to windows: maps by day in files, serialized windows by split, and the plan's counters.

    The result is a dict. `train` and `eval` -> PCollection[bytes], windows as references: tf.Examples with the
    first target and the covariates, whose maps are in the files. `test` and `scaling` -> PCollection[bytes],
    windows in full. `counters` -> PCollection with one dict, `active` -> PCollection with the mask of the active
    cells, bool `[H, W]`. `frames.PARKED` in the folder is not needed after the pipeline's end.

    Args:
      config: sections grid, intervals, ingest, windows and split.
      holidays: dates YYYY-MM-DD of `transform.holiday_country`'s table.
      folder: that every worker reads and writes: frames and averages are put there.
      full: the splits whose windows are made in full, besides `scaling`.
    """

    def __init__(
        self,
        config: Config,
        holidays: Sequence[str],
        folder: str,
        full: Sequence[str] = (windows.TEST,),
    ):
        super().__init__()
        self._config, self._holidays = config, holiday_days(holidays)
        self._folder, self._full = folder, tuple(full)

    def expand(self, serialized):
        config, folder = self._config, self._folder
        index, after = self._index(serialized)
        plan = index | "Plan" >> beam.Map(windows.make_plan, config, self._holidays)
        side = beam.pvalue.AsSingleton(plan)
        averages = (
            plan
            | "AverageDays" >> beam.FlatMap(lambda p: _days(p.averaged))
            | "SpreadAverages" >> beam.Reshuffle()
            | "WriteAverages" >> beam.Map(windows.write_averages, side, folder, config)
            | "AllAverages" >> beam.CombineGlobally(Collect(windows.merge_averages))
        )
        full = (
            averages
            | "Jobs" >> beam.FlatMap(_jobs, side, self._full, config)
            | "SpreadJobs" >> beam.Reshuffle()
            | "FullWindows"
            >> beam.ParDo(_FullWindows(folder, config), side).with_outputs(
                *self._full, windows.SCALING
            )
        )
        found = {split: full[split] for split in (*self._full, windows.SCALING)}
        for split in set(pure.SPLITS) - set(self._full):
            found[split] = plan | f"References[{split}]" >> beam.FlatMap(_references, split)
        plan | "WriteStarts" >> beam.Map(_write_starts, f"{folder}/{features.FRAMES_FOLDER}")
        if config.windows.average:
            averages | "WriteAverageStarts" >> beam.Map(
                lambda found, path: write_starts(path, found[0]),
                f"{folder}/{features.AVERAGES_FOLDER}",
            )
        active = plan | "Active" >> beam.Map(_active)
        counters = plan | "Counters" >> beam.Map(_counters, beam.pvalue.AsSingleton(after))
        return found | {"counters": counters, "active": active}

    def _index(self, serialized):
        """The index of the frames, whose maps are then in files by day; and how many frames came too late."""
        config, folder, ingest = self._config, self._folder, self._config.ingest
        known = features.covariates(ingest.holidays, ingest.weather, ingest.weather_columns)
        grid, last = (config.grid.rows, config.grid.cols), windows.last_day(config.split)
        shape, size = (*grid, len(features.CHANNELS)), frames.batch_size(config)
        pieces = (
            serialized
            | "Batch" >> beam.BatchElements(min_batch_size=min(size, 256), max_batch_size=size)
            | "Decode" >> beam.Map(lambda batch: decode_frames(batch, *grid, known))
            | "Park" >> beam.FlatMap(frames.park, folder)
        )
        index = (
            pieces
            | "Until" >> beam.Filter(lambda keyed: keyed[0] <= last)
            | "GroupDays" >> beam.GroupByKey()
            | "Assemble"
            >> beam.MapTuple(lambda day, found: frames.assemble(day, found, folder, shape))
            | "Index" >> beam.CombineGlobally(Collect(lambda found: frames.merge(found, grid)))
        )
        after = (
            pieces
            | "After" >> beam.Filter(lambda keyed: keyed[0] > last)
            | "CountAfter" >> beam.MapTuple(lambda day, piece: len(piece.starts))
            | "AllAfter" >> beam.CombineGlobally(sum)
        )
        return index, after


class _FullWindows(beam.DoFn):
    """Jobs to serialized windows, one tagged output per split."""

    def __init__(self, folder: str, config: Config):
        self._folder, self._config = folder, config

    def process(self, job: windows.Job, plan: windows.Plan):
        columns = windows.full_windows(job, plan, self._folder, self._config)
        for example in encode_columns(columns):
            yield beam.pvalue.TaggedOutput(job.split, example)


def _days(times: np.ndarray) -> list[int]:
    return np.unique(times // MINUTES_PER_DAY).tolist()


def _jobs(
    averages: tuple[np.ndarray, np.ndarray],
    plan: windows.Plan,
    full: tuple[str, ...],
    config: Config,
) -> Iterator[windows.Job]:
    origins = {split: plan.windows.origins[split] for split in full}
    origins[windows.SCALING] = windows.scaling_windows(averages, plan, config)
    return windows.jobs(origins, config)


def _references(plan: windows.Plan, split: str) -> list[bytes]:
    return encode_columns(windows.references(split, plan))


def _active(plan: windows.Plan) -> np.ndarray:
    return plan.index.first < plan.windows.test_start


def _counters(plan: windows.Plan, after: int) -> dict[str, Any]:
    active = int(_active(plan).sum())
    return {**plan.windows.counters(), "frames_after_until": after, "active_cells": active}


def _write_starts(plan: windows.Plan, path: str) -> None:
    write_starts(path, plan.index.starts)


class Collect(beam.CombineFn):
    """Passes all elements to a function at once, as a list."""

    def __init__(self, function: Callable[[list], Any]):
        super().__init__()
        self._function = function

    def create_accumulator(self) -> list:
        return []

    def add_input(self, accumulator: list, element: Any) -> list:
        accumulator.append(element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[list]) -> list:
        return [element for accumulator in accumulators for element in accumulator]

    def extract_output(self, accumulator: list) -> Any:
        return self._function(accumulator)


class Concatenate(Collect):
    """Concatenates int64 arrays."""

    def __init__(self):
        super().__init__(lambda arrays: np.concatenate([np.zeros(0, np.int64), *arrays]))
