"""The cells of the grid as polygons on the map. Pure numpy."""

import numpy as np

from crowdflow.config import GridConfig
from crowdflow.flows.grids import edges

# Well-known binary of a polygon with one ring of five points, little-endian.
_WKB = np.dtype(
    [("order", "u1"), ("kind", "<u4"), ("rings", "<u4"), ("points", "<u4"), ("at", "<f8", (5, 2))]
)
_LITTLE_ENDIAN, _POLYGON = 1, 3


def polygons(grid: GridConfig) -> np.ndarray:
    """The outline of every cell: counter-clockwise and closed, longitude before latitude, as RFC 7946 has it.

    Returns:
      Degrees, float64 `[H, W, 5, 2]`, from the south-west corner.

    Raises:
      ConfigError: the grid has no box.
    """
    down, across = edges(grid)
    north, south = down[:-1, None], down[1:, None]
    west, east = across[None, :-1], across[None, 1:]
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    shape = (grid.rows, grid.cols)
    return np.stack(
        [np.stack([np.broadcast_to(part, shape) for part in corner], -1) for corner in corners], 2
    )


def well_known_binary(rings: np.ndarray) -> list[bytes]:
    """Polygons as WKB, of 93 bytes each.

    Args:
      rings: closed outlines, float64 `[n, 5, 2]`.
    """
    made = np.zeros(len(rings), _WKB)
    made["order"], made["kind"], made["rings"], made["points"] = _LITTLE_ENDIAN, _POLYGON, 1, 5
    made["at"] = rings
    return [one.tobytes() for one in made]
