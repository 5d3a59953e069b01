"""The grid on the map: a latitude and longitude box in rows and columns. Row 0 is north, column 0 is west.

Cells are equal in degrees. The edges of the cells, `edges`, are the one definition: `cell_of` looks
positions up among them and `cell_bounds` returns them, so the two are exact inverses.
"""

import math

import numpy as np

from crowdflow.config import GridConfig
from crowdflow.schema.errors import ConfigError
from crowdflow.schema.geodesy import extent_metres, shape_for

# Settings for proposing a grid.
BOX_STEP = 0.001  # degrees, about 100 m
POSITION_STEP = 1e-4  # degrees, about 10 m: positions are counted in such steps
CELL_METRES = (250, 300, 400, 500, 600, 800, 1000, 1500, 2000, 3000, 5000, 10_000)
ACTIVE_SHARE = 0.4
MOST_CELLS = 32  # rows or columns; the paper's larger grid is 32 x 32
MOST_ASKED = 128  # rows or columns when the side of a cell is given
# A few positions this far from the middle of the others, in multiples of its extent, are errors.
FAR, FEW_SHARE, FEW, LEAST_EXTENT = 5.0, 0.01, 3, 0.01


def edges(grid: GridConfig) -> tuple[np.ndarray, np.ndarray]:
    """The edges of the cells in degrees.

    Returns:
      Latitudes float64 `[H + 1]` from north to south, and longitudes float64 `[W + 1]` from west to east.

    Raises:
      ConfigError: the grid has no box.
    """
    box = (grid.south, grid.west, grid.north, grid.east)
    if None in box:
        raise ConfigError(
            "grid: expected a box, grid.south, grid.west, grid.north and grid.east in degrees "
            f"(`crowdflow grid` proposes one). Received: {box}."
        )
    return (
        np.linspace(grid.north, grid.south, grid.rows + 1),
        np.linspace(grid.west, grid.east, grid.cols + 1),
    )


def cell_of(
    latitude: np.ndarray, longitude: np.ndarray, grid: GridConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds the cells that contain positions.

    A cell includes its north and west edges; the southernmost row and the easternmost column also include
    the south and east edges of the box. So the whole closed box is inside.

    Args:
      latitude: degrees north, float `[n]`; NaN is outside.
      longitude: degrees east, float `[n]`; NaN is outside.
      grid: its box, rows and columns.

    Returns:
      Row int64 `[n]`, column int64 `[n]`, and whether the position is inside the box, bool `[n]`. Rows
      and columns of positions outside are meaningless.

    Raises:
      ConfigError: the grid has no box.
    """
    down, across = edges(grid)
    latitude, longitude = np.asarray(latitude, np.float64), np.asarray(longitude, np.float64)
    inside = (latitude <= down[0]) & (latitude >= down[-1])
    inside &= (longitude >= across[0]) & (longitude <= across[-1])
    row = np.searchsorted(-down, -latitude, side="right") - 1
    col = np.searchsorted(across, longitude, side="right") - 1
    return np.minimum(row, grid.rows - 1), np.minimum(col, grid.cols - 1), inside


def cell_bounds(row: np.ndarray, col: np.ndarray, grid: GridConfig) -> np.ndarray:
    """The bounding box of each cell.

    Args:
      row: int `[...]`, 0 to H - 1.
      col: int `[...]`, 0 to W - 1.
      grid: its box, rows and columns.

    Returns:
      Degrees, float64 `[..., 4]`: south, west, north, east.

    Raises:
      ConfigError: the grid has no box.
    """
    down, across = edges(grid)
    row, col = np.asarray(row), np.asarray(col)
    return np.stack([down[row + 1], across[col], down[row], across[col + 1]], axis=-1)


def cell_metres(grid: GridConfig) -> tuple[float, float]:
    """Height and width of a cell in the middle of the box in metres, by `extent_metres`.

    Raises:
      ConfigError: the grid has no box.
    """
    edges(grid)
    height, width = extent_metres(grid.south, grid.west, grid.north, grid.east)
    return height / grid.rows, width / grid.cols


def weighted_span(values: np.ndarray, weights: np.ndarray, left_out: float) -> tuple[float, float]:
    """The range of the values, leaving out a share of the weight at each end.

    Args:
      values: float `[n]`.
      weights: not negative, `[n]`, some above zero.
      left_out: share of the weight left out at each end.

    Returns:
      Two of the values, the lower one first.
    """
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    total = below[-1]
    first = np.searchsorted(
        below, left_out * total * (1 + 1e-9), side="right" if left_out else "left"
    )
    last = np.searchsorted(below, (1 - left_out) * total * (1 - 1e-9))
    low, high = values[order][np.minimum((first, last), len(values) - 1)]
    return float(low), float(high)


def are_far(latitude: np.ndarray, longitude: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Marks a few positions so far from all others that they must be errors, such as swapped degrees.

    Args:
      latitude: degrees, float `[n]`.
      longitude: degrees, float `[n]`.
      weights: not negative, `[n]`, some above zero.

    Returns:
      bool `[n]`. Nothing is marked if more than `FEW_SHARE` of the weight, and more than `FEW`, is far away:
      then it is a part of the city.
    """
    far = np.zeros(len(weights), bool)
    for values in (latitude, longitude):
        low, high = weighted_span(values, weights, 0.1)
        reach = FAR * max(high - low, LEAST_EXTENT)
        far |= (values < low - reach) | (values > high + reach)
    few = max(FEW, FEW_SHARE * weights.sum())
    return far & (weights[far].sum() <= few)


def round_outward(low: float, high: float, step: float) -> tuple[float, float]:
    """The multiples of `step` that enclose a range, at least one step apart."""
    digits = max(0, math.ceil(-math.log10(step)))
    first, last = math.floor(low / step), math.ceil(high / step)
    return round(first * step, digits), round(max(last, first + 1) * step, digits)


def propose(
    latitude: np.ndarray,
    longitude: np.ndarray,
    weights: np.ndarray,
    metres: float | None = None,
    left_out: float = 0.001,
) -> GridConfig:
    """Proposes a box around the positions, without outliers, and a number of cells.

    The box leaves out the positions that `are_far`, and then a share of the weight at each of its four sides; it
    is rounded outward to `BOX_STEP` degrees.

    Args:
      latitude: degrees, float `[n]`, possibly rounded to `POSITION_STEP`.
      longitude: as latitude.
      weights: number of starts and ends at each position, `[n]`.
      metres: side of a cell; None chooses the smallest of `CELL_METRES` for which at least `ACTIVE_SHARE`
        of the cells have a position and neither rows nor columns exceed `MOST_CELLS`, or the largest cells
        that do not exceed it.
      left_out: share of the weight left out at each side.

    Raises:
      ConfigError: there would be more than `MOST_ASKED` rows or columns.
    """
    near = ~are_far(latitude, longitude, weights)
    latitude, longitude, weights = latitude[near], longitude[near], weights[near]
    (south, north), (west, east) = (
        round_outward(low - POSITION_STEP / 2, high + POSITION_STEP / 2, BOX_STEP)
        for low, high in (weighted_span(a, weights, left_out) for a in (latitude, longitude))
    )
    longest = max(extent_metres(south, west, north, east))
    if metres is not None and longest / metres > MOST_ASKED + 0.5:
        raise ConfigError(
            f"--cell-metres: expected {math.ceil(longest / MOST_ASKED):,} or more, for at most {MOST_ASKED} rows "
            f"or columns in the box {south:g}..{north:g} N, {west:g}..{east:g} E. Received: {metres:g}."
        )
    sizes = (*CELL_METRES, max(CELL_METRES[-1], longest / MOST_CELLS))
    for size in sizes if metres is None else (metres,):
        rows, cols = shape_for(south, west, north, east, size)
        grid = GridConfig(rows, cols, south, west, north, east)
        if max(rows, cols) <= MOST_CELLS:
            counts = count_by_cell(latitude, longitude, weights, grid)
            if (counts > 0).mean() >= ACTIVE_SHARE:
                break
    return grid


def count_by_cell(
    latitude: np.ndarray, longitude: np.ndarray, weights: np.ndarray, grid: GridConfig
) -> np.ndarray:
    """The total weight of the positions in each cell, float64 `[H, W]`.

    Args:
      latitude: degrees, float `[n]`.
      longitude: degrees, float `[n]`.
      weights: `[n]`.
      grid: its box, rows and columns.

    Raises:
      ConfigError: the grid has no box.
    """
    row, col, inside = cell_of(latitude, longitude, grid)
    cells = (row * grid.cols + col)[inside]
    counts = np.bincount(cells, np.asarray(weights)[inside], grid.rows * grid.cols)
    return counts.reshape(grid.rows, grid.cols)
