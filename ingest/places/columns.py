"""The columns of tables of places, by the header, and which files are such tables."""

import datetime as dt
import fnmatch
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

from crowdflow.config import Config
from crowdflow.flows.frames import RECORD_COLUMNS
from crowdflow.ingest.trips.trip_layouts import find_layout, plain
from crowdflow.schema.intervals import MINUTES_PER_DAY, date_to_minutes

# Usual names of columns, in order of preference; case, spaces and underscores are ignored.
_LATITUDES = (
    "latitude", "lat", "stationlatitude", "gpslatitude", "centroidlat", "latitud", "breitengrad", "y",
)  # fmt: skip
_LONGITUDES = (
    "longitude", "lon", "lng", "long", "stationlongitude", "gpslongitude", "centroidlon", "longitud",
    "längengrad", "laengengrad", "x",
)  # fmt: skip
_OUTLINES = ("thegeom", "geometry", "geom", "wkt", "shape", "multipolygon")
_KEYS = (
    "placeid", "terminal", "terminalnumber", "terminalname", "number", "stationnumber", "station#",
    "stationid", "locationid", "shortname", "logicalterminal", "kioskid", "zoneid", "id", "station",
    "stationcode", "code", "sensorid", "stationname", "name", "commonname", "zone", "objectid",
    "idestacion", "numcicloe", "numero", "número", "codigo", "código", "nombre", "nome", "nom",
)  # fmt: skip
# A table with one of these has a row for each time, not for each place.
_TIMES = {"date", "time", "datetime", "date/time", "timestamp"}


class PlaceColumns(NamedTuple):
    """The columns of a table of places that are read, by name.

    Attributes:
      keys: may be the id, in order of preference.
      latitude: None if the table has outlines.
      longitude: None if the table has outlines.
      outline: WKT; None if the table has positions.
    """

    keys: tuple[str, ...]
    latitude: Optional[str]
    longitude: Optional[str]
    outline: Optional[str] = None


def find_columns(header: Sequence[str], config: Config) -> Optional[PlaceColumns]:
    """The columns of a table of places, or None if the header is of something else."""
    names: dict[str, str] = {}
    for name in header:
        names.setdefault(plain(name), name)
    trips = config.trips
    keys = _found(names, (trips.place_id,)) or _found(names, _KEYS)
    if not keys or (_TIMES & set(names) and not trips.place_id):
        return None
    latitude = _found(names, (trips.place_lat, *_LATITUDES))[:1]
    longitude = _found(names, (trips.place_lon, *_LONGITUDES))[:1]
    if latitude and longitude:
        return PlaceColumns(keys, *latitude, *longitude)
    outline = _found(names, _OUTLINES)[:1]
    return PlaceColumns(keys, None, None, *outline) if outline else None


def is_places(name: str, header: Sequence[str], config: Config) -> bool:
    """Whether a file is a table of places: by its name if `trips.places` names it, else by its columns."""
    if entries_of(name, config):
        return True
    if set(header) & set(RECORD_COLUMNS) or find_columns(header, config) is None:
        return False
    return find_layout(header, config) is None


def entries_of(name: str, config: Config) -> list[Optional[int]]:
    """For each entry of `trips.places` that names a file: the day from which it holds, None always.

    Args:
      name: path of the file, or of the zip and the file in it.
      config: for trips.

    Returns:
      Days since 1970-01-01.
    """
    found = []
    for entry in config.trips.places:
        day, _, pattern = entry.rpartition("=")
        if fnmatch.fnmatch(name.rsplit("/", 1)[-1], pattern):
            date = dt.date.fromisoformat(day) if day else None
            found.append(date and date_to_minutes(date) // MINUTES_PER_DAY)
    return found


def _found(names: Mapping[str, str], wanted: Sequence[Optional[str]]) -> tuple[str, ...]:
    return tuple(names[plain(name)] for name in wanted if name and plain(name) in names)
