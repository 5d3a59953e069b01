"""The layouts of trip files: which column has which role, by the header."""

import difflib
from collections.abc import Sequence
from typing import NamedTuple, Optional

from crowdflow.config import Config
from crowdflow.schema.errors import DataError

START_TIME, END_TIME = "start_time", "end_time"
START_LAT, START_LON = "start_lat", "start_lon"
END_LAT, END_LON = "end_lat", "end_lon"
TRIP_ROLES = (START_TIME, END_TIME, START_LAT, START_LON, END_LAT, END_LON)
POINT_ID, POINT_TIME, POINT_LAT, POINT_LON = "point_id", "point_time", "point_lat", "point_lon"
POINT_ROLES = (POINT_ID, POINT_TIME, POINT_LAT, POINT_LON)
TIMES = (START_TIME, END_TIME, POINT_TIME)

# Layout -> its headers, each in the order of TRIP_ROLES. Case, spaces and underscores are ignored.
_KNOWN = {
    "citibike": (
        ("Start Time", "Stop Time", "Start Station Latitude", "Start Station Longitude",
         "End Station Latitude", "End Station Longitude"),
        ("started_at", "ended_at", "start_lat", "start_lng", "end_lat", "end_lng"),
    ),
    "tlc": (
        ("Trip_Pickup_DateTime", "Trip_Dropoff_DateTime", "Start_Lat", "Start_Lon",
         "End_Lat", "End_Lon"),
        ("pickup_datetime", "dropoff_datetime", "pickup_latitude", "pickup_longitude",
         "dropoff_latitude", "dropoff_longitude"),
        ("tpep_pickup_datetime", "tpep_dropoff_datetime", "pickup_latitude", "pickup_longitude",
         "dropoff_latitude", "dropoff_longitude"),
    ),
    "trips": (TRIP_ROLES,),
}  # fmt: skip


class Layout(NamedTuple):
    """The columns of a file that are read.

    Attributes:
      name: of the layout.
      roles: `TRIP_ROLES` or `POINT_ROLES`.
      columns: index of each role's column in the header, from 0.
    """

    name: str
    roles: tuple[str, ...]
    columns: tuple[int, ...]


def find_layout(header: Sequence[str], config: Config) -> Optional[Layout]:
    """The layout of a header, or None if it has no layout that the configuration allows."""
    places: dict[str, int] = {}
    for place, name in enumerate(header):
        places.setdefault(_plain(name), place)
    for name, roles, columns in _candidates(config):
        found = [places.get(_plain(column)) for column in columns]
        if None not in found:
            return Layout(name, roles, tuple(found))
    return None


def require_layout(path: str, header: Sequence[str], config: Config, also: str = "") -> Layout:
    """Like `find_layout`, but raises; `also` is a line for the message with another accepted form.

    Raises:
      DataError: no layout fits, with the columns found and the known layouts, or a column is there twice.
    """
    layout = find_layout(header, config)
    if layout is None:
        _require_set_columns(path, header, config)
        known = [f"  {name}: {', '.join(columns)}" for name, _, columns in _candidates(config)]
        known = "\n".join([*known, also] if also else known)
        raise DataError(
            f"{path}: the header matches no known layout (trips.layout = {config.trips.layout}). "
            f"Found: {', '.join(header)[:300] or 'no columns'}. Known:\n{known}\n"
            "Other names: set trips.layout=columns and trips.start_time, trips.end_time and so on."
        )
    for place in layout.columns:
        same = [name for name in header if _plain(name) == _plain(header[place])]
        if len(same) > 1:
            raise DataError(
                f"{path}: expected one column {same[0]}. Received {len(same)}: {', '.join(same)}."
            )
    return layout


def _require_set_columns(path: str, header: Sequence[str], config: Config) -> None:
    """Raises DataError with the columns that settings name and the header lacks, where the layout is set."""
    if config.trips.layout not in ("columns", "trajectories"):
        return
    [(_, roles, columns)] = _candidates(config)
    present = {_plain(name): name for name in header}
    absent = [(role, name) for role, name in zip(roles, columns) if _plain(name) not in present]
    close = [difflib.get_close_matches(_plain(name), present, 1) for _, name in absent]
    meant = ", ".join(f"{present[match[0]]!r}" for match in close if match)
    raise DataError(
        f"{path}: expected {', '.join(f'the column {name!r} (trips.{role})' for role, name in absent)}. "
        f"Found: {', '.join(header)[:300] or 'no columns'}."
        + (f" Did you mean {meant}?" if meant else "")
    )


def _candidates(config: Config) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    trips = config.trips
    points = ("trajectories", POINT_ROLES, tuple(getattr(trips, role) for role in POINT_ROLES))
    if trips.layout == "trajectories":
        return [points]
    if trips.layout == "columns":
        return [("columns", TRIP_ROLES, tuple(getattr(trips, role) for role in TRIP_ROLES))]
    names = _KNOWN if trips.layout == "auto" else (trips.layout,)
    found = [(name, TRIP_ROLES, columns) for name in names for columns in _KNOWN[name]]
    return [*found, points] if trips.layout == "auto" else found


def _plain(name: str) -> str:
    return name.lower().replace(" ", "").replace("_", "").strip()
