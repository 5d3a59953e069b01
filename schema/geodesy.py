"""Metres of a latitude and longitude box."""

_ELLIPSOID = "WGS84"


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
