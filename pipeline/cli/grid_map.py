"""Draws the map of a proposed grid."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from crowdflow.components.flow_report.theme import LIGHT, style
from crowdflow.config import GridConfig
from crowdflow.flows import grids
from crowdflow.ingest.grid_proposal import Positions, trips_by_cell


def draw(positions: Positions, grid: GridConfig, path: Path) -> None:
    """Draws the cells, coloured by the trips started in them, and the positions, as a PNG."""
    starts = trips_by_cell(positions, "starts", grid)
    either = starts + trips_by_cell(positions, "ends", grid)
    north_down, west_right = grids.edges(grid)
    aspect = 1 / np.cos(np.radians((grid.south + grid.north) / 2))
    tall = aspect * (grid.north - grid.south) / (grid.east - grid.west)
    with style():
        figure = Figure(figsize=(8, min(max(8 * tall, 3), 12)), dpi=120, layout="constrained")
        axis = figure.subplots()
        shown = np.ma.masked_where(either == 0, np.maximum(starts, 1))
        colors = matplotlib.colormaps["viridis"]
        mesh = axis.pcolormesh(
            west_right,
            north_down,
            shown,
            cmap=colors,
            norm=LogNorm(shown.min(), max(shown.max(), shown.min() + 1)),
            edgecolors=LIGHT["grid"],
            linewidth=0.5,
        )
        _draw_positions(axis, positions, grid)
        axis.set(xlim=(grid.west, grid.east), ylim=(grid.south, grid.north), aspect=aspect)
        axis.set(xlabel="longitude, degrees", ylabel="latitude, degrees")
        axis.set_title(f"{grid.rows} x {grid.cols} cells, {(either > 0).sum()} of them active")
        axis.ticklabel_format(useOffset=False)
        axis.grid(False)
        figure.colorbar(mesh, ax=axis, shrink=0.8, label="trips started in the cell")
        figure.savefig(path, facecolor="white")


def _draw_positions(axis, positions: Positions, grid: GridConfig) -> None:
    """Draws the positions as points, at most the 2000 busiest."""
    busiest = np.argsort(positions.starts + positions.ends)[::-1][:2000]
    axis.scatter(
        positions.longitude[busiest],
        positions.latitude[busiest],
        s=9,
        color="white",
        edgecolors="black",
        linewidths=0.5,
    )
