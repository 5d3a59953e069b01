"""Size in metres of a box of latitudes and longitudes."""

_ELLIPSOID = "WGS84"


def extent_metres(south: float, west: float, north: float, east: float) -> tuple[float, float]:
    """Height and width of a box along the geodesics through its centre, on the WGS 84 ellipsoid.

    Args:
      south: latitude in degrees.
      west: longitude in degrees.
      north: latitude in degrees, above `south`.
      east: longitude in degrees, above `west`; the box must not cross the antimeridian.

    Returns:
      Metres from south to north, and from west to east at the middle latitude.
    """
    import pyproj  # slow to import, and most runs need no metres

    geod = pyproj.Geod(ellps=_ELLIPSOID)
    latitude, longitude = (south + north) / 2, (west + east) / 2
    height = geod.inv(longitude, south, longitude, north)[2]
    width = geod.inv(west, latitude, east, latitude)[2]
    return height, width


def shape_for(
    south: float, west: float, north: float, east: float, metres: float
) -> tuple[int, int]:
    """Numbers of rows and columns, at least 1 each, for cells closest to squares of side `metres`."""
    height, width = extent_metres(south, west, north, east)
    return max(1, round(height / metres)), max(1, round(width / metres))
