"""Batch forecasts with Beam and a pushed model, written as Parquet."""

import collections
import dataclasses
import json
import os
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.ml.inference.base import ModelHandler, RunInference

from crowdflow.components.window_gen.transform import Concatenate
from crowdflow.config import Config
from crowdflow.config.account import levels_of
from crowdflow.flows.frames import FrameBlock, merge_blocks
from crowdflow.flows.map_tables import ENDINGS, write_on_maps
from crowdflow.flows.windows import missing_lags, window_offsets
from crowdflow.ingest.counters import counters_json
from crowdflow.ingest.date_range import Resolved
from crowdflow.ingest.flow_table import log_to, run_flows
from crowdflow.ingest.history import History
from crowdflow.ingest.sources import inspect_sources, read_side_files
from crowdflow.schema import features
from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import MINUTES_PER_DAY
from crowdflow.serving import ranges, request
from crowdflow.serving.folder import ModelFolder, find_model
from crowdflow.serving.forecaster import Forecast, account_in, ask, settings_in, table_schema
from crowdflow.serving.page import keep_frames, near_the_end, page_of_batch
from crowdflow.storage import disk
from crowdflow.storage.store_path import AnyPath, as_path

_REQUEST_BYTES = 64 << 20  # of the maps of a request
_PARTIAL, _PLAN_FILE, _PREFIX = ".partial", "plan.json", "forecasts"


@dataclasses.dataclass(frozen=True)
class Plan:
    """The forecasts of a range of dates, and which days need each day of frames.

    Attributes:
      targets: forecasts with every lag, wall-clock minutes, int64 `[m]`.
      left_out: counts of the other forecasts by the first missing interval.
      routes: source day (since 1970-01-01) -> the days whose forecasts use it.
    """

    targets: np.ndarray
    left_out: Mapping[str, int]
    routes: Mapping[int, list[int]]


def make_plan(starts: np.ndarray, first: str | None, last: str | None, config: Config) -> Plan:
    """Plans the forecasts of a range.

    Args:
      starts: of all frames, wall-clock minutes, int64 `[n]`.
      first: as in `ranges.between`.
      last: likewise.
      config: of the model.

    Raises:
      ConfigError: as `ranges.between`.
      DataError: no forecast has every lag.
    """
    starts, minutes = np.sort(starts), config.intervals.minutes
    wanted = ranges.between(first, last, starts, minutes)
    lost = missing_lags(starts, wanted, config.windows, minutes)
    targets = np.setdiff1d(wanted, [target for target, _, _ in lost])
    left_out = collections.Counter(label for _, label, _ in lost)
    if not len(targets):
        raise DataError(
            f"No forecast can be made of {len(wanted):,}: all miss an interval. {dict(left_out)}"
        )
    offsets = window_offsets(config.windows, config.intervals.per_day)
    offsets.pop(features.TARGET)
    lags = np.concatenate([part.reshape(-1) for part in offsets.values()]) * minutes
    needed = (targets[:, None] + lags).reshape(-1)
    days = np.repeat(targets // MINUTES_PER_DAY, len(needed) // len(targets))
    pairs = np.unique(np.stack([needed // MINUTES_PER_DAY, days]), axis=1)
    routes = collections.defaultdict(list)
    for source, day in pairs.T.tolist():
        routes[source].append(day)
    return Plan(targets, dict(left_out), dict(routes))


def _send(block: FrameBlock, plan: Plan) -> list[tuple[int, FrameBlock]]:
    day = int(block.starts[0]) // MINUTES_PER_DAY
    return [(to, block) for to in plan.routes.get(day, [])]


class _BuildRequests(beam.DoFn):
    """`(day, frames)` to that day's windows, a request at a time: (targets, inputs)."""

    def __init__(self, config: Config, holidays: Sequence[str], side: Mapping[str, Any]):
        self._config, self._holidays, self._side = config, holidays, side

    def process(self, element, plan: Plan):
        day, blocks = element
        targets = plan.targets[plan.targets // MINUTES_PER_DAY == day]
        history = History(merge_blocks(blocks), dict(self._side), {})
        size = windows_at_once(self._config)
        for first in range(0, len(targets), size):
            part = targets[first : first + size]
            yield part, request.build(history, part, self._config, self._holidays)


def windows_at_once(config: Config) -> int:
    """How many windows a request has at most: as many as the model takes, and fewer of a large grid."""
    maps = sum(config.windows.lag_maps().values()) + config.windows.horizon
    size = 4 * len(features.CHANNELS) * config.grid.rows * config.grid.cols * maps
    return max(min(features.MAX_BATCH, _REQUEST_BYTES // size), 1)


class _Model(ModelHandler[tuple, Forecast, ModelFolder]):
    """The pushed model, loaded once per process; an element holds one request's windows."""

    def __init__(self, folder: str, config: Config, levels: tuple[float, ...]):
        super().__init__()
        self._folder, self._levels = folder, levels
        self._steps = np.arange(config.windows.horizon) * config.intervals.minutes

    def load_model(self) -> ModelFolder:
        return ModelFolder(as_path(self._folder))

    def run_inference(
        self, batch: Sequence[tuple], model: ModelFolder, inference_args: Any = None
    ) -> Iterable[Forecast]:
        for targets, inputs in batch:
            yield ask(model, inputs, targets[:, None] + self._steps, self._levels)

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return {"min_batch_size": 1, "max_batch_size": 1}


def _as_table(forecast: Forecast) -> pa.Table:
    schema = table_schema(forecast.levels)
    return pa.Table.from_pandas(forecast.table(), schema, preserve_index=False)


class FramesToForecasts(beam.PTransform):
    """Turns frames, one block per day, into Parquet files of forecasts, and writes the plan's counts."""

    def __init__(
        self,
        config: Config,
        holidays: Sequence[str],
        side: Mapping[str, Any],
        model: AnyPath,
        levels: tuple[float, ...],
        span: tuple[str | None, str | None],
        folder: Path,
        keep: bool = False,
    ):
        super().__init__()
        self._keep = keep
        self._config, self._side, self._span = config, side, span
        self._holidays, self._levels = holidays, levels
        self._model, self._folder = str(model), str(folder)

    def expand(self, frames):
        plan = (
            frames
            | "Starts" >> beam.Map(lambda block: block.starts)
            | "AllStarts" >> beam.CombineGlobally(Concatenate())
            | "Plan" >> beam.Map(make_plan, *self._span, self._config)
        )
        side = beam.pvalue.AsSingleton(plan)
        if self._keep:
            last = plan | "Last" >> beam.Map(lambda plan: int(plan.targets[-1]))
            (
                frames
                | "NearTheEnd" >> beam.FlatMap(near_the_end, beam.pvalue.AsSingleton(last))
                | "KeepFrames" >> beam.Map(keep_frames, self._folder)
            )
        plan | "WritePlan" >> beam.Map(_write_plan, os.path.join(self._folder, _PLAN_FILE))
        return (
            frames
            | "Route" >> beam.FlatMap(_send, side)
            | "ByTargetDay" >> beam.GroupByKey()
            | "Requests"
            >> beam.ParDo(_BuildRequests(self._config, self._holidays, self._side), side)
            | "Ask" >> RunInference(_Model(self._model, self._config, self._levels))
            | "Table" >> beam.Map(_as_table)
            | "Write"
            >> beam.io.WriteToParquetBatched(
                os.path.join(self._folder, _PREFIX),
                table_schema(self._levels),
                file_name_suffix=".parquet",
            )
        )


def _write_plan(plan: Plan, path: str) -> None:
    counts = {"forecasts": len(plan.targets), "left_out": plan.left_out}
    Path(path).write_text(json.dumps(counts), encoding="utf-8")


def run(
    model: str,
    version: int | None,
    data: Sequence[str],
    first: str | None,
    last: str | None,
    out: Path,
    beam_args: Sequence[str],
    say: Callable[[str], None],
    settings: Mapping[str, Any] = types.MappingProxyType({}),
    formats: Sequence[str] = (),
    page: Path | None = None,
) -> dict:
    """Forecasts a range of dates.

    Args:
      model: folder of a SavedModel, or of version folders.
      version: which of them; None is the newest.
      data: files, folders and patterns.
      first: as in `ranges.between`.
      last: likewise.
      out: the folder; forecasts of an earlier call in it are replaced at the end.
      beam_args: Beam options.
      say: prints a line.
      settings: of how the files are read, see `Config.replace_reading`.
      formats: besides Parquet: `geoparquet` and `geojson`.
      page: file for a page with a map of the last week, or None.

    Returns:
      The counters.

    Raises:
      CrowdFlowError: there is no model, the data cannot be used, or no forecast can be made.
    """
    log_to(say)
    folder = find_model(as_path(model), version)
    config, holidays = settings_in(folder)
    config, levels = config.replace_reading(dict(settings)), levels_of(account_in(folder))
    sources = inspect_sources(data, config)
    with disk.scratch_folder(out / _PARTIAL) as partial:
        forecasts = FramesToForecasts(
            config,
            holidays,
            read_side_files(sources, config),
            folder.absolute(),
            levels,
            (first, last),
            partial,
            page is not None,
        )
        tally = run_flows(sources, config, partial, beam_args, lambda frames: frames | forecasts)
        ingested = json.loads(counters_json(tally, sources, data, Resolved(config, list(data))))
        counters = {**json.loads((partial / _PLAN_FILE).read_text()), "frames": ingested}
        text = json.dumps(counters, indent=2)
        (partial / features.COUNTERS_FILE).write_text(text, encoding="utf-8")
        _write_maps(partial, formats, config, levels, page, say)
        _publish(partial, out, say)
    gaps = ", ".join(f"{label} {count:,}" for label, count in counters["left_out"].items())
    say(f"{counters['forecasts']:,} forecasts; left out for a missing interval: {gaps or 'none'}")
    return counters


def _write_maps(
    folder: Path,
    formats: Sequence[str],
    config: Config,
    levels: Sequence[float],
    page: Path | None,
    say: Callable[[str], None],
) -> None:
    shards = sorted(folder.glob(f"{_PREFIX}-*.parquet"))
    write_on_maps(shards, formats, config, folder / _PREFIX)
    if page:
        page_of_batch(shards, folder, config, levels, page)
        say(f"wrote {page}")


def _publish(partial: Path, out: Path, say: Callable[[str], None]) -> None:
    """Replaces the forecasts of an earlier call by the finished ones."""
    for path in _forecasts(out):
        path.unlink()
    for path in [*_forecasts(partial), partial / features.COUNTERS_FILE]:
        path.replace(out / path.name)
        say(f"wrote {out / path.name}")


def _forecasts(folder: Path) -> list[Path]:
    names = [f"{_PREFIX}-*.parquet", *(f"{_PREFIX}{ending}" for ending in ENDINGS)]
    return [path for name in names for path in sorted(folder.glob(name))]
