"""The configuration: frozen dataclasses, checked when they are made.

A configuration is data, not code: `to_dict` and `from_dict` are exact inverses, files are YAML or JSON,
and every field can be set by its dotted name (`training.epochs=3`). Only the runners read one;
`create_pipeline` takes typed keywords.
"""

import dataclasses
import datetime as dt
import json
import types
import typing
from pathlib import Path
from typing import Any, Literal, Optional, Union
from zoneinfo import ZoneInfo

import yaml

from components.errors import ConfigError
from components.intervals import MINUTES_PER_DAY


def _require(ok: bool, field: str, expected: str, received: Any) -> None:
    if not ok:
        raise ConfigError(f"{field}: expected {expected}. Received: {received!r}.")


def _require_date(field: str, value: Optional[str]) -> None:
    if value is not None:
        try:
            dt.date.fromisoformat(value)
        except ValueError:
            _require(False, field, "a date YYYY-MM-DD", value)


@dataclasses.dataclass(frozen=True)
class GridConfig:
    """The city's grid.

    Attributes:
      rows: H, row 0 is north.
      cols: W, column 0 is west.
      south: southern edge of the grid in degrees, for raw trips; likewise west, north and east: all or none.
    """

    rows: int = 16
    cols: int = 8
    south: Optional[float] = None
    west: Optional[float] = None
    north: Optional[float] = None
    east: Optional[float] = None

    def __post_init__(self):
        _require(self.rows >= 1, "grid.rows", "at least 1", self.rows)
        _require(self.cols >= 1, "grid.cols", "at least 1", self.cols)
        edges = {name: getattr(self, name) for name in ("south", "west", "north", "east")}
        given = [name for name, value in edges.items() if value is not None]
        _require(len(given) in (0, 4), "grid", "all of south, west, north and east, or none", given)
        if given:
            ok = -90 <= self.south < self.north <= 90 and -180 <= self.west < self.east <= 180
            expected = "degrees with -90 <= south < north <= 90 and -180 <= west < east <= 180"
            _require(ok, "grid", expected, edges)


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
        _require(ok, "intervals.minutes", "a divisor of 1440", self.minutes)
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            _require(
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
        _require(ok, "ingest.max_reject_share", "a share within 0..1", self.max_reject_share)
        names = (self.weather_time_column, *self.weather_columns)
        ok = len(set(names)) == len(names)
        expected = "columns that differ, and ingest.weather_time_column not among them"
        _require(ok, "ingest.weather_columns", expected, list(self.weather_columns))
        ok = not (self.weather and self.weather_columns)
        _require(ok, "ingest", "one of weather and weather_columns", list(self.weather_columns))
        slot = self.weather_minutes
        ok = slot is None or (slot >= 1 and MINUTES_PER_DAY % slot == 0)
        _require(ok, "ingest.weather_minutes", "a divisor of 1440, or null", slot)
        ok = self.weather_max_age_hours > 0
        _require(ok, "ingest.weather_max_age_hours", "above 0", self.weather_max_age_hours)
        _require(self.max_flow > 0, "ingest.max_flow", "above 0", self.max_flow)


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
            _require(
                len(given) == 6, "trips", f"with layout columns all of {', '.join(names)}", given
            )
        else:
            expected = f"no column names with layout {self.layout}; layout columns takes them"
            _require(not given, "trips", expected, given)
        _require(self.max_hours > 0, "trips.max_hours", "above 0", self.max_hours)
        _require_date("trips.first_day", self.first_day)
        _require_date("trips.last_day", self.last_day)
        if self.first_day and self.last_day:
            ok = self.first_day <= self.last_day
            _require(ok, "trips.last_day", f"{self.first_day} or later", self.last_day)
        ok = 0 <= self.max_reject_share <= 1
        _require(ok, "trips.max_reject_share", "a share within 0..1", self.max_reject_share)
        ok = self.max_gap_minutes > 0
        _require(ok, "trips.max_gap_minutes", "above 0", self.max_gap_minutes)


@dataclasses.dataclass(frozen=True)
class WindowConfig:
    """The lags of a window, in the field's terms.

    Attributes:
      closeness: lc, the last intervals.
      period: lp, the same time on the last days.
      trend: lq, the same time in the last weeks.
      horizon: intervals forecast at once.
    """

    closeness: int = 3
    period: int = 1
    trend: int = 1
    horizon: int = 1

    def __post_init__(self):
        for name in ("closeness", "period", "trend"):
            value = getattr(self, name)
            _require(value >= 0, f"windows.{name}", "0 or more", value)
        total = self.closeness + self.period + self.trend
        _require(total >= 1, "windows", "at least one lag in closeness, period or trend", total)
        _require(self.horizon >= 1, "windows.horizon", "at least 1", self.horizon)


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
        _require(len(given) == 1, "split", "one of test_days and test_start", given)
        given = [
            n for n in ("eval_share", "eval_days", "eval_start") if getattr(self, n) is not None
        ]
        _require(len(given) == 1, "split", "one of eval_share, eval_days and eval_start", given)
        for name in ("test_days", "eval_days"):
            value = getattr(self, name)
            _require(value is None or value >= 1, f"split.{name}", "at least 1", value)
        share = self.eval_share
        _require(share is None or 0 < share < 1, "split.eval_share", "within 0..1", share)
        _require_date("split.test_start", self.test_start)
        _require_date("split.eval_start", self.eval_start)


@dataclasses.dataclass(frozen=True)
class TransformConfig:
    """Calendar features, derived inside the graph from the target's time.

    Attributes:
      day_of_week: day of the week one-hot (7) and a weekday flag.
      time_of_day: the slot of the day, one-hot (T).
      holiday_country: public holidays of this country, by its ISO 3166 code such as `US`; null has none.
      holiday_subdivision: and of this part of it, such as `NJ`.
      holidays_until: the last date, YYYY-MM-DD, of the table of holidays that becomes part of the model; a
        forecast past it fails.
    """

    day_of_week: bool = True
    time_of_day: bool = False
    holiday_country: Optional[str] = None
    holiday_subdivision: Optional[str] = None
    holidays_until: str = "2035-12-31"

    def __post_init__(self):
        _require_date("transform.holidays_until", self.holidays_until)
        ok = self.holiday_country is not None or self.holiday_subdivision is None
        expected = "null without transform.holiday_country"
        _require(ok, "transform.holiday_subdivision", expected, self.holiday_subdivision)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """ST-ResNet.

    Attributes:
      residual_units: L, residual units in each branch.
      filters: channels of the hidden convolutions.
      batch_norm: batch normalisation inside the residual units.
      fusion: `hadamard`, one weight a cell and channel, or `sum`.
      fusion_init: `uniform` in [0, 1) as the authors have it, or `mean` (one over the branches).
      external: the external component is there.
      external_units: hidden units of the external component.
      external_relu: the authors' second ReLU, so that the component can only add.
      head: `tanh` as in the paper, or `linear`.
    """

    residual_units: int = 4
    filters: int = 64
    batch_norm: bool = False
    fusion: Literal["hadamard", "sum"] = "hadamard"
    fusion_init: Literal["uniform", "mean"] = "uniform"
    external: bool = True
    external_units: int = 10
    external_relu: bool = True
    head: Literal["tanh", "linear"] = "tanh"

    def __post_init__(self):
        _require(self.residual_units >= 0, "model.residual_units", "0 or more", self.residual_units)
        _require(self.filters >= 1, "model.filters", "at least 1", self.filters)
        _require(
            self.external_units >= 1, "model.external_units", "at least 1", self.external_units
        )


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The paper's two phases.

    Attributes:
      epochs: at most this many on `train`, stopped early on `eval`.
      patience: epochs without a better eval RMSE before the first phase stops; null never stops early.
      final_epochs: then this many on train + eval, from the best weights.
      batch_size: windows a step.
      learning_rate: Adam's, of the first phase.
      final_learning_rate: of the second phase; null goes on with the first phase's optimizer and constant rate.
      schedule: `constant`, or `cosine` to zero over the phase's epochs.
      steps_per_epoch: cuts an epoch short; null is all of the data.
      precision: `float32`, `mixed_bfloat16`, or `auto` by the device. The export is always float32.
      deterministic: deterministic ops: the same weights bit for bit, somewhat slower.
    """

    epochs: int = 500
    patience: Optional[int] = 5
    final_epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 2e-4
    final_learning_rate: Optional[float] = None
    schedule: Literal["constant", "cosine"] = "constant"
    steps_per_epoch: Optional[int] = None
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    deterministic: bool = False

    def __post_init__(self):
        _require(self.epochs >= 0, "training.epochs", "0 or more", self.epochs)
        _require(self.final_epochs >= 0, "training.final_epochs", "0 or more", self.final_epochs)
        total = self.epochs + self.final_epochs
        _require(total >= 1, "training", "an epoch in epochs or final_epochs", total)
        _require(self.batch_size >= 1, "training.batch_size", "at least 1", self.batch_size)
        _require(self.learning_rate > 0, "training.learning_rate", "above 0", self.learning_rate)
        spent = self.schedule == "cosine" and self.final_epochs and self.final_learning_rate is None
        expected = "a rate: after a cosine schedule the first phase's is zero"
        _require(not spent, "training.final_learning_rate", expected, None)
        for name in ("patience", "final_learning_rate", "steps_per_epoch"):
            value = getattr(self, name)
            _require(value is None or value > 0, f"training.{name}", "above 0, or null", value)


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """When a model is approved, on the test windows, by `rmse_active_cells`.

    Attributes:
      naive_margin: the model's RMSE must be below (1 - margin) times the best naive forecast's.
      pushed_tolerance: and at most (1 + tolerance) times the last pushed model's.
    """

    naive_margin: float = 0.0
    pushed_tolerance: float = 0.02

    def __post_init__(self):
        ok = 0 <= self.naive_margin < 1
        _require(ok, "evaluation.naive_margin", "within 0..1", self.naive_margin)
        ok = self.pushed_tolerance >= 0
        _require(ok, "evaluation.pushed_tolerance", "0 or more", self.pushed_tolerance)


@dataclasses.dataclass(frozen=True)
class PathsConfig:
    """Where a run reads and writes.

    Attributes:
      root: everything a run writes; null is `runs/<preset>`.
      data: input files and folders; none is the simulated city, for presets that have one.
    """

    root: Optional[str] = None
    data: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Config:
    """One run's configuration. `preset` names where it started."""

    preset: str = "custom"
    seed: int = 1
    grid: GridConfig = GridConfig()
    intervals: IntervalConfig = IntervalConfig()
    ingest: IngestConfig = IngestConfig()
    trips: TripsConfig = TripsConfig()
    windows: WindowConfig = WindowConfig()
    split: SplitConfig = SplitConfig()
    transform: TransformConfig = TransformConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    paths: PathsConfig = PathsConfig()

    def __post_init__(self):
        _require(0 <= self.seed < 2**31, "seed", "within 0..2^31-1", self.seed)
        limit = self.intervals.per_day * (1 if self.windows.period else 7)
        expected = f"at most {limit}: a lag must be known when the forecast is made"
        _require(self.windows.horizon <= limit, "windows.horizon", expected, self.windows.horizon)
        ok = not (self.ingest.holidays and self.transform.holiday_country)
        expected = "null where ingest.holidays gives a file of them"
        _require(ok, "transform.holiday_country", expected, self.transform.holiday_country)
        if self.model.external:
            fields = {
                self.transform: ("day_of_week", "time_of_day", "holiday_country"),
                self.ingest: ("holidays", "weather", "weather_columns"),
            }
            ok = any(getattr(part, name) for part, names in fields.items() for name in names)
            names = [f"transform.{name}" for name in fields[self.transform]]
            names += [f"ingest.{name}" for name in fields[self.ingest]]
            _require(ok, "model.external", f"a source: one of {', '.join(names)}", True)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dict; `from_dict` is its inverse."""
        out = dataclasses.asdict(self)
        out["paths"]["data"] = list(self.paths.data)
        out["ingest"]["weather_columns"] = list(self.ingest.weather_columns)
        return out

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Config":
        """Builds a configuration from a nested dict; absent fields take their defaults.

        Raises:
          ConfigError: an unknown field, a value of another type, or one that is out of range.
        """
        return _build(cls, values, "")

    def replace(self, settings: dict[str, Any]) -> "Config":
        """A copy with dotted settings applied, such as `{"training.epochs": 3}`.

        Raises:
          ConfigError: as `from_dict`.
        """
        values = self.to_dict()
        for dotted, value in settings.items():
            node, parts = values, dotted.split(".")
            for part in parts[:-1]:
                node = node.get(part)
                if not isinstance(node, dict):
                    _unknown(dotted)
            if parts[-1] not in node or isinstance(node[parts[-1]], dict):
                _unknown(dotted)
            node[parts[-1]] = value
        return Config.from_dict(values)

    def section(self, *names: str) -> str:
        """Canonical JSON of some sections: what a node is keyed by.

        Without what the schemas alone take: their text is a key of its own.
        """
        values = self.to_dict()
        del values["ingest"]["max_flow"]
        return json.dumps({name: values[name] for name in names}, sort_keys=True)

    def save(self, path: Path) -> None:
        """Writes YAML, or JSON where the name ends in `.json`."""
        as_json = path.suffix == ".json"
        values = self.to_dict()
        text = json.dumps(values, indent=2) if as_json else yaml.safe_dump(values, sort_keys=False)
        path.write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Config":
        """Reads what `save` wrote.

        Raises:
          ConfigError: the file is no mapping, or as `from_dict`.
        """
        read = json.loads if path.suffix == ".json" else yaml.safe_load
        try:
            values = read(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, ValueError) as error:  # ValueError: bad JSON, or not UTF-8
            raise ConfigError(f"{path}: expected YAML or JSON. {error}") from None
        _require(isinstance(values, dict), str(path), "a mapping of sections", values)
        return cls.from_dict(values)


def field_names(cls: type = Config, prefix: str = "") -> list[str]:
    """Every dotted field name that `--set` takes."""
    names = []
    for field in dataclasses.fields(cls):
        if dataclasses.is_dataclass(field.type):
            names += field_names(field.type, f"{prefix}{field.name}.")
        else:
            names.append(prefix + field.name)
    return names


def _unknown(dotted: str) -> typing.NoReturn:
    import difflib

    close = difflib.get_close_matches(dotted, field_names(), 3, 0.5)
    hint = f" Did you mean {', '.join(close)}?" if close else ""
    raise ConfigError(
        f"{dotted}: no such setting.{hint} `crowdflow presets --fields` lists them all."
    )


def _build(cls: type, values: dict[str, Any], prefix: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(cls)}
    if not isinstance(values, dict):
        _require(False, prefix.rstrip("."), "a mapping of fields", values)
    for name in values:
        if name not in fields:
            _unknown(f"{prefix}{name}")
    built = {}
    for name, value in values.items():
        kind = fields[name].type
        if dataclasses.is_dataclass(kind):
            built[name] = _build(kind, value, f"{prefix}{name}.")
        else:
            built[name] = _coerce(kind, value, prefix + name)
    return cls(**built)


def _coerce(kind: Any, value: Any, dotted: str) -> Any:
    """Checks a value against a field's type; an int serves as float, a list as tuple, a date as text."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _coerce(next(a for a in args if a is not type(None)), value, dotted)
    if origin is Literal:
        _require(value in args, dotted, "one of " + ", ".join(map(str, args)), value)
        return value
    if origin is tuple:
        ok = isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)
        _require(ok, dotted, "a list of texts", value)
        return tuple(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is float and isinstance(value, str):  # YAML 1.1 reads 2e-4 as a text
        try:
            return float(value)
        except ValueError:
            pass
    if kind is str and isinstance(value, dt.date):  # YAML reads 2014-09-21 as a date
        return value.isoformat()
    ok = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    _require(ok, dotted, f"a value of type {kind.__name__}", value)
    return value
