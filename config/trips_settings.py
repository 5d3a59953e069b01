"""Settings of raw trips and trajectories."""

import dataclasses
import itertools
from typing import Literal, Optional

from crowdflow.config.checks import require, require_date

# The settings that name columns of trips, for `layout: columns`.
OWN_COLUMNS = (
    "start_time", "end_time", "start_lat", "start_lon", "end_lat", "end_lon", "start_place",
    "end_place", "start_date", "end_date", "duration", "ride_id",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class TripsConfig:
    """How raw trips or trajectories become flows. They need the edges of the grid.

    Attributes:
      layout: `auto` recognises each file by its header: Citi Bike's three, yellow taxis with positions (TLC), the
        plain names start_time, end_time, start_lat and so on, points, or one of the systems that name stations or
        zones in place of positions. The name of a system accepts only its files. `columns` takes the columns
        named below too, of starts, of ends or of both; `trajectories` takes one point per row, with the columns
        named by `point_*`.
      start_time: column of the start time, for `columns`.
      end_time: column of the end time, for `columns`.
      start_lat: column of the start latitude, for `columns`.
      start_lon: column of the start longitude, for `columns`.
      end_lat: column of the end latitude, for `columns`.
      end_lon: column of the end longitude, for `columns`.
      start_place: column of the id of the start's place, for `columns`, instead of `start_lat` and
        `start_lon`.
      end_place: column of the id of the end's place, for `columns`.
      start_date: column of the date of the start, for `columns`, where `start_time` is only a clock time.
      end_date: column of the date of the end, for `columns`, where `end_time` is only a clock time.
      duration: column of the duration, for `columns`, instead of `end_time`: a number, or 1:02:03.
      duration_unit: unit of durations that are numbers.
      ride_id: column of the ride's id, for `columns`, by which rides that come again are found; null takes a
        column of a usual name, and the whole row if there is none.
      header: names of the columns of files without a header, such as `[id, time, longitude, latitude]`.
      places: the tables of places among the data, by file name or pattern; empty finds them by their columns.
        `2014-07-01=stations-2014*.csv` is a table that holds from that date on.
      place_id: column of the id in the tables of places that have it. Otherwise it is the one of a usual name that
        knows most ids of the trips.
      place_lat: column of the latitude in the tables of places that have it. Otherwise it is one of a usual name.
      place_lon: column of the longitude, likewise.
      max_hours: the end of a trip that lasts longer than this is rejected; its start still counts.
      empty_days: meaning of a whole day on which no trip starts: `zero` flow or `missing`.
      first_day: trips that start before this date (YYYY-MM-DD) are rejected; null accepts all.
      last_day: trips that start after this date (YYYY-MM-DD) are rejected; null accepts all.
      max_reject_share: share of rejected trip starts and ends (or points) above which the run stops.
      date_order: order of day and month in dates such as 03/02/2024. `auto` settles it for each file from all of
        its dates, and stops where every date reads both ways.
      point_id: column of the trajectory's id.
      point_time: column of the point's time.
      point_date: column of the point's date, where `point_time` is only a clock time.
      point_lat: column of the point's latitude.
      point_lon: column of the point's longitude.
      max_gap_minutes: two consecutive points further apart in time than this do not count as a crossing.
    """

    layout: Literal[
        "auto", "citibike", "tlc", "capitalbikeshare", "divvy", "healthyride", "hubway", "london",
        "niceride", "porto", "toronto", "trips", "columns", "trajectories",
    ] = "auto"  # fmt: skip
    start_time: Optional[str] = None
    end_time: Optional[str] = None
    start_lat: Optional[str] = None
    start_lon: Optional[str] = None
    end_lat: Optional[str] = None
    end_lon: Optional[str] = None
    start_place: Optional[str] = None
    end_place: Optional[str] = None
    start_date: Optional[str] = None
    end_date: Optional[str] = None
    duration: Optional[str] = None
    duration_unit: Literal["s", "min", "ms"] = "s"
    ride_id: Optional[str] = None
    header: tuple[str, ...] = ()
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
    point_date: Optional[str] = None
    point_lat: str = "latitude"
    point_lon: str = "longitude"
    max_gap_minutes: float = 15.0

    def __post_init__(self):
        self._check_columns()
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

    def _check_columns(self) -> None:
        """Checks that the columns of one's own are those of a start, an end or both."""
        names = [name for name in OWN_COLUMNS if getattr(self, name) is not None]
        if self.layout != "columns":
            expected = f"no column names with layout {self.layout}; they are for layout columns"
            require(not names, "trips", expected, names)
            return
        used = {"ride_id"} if self.ride_id else set()
        for side in ("start", "end"):
            where = [{f"{side}_place"}, {f"{side}_lat", f"{side}_lon"}]
            when = [{f"{side}_time"}, {f"{side}_time", f"{side}_date"}]
            when += [{"duration", "start_time"}, {"duration", "start_time", "start_date"}]
            for parts in itertools.product(where, when if side == "end" else when[:2]):
                one = set().union(*parts)
                used |= one if one <= {*names} else set()
        expected = (
            "the columns of a start, of an end or of both: a time (for an end, trips.duration will do) and "
            "latitude and longitude or a place, with layout columns"
        )
        require(len(used) > bool(self.ride_id) and used == {*names}, "trips", expected, names)
