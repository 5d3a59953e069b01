"""The windows of all frames: which there are, as references, and written out in full."""

import dataclasses
import datetime as dt
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from crowdflow.components.window_gen.frames import NEVER, Index, bounds
from crowdflow.config import Config, SplitConfig
from crowdflow.flows import windows as pure
from crowdflow.flows.extremes import extreme_windows, flow_extremes
from crowdflow.flows.naive import earlier_means, naive_sources, recent_means, recent_times
from crowdflow.flows.usual import usual_lags
from crowdflow.schema import features
from crowdflow.schema.intervals import MINUTES_PER_DAY, date_to_minutes, weekday
from crowdflow.storage import map_store
from crowdflow.storage.map_store import MapStore

TRAIN, TEST, SCALING = "train", "test", features.SCALING_SPLIT
# Windows of a day that are written out at once hold about this much.
_JOB_BYTES = 32 << 20


@dataclasses.dataclass(frozen=True)
class Plan:
    """Which windows there are.

    Attributes:
      windows: by split.
      index: of all frames.
      holidays: days off, since 1970-01-01, int64.
      averaged: the intervals whose average is part of any window, int64, ascending.
    """

    windows: pure.WindowPlan
    index: Index
    holidays: np.ndarray
    averaged: np.ndarray


class Job(NamedTuple):
    """Windows to write out in full: their split and first targets, int64 `[m]`, of one day."""

    split: str
    origins: np.ndarray


def make_plan(index: Index, config: Config, holidays: np.ndarray) -> Plan:
    """Plans all windows.

    Args:
      index: of all frames.
      config: sections intervals, windows and split.
      holidays: those of the country's table, days since 1970-01-01; a holidays file's are in the frames.

    Raises:
      DataError: a split would have no windows.
    """
    plan = pure.plan_windows(index.starts, config.intervals.minutes, config.windows, config.split)
    averaged = np.zeros(0, np.int64)
    if config.windows.average:
        offsets = pure.averaged_offsets(config.windows) * config.intervals.minutes
        averaged = np.unique(np.concatenate(list(plan.origins.values()))[:, None] + offsets)
    return Plan(plan, index, index.holidays(holidays), averaged)


def last_day(split: SplitConfig) -> int:
    """The last day that is used, in days since 1970-01-01."""
    if split.until is None:
        return NEVER
    return date_to_minutes(dt.date.fromisoformat(split.until)) // MINUTES_PER_DAY


def references(split: str, plan: Plan) -> dict[str, np.ndarray]:
    """A split's windows as references: the first target and its covariates, `[m, ...]` by name."""
    origins = plan.windows.origins[split]
    return {features.TARGET_TIME: origins, **_covariates(origins, plan.index)}


def write_averages(
    day: int, plan: Plan, folder: str, config: Config
) -> tuple[np.ndarray, np.ndarray]:
    """Writes the averages of a day's intervals; returns their starts and their bounds, as an index has them."""
    windows = config.windows
    times = plan.averaged[plan.averaged // MINUTES_PER_DAY == day]
    needed = times[:, None] - usual_lags(windows.average, windows.average_days)
    starts, frames = _read(needed, plan, folder)
    maps = pure.averages(starts, frames, times, windows, plan.holidays)
    map_store.write_day(os.path.join(folder, features.AVERAGES_FOLDER), day, maps)
    return times, bounds(maps)


def merge_averages(
    parts: Iterable[tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """Joins what `write_averages` returned, in order of time."""
    none = np.zeros(0, np.int64), np.zeros((0, 2), np.float32)
    starts, bounds_ = (np.concatenate(column) for column in zip(none, *parts))
    order = np.argsort(starts)
    return starts[order], bounds_[order]


def scaling_windows(
    averages: tuple[np.ndarray, np.ndarray], plan: Plan, config: Config
) -> np.ndarray:
    """The train windows with the extremes from which Transform takes the scaling constants: origins, int64."""
    origins, index = plan.windows.origins[TRAIN], plan.index
    frames, minutes = (index.starts, index.bounds), config.intervals.minutes
    flows = flow_extremes(origins, frames, averages, config.windows, minutes)
    return origins[extreme_windows(flows, _covariates(origins, index))]


def jobs(origins: Mapping[str, np.ndarray], config: Config) -> Iterator[Job]:
    """Cuts windows, by split, into parts of a day and of bounded size."""
    maps = sum(config.windows.lag_maps().values())
    maps += config.windows.horizon * (1 + len(features.NAIVE_FORECASTS))
    size = 4 * len(features.CHANNELS) * config.grid.rows * config.grid.cols * maps
    for split, times in origins.items():
        days = times // MINUTES_PER_DAY
        for day in np.unique(days):
            mine = times[days == day]
            parts = min(math.ceil(len(mine) * size / _JOB_BYTES), len(mine))
            yield from (Job(split, part) for part in np.array_split(mine, parts))


def full_windows(job: Job, plan: Plan, folder: str, config: Config) -> dict[str, np.ndarray]:
    """All features of some windows.

    Args:
      job: the windows.
      plan: of all.
      folder: the artifact's, with the frames.
      config: grid, intervals, windows and covariates.

    Returns:
      `[m, ...]` by name, as `schema/windows.pbtxt` has them.
    """
    origins, index, windows = job.origins, plan.index, config.windows
    minutes, horizon = config.intervals.minutes, windows.horizon
    targets = origins[:, None] + np.arange(horizon) * minutes
    sources = naive_sources(index.starts, origins, horizon, minutes)
    offsets = pure.window_offsets(windows, config.intervals.per_day)
    span = np.concatenate([part.reshape(-1) for part in offsets.values()]) * minutes
    needed = [origins[:, None] + span, *sources.values(), recent_times(targets)]
    starts, maps = _read(np.concatenate([times.reshape(-1) for times in needed]), plan, folder)

    columns = pure.gather(starts, maps, origins, windows, minutes, plan.holidays)
    naive = {name: maps[pure.locate(starts, times)] for name, times in sources.items()}
    last_week = naive["last_week"]
    naive["historical_average"] = _historical_average(targets, last_week, plan, folder)
    naive |= recent_means(starts, maps, targets, plan.holidays, last_week)
    columns |= {features.naive_feature(name): naive[name] for name in features.NAIVE_FORECASTS}
    columns |= _covariates(origins, index)
    columns[features.TARGET_TIME] = origins
    columns[features.HOUR] = origins % MINUTES_PER_DAY // 60
    columns[features.WEEKEND] = (weekday(origins) >= 5).astype(np.int64)
    columns[features.ACTIVE_CELLS] = active_cells(index.first, origins, plan.windows.test_start)
    return columns


def active_cells(first: np.ndarray, origins: np.ndarray, test_start: int) -> np.ndarray:
    """The cells that are active for each window: with any flow before it, not counting the test period.

    Args:
      first: as `frames.first_flows`, of all frames, int64 `[H, W]`.
      origins: first target intervals, int64 `[m]`.
      test_start: first minute of the test period.

    Returns:
      1 for an active cell, int64 `[m, H, W]`; the same for all test windows.
    """
    before = np.minimum(origins, test_start)
    return (first < before[:, None, None]).astype(np.int64)


def _historical_average(
    targets: np.ndarray, otherwise: np.ndarray, plan: Plan, folder: str
) -> np.ndarray:
    """The mean of all earlier frames in each target's slot of the week, or `otherwise`."""
    store = MapStore(os.path.join(folder, features.FRAMES_FOLDER), plan.index.starts)
    known, means = earlier_means(plan.index.starts, store.maps, np.unique(targets))
    found = otherwise.copy()
    there = np.isin(targets, known)
    if there.any():
        found[there] = means[pure.locate(known, targets[there])]
    return found


def _covariates(origins: np.ndarray, index: Index) -> dict[str, np.ndarray]:
    rows = pure.locate(index.starts, origins)
    return {name: values[rows] for name, values in index.covariates.items()}


def _read(times: np.ndarray, plan: Plan, folder: str) -> tuple[np.ndarray, np.ndarray]:
    """The starts and maps of all frames on the days of some intervals."""
    store = MapStore(os.path.join(folder, features.FRAMES_FOLDER), plan.index.starts)
    return store.read(np.unique(times // MINUTES_PER_DAY).tolist())
