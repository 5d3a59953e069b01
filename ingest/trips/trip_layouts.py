"""The layouts of trip files: which column has which role, by the header."""

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


class Layout(NamedTuple):
    """The columns of a file that are read.

    Attributes:
      name: of the layout.
      roles: `TRIP_ROLES`, `PLACE_ROLES` or `POINT_ROLES`.
      columns: index of each role's column in the header, from 0.
    """

    name: str
    roles: tuple[str, ...]
    columns: tuple[int, ...]


def find_layout(header: Sequence[str], config: Config) -> Optional[Layout]:
    """The layout of a header, or None if it has no layout that the configuration allows."""
    places: dict[str, int] = {}
    for place, name in enumerate(header):
        places.setdefault(plain(name), place)
    for name, roles, columns in _candidates(config):
        found = [places.get(plain(column)) for column in columns]
        if None not in found:
            return Layout(name, roles, tuple(found[: len(roles)]))
    return None


def require_layout(path: str, header: Sequence[str], config: Config, also: str = "") -> Layout:
    """Like `find_layout`, but raises; `also` is a line for the message with another accepted form.

    Raises:
      DataError: no layout fits, with the columns found and the known layouts, or a column is there twice.
    """
    layout = find_layout(header, config)
    if layout is None:
        known = [f"  {name}: {', '.join(columns)}" for name, _, columns in _candidates(config)]
        known = "\n".join([*known, also] if also else known)
        raise DataError(
            f"{path}: the header matches no known layout (trips.layout = {config.trips.layout}). "
            f"Found: {', '.join(header)[:300] or 'no columns'}. Known:\n{known}\n"
            "Other names: set trips.layout=columns and trips.start_time, trips.end_time and so on."
        )
    for place in layout.columns:
        same = [name for name in header if plain(name) == plain(header[place])]
        if len(same) > 1:
            raise DataError(
                f"{path}: expected one column {same[0]}. Received {len(same)}: {', '.join(same)}."
            )
    return layout


def _candidates(config: Config) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    trips = config.trips
    points = ("trajectories", POINT_ROLES, tuple(getattr(trips, role) for role in POINT_ROLES))
    if trips.layout == "trajectories":
        return [points]
    if trips.layout == "columns":
        roles = TRIP_ROLES if trips.start_place is None else PLACE_ROLES
        return [("columns", roles, tuple(getattr(trips, role) for role in roles))]
    found = [
        (name, roles, columns)
        for roles, known in ((TRIP_ROLES, _KNOWN), (PLACE_ROLES, _KNOWN_BY_PLACE))
        for name in (known if trips.layout == "auto" else (trips.layout,))
        for columns in known.get(name, ())
    ]
    return [*found, points] if trips.layout == "auto" else found


def plain(name: str) -> str:
    """The name of a column without case, spaces and underscores."""
    return name.lower().replace(" ", "").replace("_", "").strip()
