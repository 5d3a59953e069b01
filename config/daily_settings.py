"""Settings of repeated runs: range of dates, drift and Beam."""

import dataclasses
import re
from typing import Optional

from crowdflow.config.checks import require, require_date
from crowdflow.schema.secrets import without_secrets

PLACEHOLDERS = ("{YYYY}", "{MM}", "{DD}")


def _require_options(field: str, options: tuple[str, ...]) -> None:
    wrong = [option for option in options if not re.fullmatch(r"--[a-z]\w*(=.*)?", option)]
    require(not wrong, field, "options such as --runner=FlinkRunner", wrong)


@dataclasses.dataclass(frozen=True)
class RangeConfig:
    """The range of dates to read. While `weeks` is null, everything is read.

    Attributes:
      weeks: number of weeks, up to `last_date`, whose intervals are targets. The days before them that their
        lags look back on are read too.
      last_date: last date of the range, YYYY-MM-DD; null means the newest date that has a file.
      pattern: how the path of a day's or month's files ends, below the given folders: `{YYYY}/{MM}/{DD}` for one
        folder (or file) per day, `JC-{YYYY}{MM}-*.zip` for one file per month. Files with other names are read
        whatever their dates. Null reads all files and requires `last_date`.
      min_share: share of the range's intervals that must have a frame; below it the run stops.
    """

    weeks: Optional[int] = None
    last_date: Optional[str] = None
    pattern: Optional[str] = None
    min_share: float = 0.8

    def __post_init__(self):
        require_date("range.last_date", self.last_date)
        require(self.weeks is None or self.weeks >= 1, "range.weeks", "at least 1", self.weeks)
        ok = 0 <= self.min_share <= 1
        require(ok, "range.min_share", "a share within 0..1", self.min_share)
        if self.weeks is None:
            for name in ("last_date", "pattern"):
                value = getattr(self, name)
                require(value is None, f"range.{name}", "null without range.weeks", value)
        elif self.pattern is None:
            expected = "a date YYYY-MM-DD where range.pattern is null"
            require(self.last_date is not None, "range.last_date", expected, None)
        if self.pattern is not None:
            self._check_pattern()

    def _check_pattern(self) -> None:
        text = self.pattern
        found = re.findall(r"\{[^}]*\}?", text)
        ok = set(found) <= set(PLACEHOLDERS) and {"{YYYY}", "{MM}"} <= set(found)
        expected = "{YYYY} and {MM}, {DD} with one file per day, and no other braces"
        require(ok, "range.pattern", expected, text)
        ok = "**" not in text and all(part not in ("", ".", "..") for part in text.split("/"))
        expected = (
            "a path below a folder, such as {YYYY}/{MM}/{DD}; * stands for any part of a name"
        )
        require(ok, "range.pattern", expected, text)


@dataclasses.dataclass(frozen=True)
class DriftConfig:
    """When the newest flows count as different from those that the last pushed model was trained on.

    Drift stops nothing. Thresholds are Jensen-Shannon divergences, from 0 (identical) to 1.

    Attributes:
      days: number of newest days of the test period to compare; whole weeks work best.
      sizes: threshold for the sizes of flows above zero, in classes that double in width, with workdays and
        weekends apart.
      hours: threshold for trips by hour of the day, with workdays and weekends apart.
      cells: threshold for trips by cell.
    """

    days: int = 7
    sizes: float = 0.07
    hours: float = 0.05
    cells: float = 0.05

    def __post_init__(self):
        require(self.days >= 1, "drift.days", "at least 1", self.days)
        for name in ("sizes", "hours", "cells"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"drift.{name}", "within 0..1", value)


@dataclasses.dataclass(frozen=True)
class BeamNodes:
    """Extra Beam options for single nodes. They are added after `beam.all` and override it.

    Attributes:
      FlowExampleGen: for reading the files, such as `--direct_num_workers=4`.
      StatisticsGen: for the statistics of the frames.
      WindowGen: for the windows.
      Transform: for the analysis of the training windows.
      Evaluator: for the metrics.
    """

    FlowExampleGen: tuple[str, ...] = ()
    StatisticsGen: tuple[str, ...] = ()
    WindowGen: tuple[str, ...] = ()
    Transform: tuple[str, ...] = ()
    Evaluator: tuple[str, ...] = ()

    def __post_init__(self):
        for field in dataclasses.fields(self):
            _require_options(f"beam.nodes.{field.name}", getattr(self, field.name))

    def public(self) -> "BeamNodes":
        """A copy with `***` in place of secret values, such as that of `--s3_secret_access_key`."""
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return BeamNodes(**{name: tuple(map(without_secrets, o)) for name, o in options.items()})


@dataclasses.dataclass(frozen=True)
class BeamConfig:
    """Where Beam runs. By default it is in the process of the node.

    Attributes:
      all: options for every node that uses Beam, such as `--runner=FlinkRunner`; `crowdflow beam` prints examples.
      nodes: extra options for single nodes.
    """

    all: tuple[str, ...] = ()
    nodes: BeamNodes = BeamNodes()

    def __post_init__(self):
        _require_options("beam.all", self.all)

    def public(self) -> "BeamConfig":
        """A copy with `***` in place of secret values."""
        return BeamConfig(tuple(map(without_secrets, self.all)), self.nodes.public())
