"""Settings of raw trips and trajectories."""

import dataclasses
from typing import Literal, Optional

from crowdflow.config.checks import require, require_date


@dataclasses.dataclass(frozen=True)
class TripsConfig:
    """How raw trips or trajectories become flows. They need the edges of the grid.

    Attributes:
      layout: `auto` recognises each file by its header: Citi Bike's three, yellow taxis with positions (TLC), the
        plain names start_time, end_time, start_lat and so on, points, or one of the systems that name stations or
        zones in place of positions. The name of a system accepts only its files. `columns` takes the column
        names below, of positions or of places; `trajectories` takes one point per row, with the columns named
        by `point_*`.
      start_time: column of the start time, for `columns`.
      end_time: column of the end time, for `columns`.
      start_lat: column of the start latitude, for `columns`.
      start_lon: column of the start longitude, for `columns`.
      end_lat: column of the end latitude, for `columns`.
      end_lon: column of the end longitude, for `columns`.
      start_place: column of the id of the start's place, for `columns`, instead of `start_lat` and
        `start_lon`.
      end_place: column of the id of the end's place, for `columns`.
      places: the tables of places among the data, by file name or pattern; empty finds them by their columns.
        `2014-07-01=stations-2014*.csv` is a table that holds from that date on.
      place_id: column of the id in the tables of places; null takes the column that knows most ids of the trips.
      place_lat: column of the latitude in the tables of places; null takes one of a usual name.
      place_lon: column of the longitude in the tables of places; null takes one of a usual name.
      max_hours: the end of a trip that lasts longer than this is rejected; its start still counts.
      empty_days: meaning of a whole day on which no trip starts: `zero` flow or `missing`.
      first_day: trips that start before this date (YYYY-MM-DD) are rejected; null accepts all.
      last_day: trips that start after this date (YYYY-MM-DD) are rejected; null accepts all.
      max_reject_share: share of rejected trip starts and ends (or points) above which the run stops.
      date_order: order of day and month in dates such as 03/02/2024. `auto` settles it for each file from all of
        its dates, and stops where every date reads both ways.
      point_id: column of the trajectory's id.
      point_time: column of the point's time.
      point_lat: column of the point's latitude.
      point_lon: column of the point's longitude.
      max_gap_minutes: two consecutive points further apart in time than this do not count as a crossing.
    """

    layout: Literal[
        "auto", "citibike", "tlc", "capitalbikeshare", "divvy", "healthyride", "hubway", "london",
        "niceride", "toronto", "trips", "columns", "trajectories",
    ] = "auto"  # fmt: skip
    start_time: Optional[str] = None
    end_time: Optional[str] = None
    start_lat: Optional[str] = None
    start_lon: Optional[str] = None
    end_lat: Optional[str] = None
    end_lon: Optional[str] = None
    start_place: Optional[str] = None
    end_place: Optional[str] = None
    places: tuple[str, ...] = ()
    place_id: Optional[str] = None
    place_lat: Optional[str] = None
    place_lon: Optional[str] = None
    max_hours: float = 24.0
    empty_days: Literal["zero", "missing"] = "zero"
    first_day: Optional[str] = None
    last_day: Optional[str] = None
    max_reject_share: float = 0.05
    date_order: Literal["auto", "day_first", "month_first"] = "auto"
    point_id: str = "id"
    point_time: str = "time"
    point_lat: str = "latitude"
    point_lon: str = "longitude"
    max_gap_minutes: float = 15.0

    def __post_init__(self):
        times, places = ("start_time", "end_time"), ("start_place", "end_place")
        names = (*times, "start_lat", "start_lon", "end_lat", "end_lon")
        given = [name for name in (*names, *places) if getattr(self, name) is not None]
        if self.layout == "columns":
            ok = given in ([*names], [*times, *places])
            expected = f"all of {', '.join(names)}, or {', '.join((*times, *places))}, "
            require(ok, "trips", expected + "with layout columns", given)
        else:
            expected = f"no column names with layout {self.layout}; they are for layout columns"
            require(not given, "trips", expected, given)
        for entry in self.places:
            since, _, name = entry.rpartition("=")
            require(bool(name), "trips.places", "names such as stations*.csv", entry)
            require_date("trips.places", since or None)
        require(self.max_hours > 0, "trips.max_hours", "above 0", self.max_hours)
        require_date("trips.first_day", self.first_day)
        require_date("trips.last_day", self.last_day)
        if self.first_day and self.last_day:
            ok = self.first_day <= self.last_day
            require(ok, "trips.last_day", f"{self.first_day} or later", self.last_day)
        ok = 0 <= self.max_reject_share <= 1
        require(ok, "trips.max_reject_share", "a share within 0..1", self.max_reject_share)
        ok = self.max_gap_minutes > 0
        require(ok, "trips.max_gap_minutes", "above 0", self.max_gap_minutes)
