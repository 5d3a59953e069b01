"""Draws the map of a proposed grid."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from crowdflow.components.flow_report.theme import LIGHT, style
from crowdflow.config import GridConfig
from crowdflow.flows import grids
from crowdflow.ingest.grid_proposal import Positions, trips_by_cell
from crowdflow.schema.geodesy import extent_metres

_BARS = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)  # metres
_MOST_NUMBERS = 400  # cells with a number written in them
_WIDTH = 8  # inches
_NO_STARTS = "#b3b3b3"  # of a cell with ends alone


def draw(positions: Positions, grid: GridConfig, path: Path) -> None:
    """Draws the cells with the trips started in each, positions, outlines and a graticule, as a PNG."""
    starts = trips_by_cell(positions, "starts", grid)
    either = starts + trips_by_cell(positions, "ends", grid)
    north_down, west_right = grids.edges(grid)
    aspect = 1 / np.cos(np.radians((grid.south + grid.north) / 2))
    tall = aspect * (grid.north - grid.south) / (grid.east - grid.west)
    with style():
        height = min(max(_WIDTH * tall, 3), 12)
        figure = Figure(figsize=(_WIDTH, height), dpi=120, layout="constrained")
        axis = figure.subplots()
        least = starts[starts > 0].min() if starts.any() else 1
        shown = np.ma.masked_where(either == 0, np.where(starts, starts, least / 2))
        norm = LogNorm(least, max(starts.max(), least + 1))
        colors = matplotlib.colormaps["viridis"].with_extremes(under=_NO_STARTS)
        mesh = axis.pcolormesh(
            west_right,
            north_down,
            shown,
            cmap=colors,
            norm=norm,
            edgecolors=LIGHT["grid"],
            linewidth=0.5,
        )
        axis.add_collection(
            LineCollection(positions.rings, colors=LIGHT["ink"], linewidths=0.5, alpha=0.6)
        )
        _draw_positions(axis, positions)
        if grid.rows * grid.cols <= _MOST_NUMBERS:
            _write_counts(axis, starts, shown, norm, grid)
        axis.set(xlim=(grid.west, grid.east), ylim=(grid.south, grid.north), aspect=aspect)
        _draw_graticule(axis)
        _draw_scale_bar(axis, grid)
        axis.set_title(f"{grid.rows} x {grid.cols} cells, {(either > 0).sum()} of them active")
        bar = figure.colorbar(mesh, ax=axis, shrink=0.8, label="trips started in the cell")
        bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda count, _: _short(round(count))))
        bar.ax.yaxis.set_minor_locator(NullLocator())
        figure.savefig(path, facecolor="white")


def _draw_positions(axis: Axes, positions: Positions) -> None:
    """Draws the positions as points, at most the 2000 busiest."""
    busiest = np.argsort(positions.starts + positions.ends)[::-1][:2000]
    axis.scatter(
        positions.longitude[busiest],
        positions.latitude[busiest],
        s=7,
        color="white",
        edgecolors="black",
        linewidths=0.4,
        alpha=0.8,
    )


def _write_counts(
    axis: Axes, starts: np.ndarray, shown: np.ma.MaskedArray, norm: LogNorm, grid: GridConfig
) -> None:
    """Writes the trips started in each active cell, short, such as `12k`."""
    size = float(np.clip(110 / max(grid.cols, grid.rows), 4, 9))
    south, west, north, east = np.moveaxis(
        grids.cell_bounds(*np.indices((grid.rows, grid.cols)), grid), -1, 0
    )
    for row, col in np.argwhere(~np.ma.getmaskarray(shown)):
        axis.text(
            (west[row, col] + east[row, col]) / 2,
            (south[row, col] + north[row, col]) / 2,
            _short(int(starts[row, col])),
            size=size,
            ha="center",
            va="center",
            color="black" if not starts[row, col] or norm(starts[row, col]) > 0.6 else "white",
        )


def _short(count: int) -> str:
    if count >= 999_500:
        return f"{count / 1e6:.1f}M"
    return str(count) if count < 1000 else f"{count / 1e3:.0f}k"


def _draw_graticule(axis: Axes) -> None:
    """Lines of equal latitude and longitude at round degrees, with labels such as `40.72° N`."""
    for side, letters in ((axis.xaxis, "EW"), (axis.yaxis, "NS")):
        side.set_major_locator(MaxNLocator(6))
        side.set_major_formatter(FuncFormatter(lambda v, _, a=letters: _degrees(v, a)))
    axis.set_axisbelow(False)
    axis.grid(True, color=LIGHT["muted"], linewidth=0.4, linestyle=(0, (4, 4)), alpha=0.7)


def _degrees(value: float, letters: str) -> str:
    return f"{abs(round(value, 6)):g}° {letters[int(value < 0)]}"


def _draw_scale_bar(axis: Axes, grid: GridConfig) -> None:
    """A bar of a round length, at most a quarter of the map's width, below the map's south-western corner."""
    wide = extent_metres(grid.south, grid.west, grid.north, grid.east)[1]
    metres = max((bar for bar in _BARS if bar <= wide / 4), default=_BARS[0])
    share = metres / wide
    line = {"color": LIGHT["ink"], "clip_on": False, "transform": axis.transAxes}
    axis.plot([0, share], [-0.09, -0.09], linewidth=3, solid_capstyle="butt", **line)
    words = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres} m"
    axis.text(share + 0.01, -0.09, words, va="center", size=9, transform=axis.transAxes)
