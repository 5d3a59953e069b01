"""The configuration: frozen dataclasses that check themselves when they are created.

Each section checks itself. What concerns several sections is checked where a whole configuration is created
(`from_dict`, `load`, `replace`, a preset), so that a node can rebuild only what it needs (`from_sections`).

A configuration is data, not code: `to_dict` and `from_dict` are exact inverses, files are YAML or JSON,
and every field can be set by its dotted name (`training.epochs=3`). Only the runners read a configuration;
`create_pipeline` takes typed keywords.
"""

import dataclasses
import functools
import json
import operator
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Union

import yaml

from crowdflow.config import reading
from crowdflow.config.checks import require
from crowdflow.config.daily_settings import BeamConfig, DriftConfig, RangeConfig
from crowdflow.config.data_settings import (
    GridConfig,
    IngestConfig,
    IntervalConfig,
    SplitConfig,
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
from crowdflow.config.trips_settings import TripsConfig

# What the external component can be built from.
_EXTERNAL_SOURCES = (
    "transform.day_of_week",
    "transform.time_of_day",
    "transform.time_of_day_type",
    "transform.holiday_country",
    "ingest.holidays",
    "ingest.weather",
    "ingest.weather_columns",
)
# Settings of how files are read that are no part of a model, beside those of trips.
_OF_READING = (
    "intervals.timezone",
    "ingest.absent_cells",
    "ingest.max_reject_share",
    "ingest.weather_time_column",
    "ingest.weather_minutes",
    "ingest.weather_max_age_hours",
    "ingest.missing_temperature",
)


@dataclasses.dataclass(frozen=True)
class Config:
    """One run's configuration.

    Attributes:
      preset: name of the preset it started from.
      seed: seed of every random number of the run.
    """

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

    def check_across(self) -> None:
        """Checks what concerns several sections; only a whole configuration can be expected to pass.

        Raises:
          ConfigError: settings of different sections contradict each other.
        """
        limit = self.intervals.per_day * (1 if self.windows.period else 7)
        expected = f"at most {limit}: a lag must be known when the forecast is made"
        require(self.windows.horizon <= limit, "windows.horizon", expected, self.windows.horizon)
        ok = not (self.ingest.holidays and self.transform.holiday_country)
        expected = "null, as ingest.holidays takes holidays from a file"
        require(ok, "transform.holiday_country", expected, self.transform.holiday_country)
        if self.model.external:
            ok = any(operator.attrgetter(name)(self) for name in _EXTERNAL_SOURCES)
            require(ok, "model.external", f"a source: one of {', '.join(_EXTERNAL_SOURCES)}", True)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dict; `from_dict` is its inverse."""
        return reading.plain(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Config":
        """Builds a whole configuration from a nested dict; absent fields take their defaults.

        Raises:
          ConfigError: an unknown field, a value of the wrong type or out of range, or settings of different
            sections that contradict each other.
        """
        config = reading.build(cls, values)
        config.check_across()
        return config

    def values_of(self, names: Iterable[str]) -> dict[str, Any]:
        """The plain values of settings by their dotted names."""
        plain = self.to_dict()
        return {name: functools.reduce(operator.getitem, name.split("."), plain) for name in names}

    def replace(self, settings: dict[str, Any]) -> "Config":
        """A copy with dotted settings applied, such as `{"training.epochs": 3}`.

        Raises:
          ConfigError: as `from_dict`.
        """
        return Config.from_dict(reading.replaced(self.to_dict(), settings, Config))

    def replace_reading(self, settings: dict[str, Any]) -> "Config":
        """As `replace`, of a model's configuration: only settings of how files are read.

        Raises:
          ConfigError: another setting, as the model depends on it, or as `from_dict`.
        """
        for name in settings:
            ok = name.startswith("trips.") or name in _OF_READING
            expected = f"a setting of how files are read, trips.* or {', '.join(_OF_READING)}"
            require(ok, name, f"the model's own value; --set takes {expected}", settings[name])
        return self.replace(settings)

    def section(self, *names: str) -> str:
        """Canonical JSON of some sections, which is part of a node's cache key.

        `ingest.max_flow` is left out: only the schemas use it, and their text is part of the key itself.
        """
        values = self.to_dict()
        del values["ingest"]["max_flow"]
        return json.dumps({name: values[name] for name in names}, sort_keys=True)

    @classmethod
    def from_sections(cls, sections: Union[str, dict[str, Any]]) -> "Config":
        """Builds a configuration of which only some sections matter; the others take their defaults.

        Every section is checked by itself, but not against the others, whose values are not known here.

        Args:
          sections: JSON as `section` writes it, or the dict parsed from it.

        Raises:
          ConfigError: an unknown field, or a value of the wrong type or out of range.
        """
        return reading.build(cls, json.loads(sections) if isinstance(sections, str) else sections)

    @staticmethod
    def sections_of_account(sections: dict[str, Any]) -> dict[str, Any]:
        """The sections in a model's account.

        An old one lacks `average_days` or `average_decay`, and may have `gpu_batch_factor`.
        """
        found = dict(sections)
        if "windows" in found:
            found["windows"] = {"average_days": 0, "average_decay": 1.0, **found["windows"]}
        if "training" in found:
            former = "gpu_batch_factor"
            found["training"] = {n: v for n, v in found["training"].items() if n != former}
        return found

    def public(self) -> "Config":
        """A copy to show and to save with a run: `***` stands for the values that may be secret."""
        return dataclasses.replace(self, beam=self.beam.public(), kubeflow=self.kubeflow.public())

    def save(self, path: Path) -> None:
        """Writes YAML, or JSON if the name ends in `.json`."""
        as_json = path.suffix == ".json"
        values = self.to_dict()
        text = json.dumps(values, indent=2) if as_json else yaml.safe_dump(values, sort_keys=False)
        path.write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Config":
        """Reads a file that `save` wrote.

        Raises:
          ConfigError: the file is not a mapping in YAML or JSON, or as `from_dict`.
        """
        return cls.from_dict(reading.read_file(path))


def field_names() -> list[str]:
    """Every dotted field name that `--set` takes."""
    return reading.field_names(Config)
