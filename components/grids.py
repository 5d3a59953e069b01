"""The grid on the map: a latitude and longitude box in rows and columns. Row 0 is north, column 0 is west.

Cells are equal in degrees. The edges of the cells, `edges`, are the one definition: `cell_of` looks
positions up among them and `cell_bounds` answers them, so that the two are exact inverses.
"""

import numpy as np

from components.errors import ConfigError
from pipeline.config import GridConfig

_ELLIPSOID = "WGS84"


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
    """The cells that hold positions.

    A cell owns its north and west edge; the southmost row and the eastmost column own the box's south
    and east edge too. So the whole closed box is inside.

    Args:
      latitude: degrees north, float `[n]`; NaN is outside.
      longitude: degrees east, float `[n]`; NaN is outside.
      grid: its box, rows and columns.

    Returns:
      Row int64 `[n]`, column int64 `[n]`, and whether the position is inside, bool `[n]`. Rows and
      columns of positions outside have no meaning.

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
    """The box of each cell.

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
    """Height and width of the cell in the middle of the box, metres, as `extent_metres` measures.

    Raises:
      ConfigError: the grid has no box.
    """
    edges(grid)
    height, width = extent_metres(grid.south, grid.west, grid.north, grid.east)
    return height / grid.rows, width / grid.cols


def extent_metres(south: float, west: float, north: float, east: float) -> tuple[float, float]:
    """Height and width of a box along the geodesics through its middle, on the WGS 84 ellipsoid.

    Args:
      south: degrees north, as `north`.
      west: degrees east, as `east`.
      north: above `south`.
      east: above `west`; the box does not cross the antimeridian.

    Returns:
      Metres from south to north, and from west to east at the middle latitude.
    """
    import pyproj  # only where metres are asked for

    geod = pyproj.Geod(ellps=_ELLIPSOID)
    latitude, longitude = (south + north) / 2, (west + east) / 2
    height = geod.inv(longitude, south, longitude, north)[2]
    width = geod.inv(west, latitude, east, latitude)[2]
    return height, width


def shape_for(
    south: float, west: float, north: float, east: float, metres: float
) -> tuple[int, int]:
    """Rows and columns, at least 1 each, that make the cells of a box closest to squares of `metres`."""
    height, width = extent_metres(south, west, north, east)
    return max(1, round(height / metres)), max(1, round(width / metres))
