"""The time zone of a city: whether the data need one that is not set, and which one is the nearest."""

import datetime as dt
import functools
import math
from typing import Optional
from zoneinfo import ZoneInfo

import numpy as np
import pytz  # for its table of zones and their cities; pandas needs it too

from crowdflow.config import Config, GridConfig
from crowdflow.config.data_settings import USUAL_ZONE
from crowdflow.flows import grids
from crowdflow.schema.errors import ConfigError

_AT_HAND = 0.5  # degrees, about 55 km


def nearest_zones(latitude: float, longitude: float, count: int) -> list[str]:
    """The IANA zones whose principal cities are the nearest to a position in degrees, the nearest first."""
    names, latitudes, longitudes = _cities()
    north, south = np.radians(latitudes), np.radians(latitude)
    across = np.radians(longitudes - longitude)
    nearness = np.sin(north) * np.sin(south) + np.cos(north) * np.cos(south) * np.cos(across)
    return [names[place] for place in np.argsort(-nearness)[:count]]


def proposed_zone(grid: GridConfig) -> Optional[str]:
    """The zone of the nearest of the zones' principal cities, as a proposal to check.

    Returns:
      IANA name; None if that city is not at hand and the three nearest do not have the same clocks.

    Raises:
      ConfigError: the grid has no box.
    """
    latitude, longitude = (float(edges.mean()) for edges in grids.edges(grid))
    zones = nearest_zones(latitude, longitude, 3)
    names, latitudes, longitudes = _cities()
    city = names.index(zones[0])
    near = math.hypot(
        latitudes[city] - latitude,
        (longitudes[city] - longitude) * math.cos(math.radians(latitude)),
    )
    return zones[0] if near < _AT_HAND or len({*map(_clocks, zones)}) == 1 else None


def require_zone(config: Config) -> None:
    """Checks that the zone is set, or that the grid lies where the usual zone's clocks are right.

    Raises:
      ConfigError: the zone is not set and the grid is elsewhere, or has no box.
    """
    north_south, west_east = grids.edges(config.grid)
    if config.intervals.timezone is not None:
        return
    zones = nearest_zones(north_south.mean(), west_east.mean(), 3)
    if _clocks(zones[0]) != _clocks(USUAL_ZONE):
        raise ConfigError(
            "intervals.timezone: expected the city's time zone, as the grid is not where the clocks are "
            f"{USUAL_ZONE}'s. Received: null. Zones of cities nearby: {', '.join(zones)}."
        )


def require_zone_of_offsets(zone: Optional[str]) -> str:
    """The zone to which times with an offset are converted.

    Raises:
      ConfigError: it is not set.
    """
    if zone is None:
        raise ConfigError(
            "intervals.timezone: expected the city's time zone, as times with an offset, or counted from 1970 in "
            "UTC, are to be converted to it. Received: null. Set it, such as America/Chicago."
        )
    return zone


@functools.cache
def _clocks(zone: str) -> tuple[Optional[dt.timedelta], ...]:
    """The offsets from UTC in the first days of the months of some years."""
    days = (
        dt.datetime(year, month, 1, tzinfo=ZoneInfo(zone))
        for year in (2012, 2024)
        for month in range(1, 13)
    )
    return tuple(day.utcoffset() for day in days)


@functools.cache
def _cities() -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names of zones, and the degrees of their cities, float64 `[n]`."""
    names, places = [], []
    with pytz.open_resource("zone1970.tab") as file:
        for line in file.read().decode().splitlines():
            if not line.startswith("#"):
                _, place, name = line.split("\t")[:3]
                split = max(place.rfind("+"), place.rfind("-"))
                places.append([_degrees(place[:split], 3), _degrees(place[split:], 4)])
                names.append(name)
    return names, *np.array(places).T


def _degrees(text: str, digits: int) -> float:
    """Degrees of `+DDMM`, `+DDDMM` or the same with seconds; `digits` counts the sign and the degrees."""
    parts = text[:digits], text[digits : digits + 2], text[digits + 2 :] or "0"
    degrees, minutes, seconds = map(int, parts)
    sign = -1 if text[0] == "-" else 1
    return degrees + sign * (minutes / 60 + seconds / 3600)
