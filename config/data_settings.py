"""Settings of the data: grid, intervals, ingest, trips, windows and split."""

import dataclasses
from typing import Literal, Optional
from zoneinfo import ZoneInfo

from crowdflow.config.checks import require, require_date
from crowdflow.schema import features
from crowdflow.schema.geodesy import shape_for
from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY


@dataclasses.dataclass(frozen=True)
class GridConfig:
    """The city's grid.

    Attributes:
      rows: H, row 0 is north.
      cols: W, column 0 is west.
      south: southern edge of the grid in degrees, for raw trips; likewise west, north and east: all or none.
      cell_metres: side of a cell in metres, with a box: rows and cols are then those that come closest to it,
        whatever they were.
    """

    rows: int = 16
    cols: int = 8
    south: Optional[float] = None
    west: Optional[float] = None
    north: Optional[float] = None
    east: Optional[float] = None
    cell_metres: Optional[float] = None

    def __post_init__(self):
        require(self.rows >= 1, "grid.rows", "at least 1", self.rows)
        require(self.cols >= 1, "grid.cols", "at least 1", self.cols)
        edges = {name: getattr(self, name) for name in ("south", "west", "north", "east")}
        given = [name for name, value in edges.items() if value is not None]
        require(len(given) in (0, 4), "grid", "all of south, west, north and east, or none", given)
        if given:
            ok = -90 <= self.south < self.north <= 90 and -180 <= self.west < self.east <= 180
            expected = "degrees with -90 <= south < north <= 90 and -180 <= west < east <= 180"
            require(ok, "grid", expected, edges)
        if self.cell_metres is not None:
            require(self.cell_metres > 0, "grid.cell_metres", "above 0", self.cell_metres)
            expected = "null, or a box: grid.south, west, north and east"
            require(bool(given), "grid.cell_metres", expected, self.cell_metres)
            rows, cols = shape_for(*edges.values(), self.cell_metres)
            object.__setattr__(self, "rows", rows)  # derived, in a frozen class
            object.__setattr__(self, "cols", cols)


@dataclasses.dataclass(frozen=True)
class IntervalConfig:
    """The raster of time.

    Attributes:
      minutes: length of an interval; a divisor of a day.
      timezone: IANA name of the zone whose wall clock keys the intervals.
    """

    minutes: int = 60
    timezone: str = "America/New_York"

    def __post_init__(self):
        ok = self.minutes >= 1 and MINUTES_PER_DAY % self.minutes == 0
        require(ok, "intervals.minutes", "a divisor of 1440", self.minutes)
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            require(
                False, "intervals.timezone", "an IANA zone such as Asia/Shanghai", self.timezone
            )

    @property
    def per_day(self) -> int:
        """T, the intervals of a day."""
        return MINUTES_PER_DAY // self.minutes


@dataclasses.dataclass(frozen=True)
class IngestConfig:
    """How records become frames.

    Attributes:
      absent_cells: what a cell without a row means in an interval that has rows: `zero` flow, or the whole
        interval is `missing`.
      max_reject_share: the run stops when more than this share of the records is rejected; 0 stops at
        the first. A dirty feed needs more; its rejects are counted and listed.
      holidays: a holidays file (one YYYYMMDD a line) comes with the data.
      weather: a meteorology file of the TaxiBJ form comes with the data; or
      weather_columns: a CSV weather table does, and these are its columns to use, all numbers.
      weather_time_column: the table's column of dates (a row is a day) or of times (a row is a slot).
      weather_minutes: length of a slot of weather from its time on; null is intervals.minutes in a meteorology
        file, an hour in a table. A slot is known when it has ended.
      weather_max_age_hours: an observation that ended longer ago than this no longer counts as known.
      missing_temperature: the Temperature that stands for none in a meteorology file.
      max_flow: upper bound of a flow, trips per interval, in the data contract.
    """

    absent_cells: Literal["zero", "missing"] = "zero"
    max_reject_share: float = 0.0
    holidays: bool = False
    weather: bool = False
    weather_columns: tuple[str, ...] = ()
    weather_time_column: str = "DATE"
    weather_minutes: Optional[int] = None
    weather_max_age_hours: float = 24.0
    missing_temperature: Optional[float] = None
    max_flow: float = 10_000.0

    def __post_init__(self):
        ok = 0 <= self.max_reject_share <= 1
        require(ok, "ingest.max_reject_share", "a share within 0..1", self.max_reject_share)
        names = (self.weather_time_column, *self.weather_columns)
        ok = len(set(names)) == len(names)
        expected = "columns that differ, and ingest.weather_time_column not among them"
        require(ok, "ingest.weather_columns", expected, list(self.weather_columns))
        ok = not (self.weather and self.weather_columns)
        require(ok, "ingest", "one of weather and weather_columns", list(self.weather_columns))
        slot = self.weather_minutes
        ok = slot is None or (slot >= 1 and MINUTES_PER_DAY % slot == 0)
        require(ok, "ingest.weather_minutes", "a divisor of 1440, or null", slot)
        ok = self.weather_max_age_hours > 0
        require(ok, "ingest.weather_max_age_hours", "above 0", self.weather_max_age_hours)
        require(self.max_flow > 0, "ingest.max_flow", "above 0", self.max_flow)


@dataclasses.dataclass(frozen=True)
class TripsConfig:
    """How raw trips, or the points of trajectories, become flows. The grid needs its box.

    Attributes:
      layout: `auto` tells the known headers apart, file by file (Citi Bike's three, the TLC's yellow taxis with
        positions, and points); `citibike` or `tlc` takes that one alone; `columns`: a trip's columns have the
        six names below; `trajectories`: a row is a point, with the names of `point_*`.
      start_time: name of the column; likewise end_time and the four positions. For `columns`.
      max_hours: the end of a trip that lasts longer is rejected; its start counts.
      empty_days: a whole day in which no trip starts is `zero` flow or `missing`.
      first_day: trips that start before this date, YYYY-MM-DD, are rejected; null takes all.
      last_day: likewise after this date.
      max_reject_share: the run stops when more than this share of starts and ends (or points) is rejected.
      point_id: column of a trajectory's id; likewise point_time, point_lat and point_lon.
      max_gap_minutes: two points of a trajectory further apart in time are no crossing.
    """

    layout: Literal["auto", "citibike", "tlc", "columns", "trajectories"] = "auto"
    start_time: Optional[str] = None
    end_time: Optional[str] = None
    start_lat: Optional[str] = None
    start_lon: Optional[str] = None
    end_lat: Optional[str] = None
    end_lon: Optional[str] = None
    max_hours: float = 24.0
    empty_days: Literal["zero", "missing"] = "zero"
    first_day: Optional[str] = None
    last_day: Optional[str] = None
    max_reject_share: float = 0.05
    point_id: str = "id"
    point_time: str = "time"
    point_lat: str = "latitude"
    point_lon: str = "longitude"
    max_gap_minutes: float = 15.0

    def __post_init__(self):
        names = ("start_time", "end_time", "start_lat", "start_lon", "end_lat", "end_lon")
        given = [name for name in names if getattr(self, name) is not None]
        if self.layout == "columns":
            require(
                len(given) == 6, "trips", f"with layout columns all of {', '.join(names)}", given
            )
        else:
            expected = f"no column names with layout {self.layout}; layout columns takes them"
            require(not given, "trips", expected, given)
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


@dataclasses.dataclass(frozen=True)
class WindowConfig:
    """The lags of a window, in the field's terms.

    Attributes:
      closeness: lc, the last intervals.
      period: lp, the same time on the last days.
      trend: lq, the same time in the last weeks.
      horizon: intervals forecast at once.
      average: so many last weeks' mean, at the targets' and at the closeness lags' hours of the week: what is
        usual then. 0 has none.
    """

    closeness: int = 3
    period: int = 1
    trend: int = 1
    horizon: int = 1
    average: int = 0

    def __post_init__(self):
        for name in ("closeness", "period", "trend", "average"):
            value = getattr(self, name)
            require(value >= 0, f"windows.{name}", "0 or more", value)
        total = self.closeness + self.period + self.trend
        require(total >= 1, "windows", "at least one lag in closeness, period or trend", total)
        require(self.horizon >= 1, "windows.horizon", "at least 1", self.horizon)

    def history_days(self, per_day: int) -> int:
        """The days before its own day on which a window may look back, for `per_day` intervals a day."""
        recent = -(-self.closeness // per_day)
        usual = DAYS_PER_WEEK * self.average + recent if self.average else 0
        return max(recent, self.period, DAYS_PER_WEEK * self.trend, usual)

    def lag_maps(self) -> dict[str, int]:
        """How many maps a window has of each of `schema.features.LAGS`; those without any are absent."""
        counts = {
            features.CLOSENESS: self.closeness,
            features.PERIOD: self.period * self.horizon,
            features.TREND: self.trend * self.horizon,
            features.AVERAGE: (self.horizon + self.closeness) * bool(self.average),
        }
        return {name: count for name, count in counts.items() if count}


@dataclasses.dataclass(frozen=True)
class SplitConfig:
    """The split by target time: train, then eval, then test.

    Attributes:
      test_days: the last days of the data are the test period; or
      test_start: its first date, YYYY-MM-DD.
      eval_share: the last share of the training windows is for early stopping; or
      eval_days: that many days before the test period; or
      eval_start: its first date, YYYY-MM-DD.
    """

    test_days: Optional[int] = 10
    test_start: Optional[str] = None
    eval_share: Optional[float] = 0.1
    eval_days: Optional[int] = None
    eval_start: Optional[str] = None

    def __post_init__(self):
        given = [n for n in ("test_days", "test_start") if getattr(self, n) is not None]
        require(len(given) == 1, "split", "one of test_days and test_start", given)
        given = [
            n for n in ("eval_share", "eval_days", "eval_start") if getattr(self, n) is not None
        ]
        require(len(given) == 1, "split", "one of eval_share, eval_days and eval_start", given)
        for name in ("test_days", "eval_days"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"split.{name}", "at least 1", value)
        share = self.eval_share
        require(share is None or 0 < share < 1, "split.eval_share", "within 0..1", share)
        require_date("split.test_start", self.test_start)
        require_date("split.eval_start", self.eval_start)
