"""The time zone of a city: whether the data need one that is not set, and which one it is where the grid lies."""

import collections
import datetime as dt
import functools
from typing import Optional
from zoneinfo import ZoneInfo

import numpy as np
import tzfpy

from crowdflow.config import Config, GridConfig
from crowdflow.config.data_settings import USUAL_ZONE
from crowdflow.flows import grids
from crowdflow.schema.errors import ConfigError

_POINTS = 9  # in each direction of a box
_AT_SEA = "Etc/"


def zones_in(grid: GridConfig) -> list[str]:
    """The IANA zones of a lattice of points in the box of a grid, the one with most points first.

    Raises:
      ConfigError: the grid has no box.
    """
    north_south, west_east = grids.edges(grid)
    found = collections.Counter(
        tzfpy.get_tz(longitude, latitude)
        for latitude in np.linspace(north_south[0], north_south[-1], _POINTS)
        for longitude in np.linspace(west_east[0], west_east[-1], _POINTS)
    )
    zones = [zone for zone, _ in found.most_common()]
    return [zone for zone in zones if not zone.startswith(_AT_SEA)] or zones


def proposed_zone(grid: GridConfig) -> Optional[str]:
    """The zone where a grid lies, or None where zones with different clocks meet in its box.

    Raises:
      ConfigError: the grid has no box.
    """
    zones = zones_in(grid)
    return zones[0] if len({*map(_clocks, zones)}) == 1 else None


def require_zone(config: Config) -> None:
    """Checks that the zone is set, or that the grid lies where the usual zone's clocks are right.

    Raises:
      ConfigError: the zone is not set and the grid is elsewhere, or has no box.
    """
    zones = zones_in(config.grid)
    if config.intervals.timezone is None and {*map(_clocks, zones)} != {_clocks(USUAL_ZONE)}:
        raise ConfigError(
            "intervals.timezone: expected the city's time zone, as the grid is not where the clocks are "
            f"{USUAL_ZONE}'s. Received: null. Zones in its box: {', '.join(zones)}."
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
