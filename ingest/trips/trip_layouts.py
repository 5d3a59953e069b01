"""The layouts of trip files: which column has which role, by the header."""

import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple, Optional

from crowdflow.config import Config
from crowdflow.schema.errors import DataError

START_TIME, END_TIME = "start_time", "end_time"
START_LAT, START_LON = "start_lat", "start_lon"
END_LAT, END_LON = "end_lat", "end_lon"
TRIP_ROLES = (START_TIME, END_TIME, START_LAT, START_LON, END_LAT, END_LON)
START_PLACE, END_PLACE = "start_place", "end_place"
PLACES = (START_PLACE, END_PLACE)
PLACE_ROLES = (START_TIME, END_TIME, *PLACES)
POINT_ID, POINT_TIME, POINT_LAT, POINT_LON = "point_id", "point_time", "point_lat", "point_lon"
POINT_ROLES = (POINT_ID, POINT_TIME, POINT_LAT, POINT_LON)


class Position(NamedTuple):
    """The roles that say where a start, an end or a point is: two columns of degrees, or one of a place's id."""

    latitude: str
    longitude: str
    place: Optional[str] = None


START_POSITION = Position(START_LAT, START_LON, START_PLACE)
END_POSITION = Position(END_LAT, END_LON, END_PLACE)
POINT_POSITION = Position(POINT_LAT, POINT_LON)
TIMES = (START_TIME, END_TIME, POINT_TIME)
# The roles of columns that a layout may have beside those.
START_DATE, END_DATE, POINT_DATE = "start_date", "end_date", "point_date"
DATES = (START_DATE, END_DATE, POINT_DATE)  # the dates of TIMES that are only clock times
DURATION = "duration"  # in place of an end time
RIDE_ID = "ride_id"
POLYLINE = "polyline"  # all positions of a trip
POLYLINE_SECONDS = 15  # between two of them
# The columns that `trips.start_time` and so on name.
OWN_ROLES = (*TRIP_ROLES, *PLACES, START_DATE, END_DATE, DURATION, RIDE_ID)
# Usual names of the id of a ride; case, spaces and underscores are ignored.
_RIDE_IDS = ("ride_id", "trip_id", "rental_id", "01 - Rental Details Rental ID")

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
# Layout -> headers of trips that name their places, each in the order of PLACE_ROLES, then columns that only
# this system has beside them. The positions come from a table of places, see `ingest.places`.
_KNOWN_BY_PLACE = {
    "tlc": (
        ("tpep_pickup_datetime", "tpep_dropoff_datetime", "PULocationID", "DOLocationID"),
        ("lpep_pickup_datetime", "lpep_dropoff_datetime", "PULocationID", "DOLocationID"),
        ("pickup_datetime", "dropoff_datetime", "PULocationID", "DOLocationID"),
    ),
    "divvy": (
        ("starttime", "stoptime", "from_station_id", "to_station_id", "gender"),
        ("start_time", "end_time", "from_station_id", "to_station_id", "gender"),
        ("01 - Rental Details Local Start Time", "01 - Rental Details Local End Time",
         "03 - Rental Start Station ID", "02 - Rental End Station ID"),
    ),
    "healthyride": (
        ("Starttime", "Stoptime", "From station id", "To station id"),
        ("Start Date", "End Date", "Start Station Id", "End Station Id", "Closed Status"),
    ),
    "toronto": (
        ("trip_start_time", "trip_stop_time", "from_station_id", "to_station_id"),
        ("trip_start_time", "trip_stop_time", "from_station_name", "to_station_name"),
        ("Start Time", "End Time", "Start Station Id", "End Station Id"),
    ),
    "hubway": (
        ("Start date", "End date", "Start station number", "End station number", "Zip code"),
        ("start_date", "end_date", "strt_statn", "end_statn"),
    ),
    "niceride": (
        ("Start date", "End date", "Start terminal", "End terminal"),
        ("Start date", "End date", "Start station number", "End station number", "Account type"),
    ),
    "london": (
        ("Start Date", "End Date", "StartStation Id", "EndStation Id", "Rental Id"),
        ("Start date", "End date", "Start station number", "End station number", "Bike model"),
    ),
    "capitalbikeshare": (
        ("Start date", "End date", "Start station number", "End station number"),
    ),
    "trips": (PLACE_ROLES,),
}  # fmt: skip
_SHOWN = 6  # headers in a message
_PORTO = ("TRIP_ID", "TIMESTAMP", "POLYLINE")


class Layout(NamedTuple):
    """The columns of a file that are read.

    Attributes:
      name: of the layout.
      roles: what the columns hold: of trips the time and the position of the start, of the end or of both, of
        points `POINT_ROLES` or `POLYLINE`; further `DATES`, `DURATION` and `RIDE_ID`.
      columns: index of each role's column in the header, from 0.
    """

    name: str
    roles: tuple[str, ...]
    columns: tuple[int, ...]

    @property
    def of_points(self) -> bool:
        """Whether a row is a point of a trajectory rather than a trip."""
        return POINT_TIME in self.roles

    @property
    def of_lines(self) -> bool:
        """Whether a row is a whole trajectory."""
        return POLYLINE in self.roles

    @property
    def by_place(self) -> bool:
        """Whether the rows name places in place of positions."""
        return START_PLACE in self.roles or END_PLACE in self.roles

    def has_side(self, position: Position) -> bool:
        """Whether the rows say where and when a start, an end or a point is."""
        timed = {
            START_POSITION: START_TIME in self.roles,
            END_POSITION: END_TIME in self.roles or DURATION in self.roles,
            POINT_POSITION: POINT_TIME in self.roles,
        }[position]
        return timed and (position.place in self.roles or position.latitude in self.roles)


def find_layout(header: Sequence[str], config: Config) -> Optional[Layout]:
    """The layout of a header, or None if it has no layout that the configuration allows."""
    places: dict[str, int] = {}
    for place, name in enumerate(header):
        places.setdefault(plain(name), place)
    for name, roles, columns in _candidates(config):
        found = [places.get(plain(column)) for column in columns]
        if None not in found:
            layout = Layout(name, roles, tuple(found[: len(roles)]))
            return layout if layout.of_points else _with_ride_id(layout, places)
    return None


def _with_ride_id(layout: Layout, places: dict[str, int]) -> Layout:
    """The layout with the column of a ride's id, if the header has one of a usual name."""
    ids = [places[plain(name)] for name in _RIDE_IDS if plain(name) in places]
    if RIDE_ID in layout.roles or not ids:
        return layout
    return Layout(layout.name, (*layout.roles, RIDE_ID), (*layout.columns, ids[0]))


def require_layout(path: str, header: Sequence[str], config: Config, also: str = "") -> Layout:
    """Like `find_layout`, but raises; `also` is a line for the message with another accepted form.

    Raises:
      DataError: no layout fits, with the columns found and the known layouts, or a column is there twice.
    """
    layout = find_layout(header, config)
    if layout is None:
        _require_set_columns(path, header, config)
        known = _nearest(header, config)
        known = "\n".join([*known, also] if also else known)
        values = any(re.match(r"-?\d", name) for name in header)
        raise DataError(
            f"{path}: the header matches no known layout (trips.layout = {config.trips.layout}). "
            f"Found: {', '.join(header)[:300] or 'no columns'}. Known:\n{known}\n"
            "Other names: set trips.layout=columns and trips.start_time, trips.end_time and so on, as far as the "
            "columns exist; `crowdflow inspect` guesses them."
            + (" No header? Set trips.header to the names of the columns." if values else "")
        )
    for place in layout.columns:
        same = [name for name in header if plain(name) == plain(header[place])]
        if len(same) > 1:
            raise DataError(
                f"{path}: expected one column {same[0]}. Received {len(same)}: {', '.join(same)}."
            )
    return layout


def _require_set_columns(path: str, header: Sequence[str], config: Config) -> None:
    """Raises DataError with the columns that settings name and the header lacks, where the layout is set."""
    if config.trips.layout not in ("columns", "trajectories"):
        return
    _, roles, columns = _candidates(config)[0]
    present = {plain(name): name for name in header}
    absent = [(role, name) for role, name in zip(roles, columns) if plain(name) not in present]
    close = [difflib.get_close_matches(plain(name), present, 1) for _, name in absent]
    meant = ", ".join(f"{present[match[0]]!r}" for match in close if match)
    raise DataError(
        f"{path}: expected {', '.join(f'the column {name!r} (trips.{role})' for role, name in absent)}. "
        f"Found: {', '.join(header)[:300] or 'no columns'}."
        + (f" Did you mean {meant}?" if meant else "")
        + (
            " If it is a table of places, set trips.place_id, trips.place_lat and trips.place_lon."
            if len(absent) == len(columns) and {START_PLACE, END_PLACE} & {*roles}
            else ""
        )
    )


def _nearest(header: Sequence[str], config: Config) -> list[str]:
    """Lines with the known headers that are most alike, and the names of the other layouts."""
    found = {plain(name) for name in header}
    every = sorted(_candidates(config), key=lambda one: -len(found & {*map(plain, one[2])}))
    lines = [f"  {name}: {', '.join(columns)}" for name, _, columns in every[:_SHOWN]]
    others = sorted({name for name, _, _ in every} - {name for name, _, _ in every[:_SHOWN]})
    return [*lines, f"  and those of {', '.join(others)}"] if others else lines


def _candidates(config: Config) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Layouts as name, roles and the names of their columns, the first of which that fits is taken."""
    trips = config.trips
    points = tuple(role for role in (*POINT_ROLES, POINT_DATE) if getattr(trips, role) is not None)
    named = ("trajectories", points, tuple(getattr(trips, role) for role in points))
    if trips.layout == "trajectories":
        return [named]
    any_known = trips.layout in ("auto", "columns")
    found = [
        (name, roles, columns)
        for roles, known in ((TRIP_ROLES, _KNOWN), (PLACE_ROLES, _KNOWN_BY_PLACE))
        for name in (known if any_known else (trips.layout,))
        for columns in known.get(name, ())
    ]
    if trips.layout == "columns":
        own = tuple(role for role in OWN_ROLES if getattr(trips, role) is not None)
        return [("columns", own, tuple(getattr(trips, role) for role in own)), *found]
    lines = ("porto", (POINT_ID, POINT_TIME, POLYLINE), _PORTO)
    if trips.layout == "porto":
        return [lines]
    return [*found, lines, named] if trips.layout == "auto" else found


def plain(name: str) -> str:
    """The name of a column without case, spaces and underscores."""
    return name.lower().replace(" ", "").replace("_", "").strip()
