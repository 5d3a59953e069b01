"""Forecasts as a page with a map, from a history or from a batch's files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from crowdflow.config import Config
from crowdflow.flows.frames import FrameBlock, merge_blocks
from crowdflow.flows.map_tables import parts_of
from crowdflow.flows.quantiles import quantile_name, shown_interval
from crowdflow.ingest.times.clock import changed_intervals
from crowdflow.maps.content import WEEK, content
from crowdflow.maps.page import render_page
from crowdflow.schema.features import CHANNELS
from crowdflow.schema.intervals import MINUTES_PER_DAY, from_datetime64
from crowdflow.serving.forecaster import Forecast
from crowdflow.storage.disk import whole_file

_USUAL_WEEKS = 4
_FRAMES = "frames-*.npz"


def write_page(forecast: Forecast, frames: FrameBlock, config: Config, path: Path) -> None:
    """Writes a page of forecasts, with their band where there is one, atomically.

    Args:
      forecast: at least one.
      frames: the records that are known, in order of time.
      config: of the model.
      path: of the file.
    """
    minutes, zone = config.intervals.minutes, config.intervals.zone
    starts, flows = forecast.starts, forecast.flows
    skipped = changed_intervals(np.unique(starts), zone)[1]
    about = config.preset, config.grid, minutes
    made = content(*about, starts, flows, frames, skipped, forecast.band)
    with whole_file(path) as partial:
        partial.write_text(render_page(made), encoding="utf-8")


def near_the_end(block: FrameBlock, last: int) -> Iterator[FrameBlock]:
    """A day's frames if a page of forecasts up to `last`, wall-clock minutes, needs them."""
    if block.starts[0] > last - 2 * WEEK - _USUAL_WEEKS * WEEK - MINUTES_PER_DAY:
        yield block


def keep_frames(block: FrameBlock, folder: str) -> None:
    """Writes a day's frames into a folder, for `page_of_batch`."""
    day = int(block.starts[0]) // MINUTES_PER_DAY
    np.savez(Path(folder, _FRAMES.replace("*", str(day))), starts=block.starts, maps=block.maps)


def page_of_batch(
    shards: Sequence[Path], folder: Path, config: Config, levels: Sequence[float], path: Path
) -> None:
    """Writes the page of a batch's last week, and removes the frames that were kept for it.

    Args:
      shards: the batch's Parquet files.
      folder: where `keep_frames` wrote.
      config: of the model.
      levels: of its quantiles.
      path: of the page.
    """
    blocks = []
    for kept in sorted(folder.glob(_FRAMES)):
        with np.load(kept) as arrays:
            blocks.append(FrameBlock(arrays["starts"], arrays["maps"]))
        kept.unlink()
    write_page(_last_week(shards, config, levels), merge_blocks(blocks), config, path)


def _last_week(shards: Sequence[Path], config: Config, levels: Sequence[float]) -> Forecast:
    """The forecasts of the last week, with those quantiles alone that are shown."""
    _, *ends = shown_interval(levels) or [None]
    levels = tuple(levels[end] for end in ends)
    shown = [
        [channel, *(f"{channel}_{quantile_name(level)}" for level in levels)]
        for channel in CHANNELS
    ]
    minutes, grid, steps = config.intervals.minutes, config.grid, config.windows.horizon
    found = {
        int(start)
        for part in parts_of(shards)
        for start in from_datetime64(pc.unique(part["forecast_start"]).to_numpy())
    }
    origins = np.array(sorted(start for start in found if start > max(found) - WEEK), np.int64)
    shape = len(origins), steps, grid.rows, grid.cols, len(CHANNELS), 1 + len(levels)
    flows = np.zeros(shape, np.float32)
    for part in parts_of(shards):
        targets = from_datetime64(part["forecast_start"].to_numpy())
        kept = targets >= origins[0]
        step, row, col = (part[name].to_numpy()[kept] for name in ("step", "row", "col"))
        place = np.searchsorted(origins, targets[kept]), step - 1, row, col
        for channel, names in enumerate(shown):
            for number, name in enumerate(names):
                flows[(*place, channel, number)] = part[name].to_numpy()[kept]
    starts = origins[:, None] + np.arange(steps) * minutes
    return Forecast(starts, flows[..., 0], flows[..., 1:], levels)
