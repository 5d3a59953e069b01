"""Forecasts for people: lines, tables and maps."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from crowdflow.config import Config
from crowdflow.flows import map_tables
from crowdflow.schema.errors import ConfigError
from crowdflow.schema.features import CHANNELS
from crowdflow.schema.intervals import format_start, to_datetime64
from crowdflow.serving.forecaster import Forecast
from crowdflow.storage.disk import whole_file

_TABLES, _PICTURES, _PAGES = (".csv", ".parquet"), (".png", ".svg", ".pdf"), (".html",)
_SHOWN = 24
_COLORS = "viridis"  # perceptually uniform
_MOST_STEPS = 6


def require_formats(
    tables: Sequence[Path], picture: Path | None = None, page: Path | None = None
) -> None:
    """Raises ConfigError if a file name has an ending that cannot be written."""
    for paths, endings in (
        (tables, (*_TABLES, *map_tables.ENDINGS)),
        ([picture] if picture else [], _PICTURES),
        ([page] if page else [], _PAGES),
    ):
        for path in paths:
            if path.suffix.lower() not in endings:
                raise ConfigError(f"{path}: expected a name that ends in {' or '.join(endings)}.")


def without_place(tables: Sequence[Path], config: Config) -> list[Path]:
    """The files that cannot be written, as the grid has no box and they need positions.

    Raises:
      ConfigError: these are all files that were asked for.
    """
    left_out = [path for path in tables if path.suffix.lower() in map_tables.ENDINGS]
    if config.grid.south is not None or not left_out:
        return []
    if len(left_out) == len(tables):
        raise ConfigError(
            f"{left_out[0]}: expected a model whose grid has a box. Its grid has rows and columns alone, without "
            "a place on the map; .csv and .parquet can be written."
        )
    return left_out


def describe(forecast: Forecast) -> Iterator[str]:
    """One line per interval: sums over the city, and the busiest cell, with its band where there is one."""
    shape = forecast.flows.shape[2:]
    flat, starts = forecast.flows.reshape(-1, *shape), forecast.starts.reshape(-1)
    percent, ends = forecast.band or (0, np.zeros((*forecast.flows.shape, 0)))
    ends = ends.reshape(*flat.shape, -1)
    for start, maps, around in zip(starts[:_SHOWN], flat, ends):
        inflow, outflow = maps.sum(axis=(0, 1), dtype=np.float64)
        row, col = divmod(int(maps.sum(axis=2).argmax()), shape[1])
        busiest = f"{_flow(maps[row, col, 0], around[row, col, 0])} in, "
        busiest += f"{_flow(maps[row, col, 1], around[row, col, 1])} out"
        line = f"{format_start(start)}  inflow {inflow:,.1f}, outflow {outflow:,.1f}"
        yield f"{line}; busiest cell row {row}, col {col}: {busiest}"
    if len(flat) > _SHOWN:
        yield f"... and {len(flat) - _SHOWN:,} more"
    if forecast.band:
        yield f"In brackets: where {percent}% of flows are expected."


def _flow(mean: float, ends: np.ndarray) -> str:
    """A forecast with its band in whole trips, where there is one."""
    return f"{mean:.1f}" + (f" ({ends[0]:.0f} to {ends[1]:.0f})" if len(ends) else "")


def write_table(table: pd.DataFrame, path: Path, config: Config) -> None:
    """Writes CSV, Parquet, GeoParquet or GeoJSON, by the name's ending, atomically.

    Raises:
      ConfigError: the file needs positions, and the grid has no box.
    """
    if path.suffix.lower() in map_tables.ENDINGS:
        map_tables.write_on_map([pa.Table.from_pandas(table, preserve_index=False)], config, path)
        return
    with whole_file(path) as partial:
        if path.suffix.lower() == ".csv":
            table.to_csv(partial, index=False, float_format="%.4f", date_format="%Y-%m-%d %H:%M")
        else:
            table.to_parquet(partial, index=False)


def draw(forecast: Forecast, path: Path) -> None:
    """Draws the maps of the first forecast: one column per step; row 0 is north.

    Rows are inflow and outflow, and, of a model with quantiles, the widths of their bands.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    maps = np.moveaxis(forecast.flows[0][:_MOST_STEPS], -1, 0)  # [2, h, H, W]
    panels = list(zip(CHANNELS, maps))
    if forecast.band:
        percent, ends = forecast.band
        widths = np.moveaxis(ends[0, :_MOST_STEPS, ..., 1] - ends[0, :_MOST_STEPS, ..., 0], -1, 0)
        panels += [
            (f"{name}, width of the {percent}% band", w) for name, w in zip(CHANNELS, widths)
        ]
    _, steps, rows, cols = maps.shape
    scale = min(3.2 / cols, 4.0 / rows)
    size = (steps * (cols * scale + 0.3) + 1.4, len(panels) * (rows * scale + 0.45) + 0.3)
    figure = Figure(figsize=size, layout="compressed")
    axes = figure.subplots(len(panels), steps, squeeze=False)
    for number, (name, shown) in enumerate(panels):
        top = max(float(shown.max()), 1.0)
        for step in range(steps):
            axis = axes[number, step]
            image = axis.imshow(shown[step], cmap=_COLORS, vmin=0, vmax=top)
            axis.set_xticks([0, cols - 1])
            axis.set_yticks([0, rows - 1])
            axis.tick_params(length=2, labelsize=7)
            if not number:
                time = to_datetime64(forecast.starts[0, step]).item()
                axis.set_title(f"{time:%a %Y-%m-%d %H:%M}", fontsize=9)
        bar = figure.colorbar(image, ax=axes[number], aspect=20, fraction=0.32 / steps)
        bar.set_label(f"{name.partition(',')[0]}, trips", fontsize=8)
        bar.ax.tick_params(labelsize=7)
        axes[number, 0].set_ylabel(name.replace(", ", "\n"), fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
