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
from typing import Any, Literal, Union

import yaml

from crowdflow.config.checks import require
from crowdflow.config.daily_settings import BeamConfig, DriftConfig, RangeConfig
from crowdflow.config.data_settings import (
    GridConfig,
    IngestConfig,
    IntervalConfig,
    SplitConfig,
    TripsConfig,
    WindowConfig,
)
from crowdflow.config.kubeflow_settings import KubeflowConfig
from crowdflow.config.model_settings import (
    EvaluationConfig,
    ModelConfig,
    PathsConfig,
    TrainingConfig,
    TransformConfig,
)
from crowdflow.schema.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Config:
    """One run's configuration. `preset` names where it started."""

    preset: str = "custom"
    seed: int = 1
    grid: GridConfig = GridConfig()
    intervals: IntervalConfig = IntervalConfig()
    ingest: IngestConfig = IngestConfig()
    trips: TripsConfig = TripsConfig()
    range: RangeConfig = RangeConfig()
    windows: WindowConfig = WindowConfig()
    split: SplitConfig = SplitConfig()
    transform: TransformConfig = TransformConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    drift: DriftConfig = DriftConfig()
    beam: BeamConfig = BeamConfig()
    kubeflow: KubeflowConfig = KubeflowConfig()
    paths: PathsConfig = PathsConfig()

    def __post_init__(self):
        require(0 <= self.seed < 2**31, "seed", "within 0..2^31-1", self.seed)
        limit = self.intervals.per_day * (1 if self.windows.period else 7)
        expected = f"at most {limit}: a lag must be known when the forecast is made"
        require(self.windows.horizon <= limit, "windows.horizon", expected, self.windows.horizon)
        ok = not (self.ingest.holidays and self.transform.holiday_country)
        expected = "null where ingest.holidays gives a file of them"
        require(ok, "transform.holiday_country", expected, self.transform.holiday_country)
        if self.model.external:
            fields = {
                self.transform: (
                    "day_of_week",
                    "time_of_day",
                    "time_of_day_type",
                    "holiday_country",
                ),
                self.ingest: ("holidays", "weather", "weather_columns"),
            }
            ok = any(getattr(part, name) for part, names in fields.items() for name in names)
            names = [f"transform.{name}" for name in fields[self.transform]]
            names += [f"ingest.{name}" for name in fields[self.ingest]]
            require(ok, "model.external", f"a source: one of {', '.join(names)}", True)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dict; `from_dict` is its inverse."""
        return _plain(dataclasses.asdict(self))

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
        require(isinstance(values, dict), str(path), "a mapping of sections", values)
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


def _plain(value: Any) -> Any:
    """Tuples as lists, at any depth: what YAML and JSON hold."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return list(value) if isinstance(value, tuple) else value


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
        require(False, prefix.rstrip("."), "a mapping of fields", values)
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
        require(value in args, dotted, "one of " + ", ".join(map(str, args)), value)
        return value
    if origin is tuple:
        ok = isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)
        require(ok, dotted, "a list of texts", value)
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
    require(ok, dotted, f"a value of type {kind.__name__}", value)
    return value
