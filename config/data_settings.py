"""Settings of the data: grid, intervals, ingest, windows and split; those of trips are in `trips_settings`."""

import dataclasses
from typing import Literal, Optional
from zoneinfo import ZoneInfo

from crowdflow.config.checks import require, require_date
from crowdflow.schema import features
from crowdflow.schema.geodesy import shape_for
from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY

USUAL_ZONE = "America/New_York"  # whose clocks are taken where none is set and the grid lies there


@dataclasses.dataclass(frozen=True)
class GridConfig:
    """The grid of cells over the city.

    Attributes:
      rows: number of rows, H; row 0 is the northernmost.
      cols: number of columns, W; column 0 is the westernmost.
      south: southern edge of the grid, in degrees. Raw trips need all four edges; otherwise set all or none.
      west: western edge, in degrees.
      north: northern edge, in degrees.
      east: eastern edge, in degrees.
      cell_metres: side of a cell in metres. Needs the four edges, and replaces `rows` and `cols` by the numbers
        that come closest to square cells of this size.
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
            object.__setattr__(self, "rows", rows)  # derived; the class is frozen
            object.__setattr__(self, "cols", cols)


@dataclasses.dataclass(frozen=True)
class IntervalConfig:
    """The intervals into which time is divided.

    Attributes:
      minutes: length of an interval; must divide a day (1440 minutes) evenly.
      timezone: IANA name of the city's time zone, such as `Asia/Shanghai`. Intervals follow its wall clock. Null
        stops a run on trips whose times have an offset or count from 1970, or that are not where the clocks are
        New York's.
    """

    minutes: int = 60
    timezone: Optional[str] = None

    def __post_init__(self):
        ok = self.minutes >= 1 and MINUTES_PER_DAY % self.minutes == 0
        require(ok, "intervals.minutes", "a divisor of 1440", self.minutes)
        try:
            ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            require(
                False, "intervals.timezone", "an IANA zone such as Asia/Shanghai", self.timezone
            )

    @property
    def zone(self) -> str:
        """The zone whose daylight saving time the local clock follows."""
        return USUAL_ZONE if self.timezone is None else self.timezone

    @property
    def per_day(self) -> int:
        """Number of intervals in a day, T."""
        return MINUTES_PER_DAY // self.minutes


@dataclasses.dataclass(frozen=True)
class IngestConfig:
    """How input records become flow frames.

    Attributes:
      absent_cells: meaning of a cell without a row in an interval that has rows: `zero` flow, or `missing`,
        which makes the whole interval missing.
      max_reject_share: share of rejected records above which the run stops; 0 stops at the first one. Raise it
        for dirty data; rejects are counted and listed.
      holidays: whether the data include a holidays file (one YYYYMMDD per line).
      weather: whether the data include a meteorology file in the TaxiBJ form. Excludes `weather_columns`.
      weather_columns: numeric columns to use from a CSV weather table in the data. Excludes `weather`.
      weather_time_column: the weather table's column of dates (one row per day) or times (one row per slot).
      weather_minutes: minutes that an observation covers, from its time on; it is known when they are over. Null
        means `intervals.minutes` for a meteorology file, and an hour for a table of times.
      weather_max_age_hours: an observation that ended longer ago than this counts as unknown.
      missing_temperature: the Temperature that marks a missing value in a meteorology file.
      max_flow: upper bound of a flow in the data contract, in trips per interval.
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
        expected = "distinct columns, without ingest.weather_time_column"
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
class WindowConfig:
    """The lags of a window, as the ST-ResNet paper names them.

    Attributes:
      closeness: number of most recent intervals, lc.
      period: number of previous days, lp, at the same time of day.
      trend: number of previous weeks, lq, at the same time of the week.
      horizon: number of intervals forecast at once, h.
      average: number of previous weeks in the average, which is an input at the targets' and at the closeness
        lags' times of the week; those weeks count that have a frame. 0 leaves it out.
      average_days: number of previous days of which those of the same type (working days, or weekends and
        holidays) are half of the average, at the same time of day. 0 leaves them out.
      average_decay: the weight in the average of a week, or a day, as a share of that of the next one; 1 weighs
        all alike.
    """

    closeness: int = 4
    period: int = 2
    trend: int = 1
    horizon: int = 1
    average: int = 12
    average_days: int = 14
    average_decay: float = 0.9

    def __post_init__(self):
        for name in ("closeness", "period", "trend", "average", "average_days"):
            value = getattr(self, name)
            require(value >= 0, f"windows.{name}", "0 or more", value)
        total = self.closeness + self.period + self.trend
        require(total >= 1, "windows", "at least one lag in closeness, period or trend", total)
        require(self.horizon >= 1, "windows.horizon", "at least 1", self.horizon)
        longest = DAYS_PER_WEEK * self.average
        expected = f"at most the days of windows.average, {longest}"
        require(self.average_days <= longest, "windows.average_days", expected, self.average_days)
        ok = 0 < self.average_decay <= 1
        require(ok, "windows.average_decay", "above 0, at most 1", self.average_decay)

    def history_days(self, per_day: int) -> int:
        """How many days before its own day a window looks back, with `per_day` intervals per day."""
        return self._days_back(per_day, self.average)

    def needed_days(self, per_day: int) -> int:
        """How many of these days a window cannot do without: of an average one week."""
        return self._days_back(per_day, min(self.average, 1))

    def _days_back(self, per_day: int, average: int) -> int:
        recent = -(-self.closeness // per_day)
        weeks = DAYS_PER_WEEK * average + recent if average else 0
        return max(recent, self.period, DAYS_PER_WEEK * self.trend, weeks)

    def lag_maps(self) -> dict[str, int]:
        """Number of maps in a window for each of `schema.features.LAGS`; lags without maps are left out."""
        counts = {
            features.CLOSENESS: self.closeness,
            features.PERIOD: self.period * self.horizon,
            features.TREND: self.trend * self.horizon,
            features.AVERAGE: (self.horizon + self.closeness) * bool(self.average),
        }
        return {name: count for name, count in counts.items() if count}


@dataclasses.dataclass(frozen=True)
class SplitConfig:
    """The split by target time: train, then eval, then test. Set one `test_*` field and one `eval_*` field.

    Attributes:
      test_days: number of days at the end of the data that form the test period.
      test_start: first date of the test period, YYYY-MM-DD.
      eval_share: share of the windows before the test period that are held out, the latest ones, for early
        stopping.
      eval_days: number of days held out before the test period.
      eval_start: first date of the held-out days, YYYY-MM-DD.
      until: last date of the data that is used, YYYY-MM-DD; null uses all.
    """

    test_days: Optional[int] = 10
    test_start: Optional[str] = None
    eval_share: Optional[float] = 0.1
    eval_days: Optional[int] = None
    eval_start: Optional[str] = None
    until: Optional[str] = None

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
        require_date("split.until", self.until)
