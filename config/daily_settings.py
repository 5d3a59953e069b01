"""Settings of runs that come back: range of dates, drift, Beam."""

import dataclasses
import re
from typing import Optional

from crowdflow.config.checks import require, require_date

PLACEHOLDERS = ("{YYYY}", "{MM}", "{DD}")


def _require_options(field: str, options: tuple[str, ...]) -> None:
    wrong = [option for option in options if not re.fullmatch(r"--[a-z]\w*(=.*)?", option)]
    require(not wrong, field, "options such as --runner=FlinkRunner", wrong)


@dataclasses.dataclass(frozen=True)
class RangeConfig:
    """Which dates are read. Everything is, as long as `weeks` is null.

    Attributes:
      weeks: the weeks up to `last_date` whose intervals are targets; the days on which their lags look back are
        read before them.
      last_date: YYYY-MM-DD; null is the newest date for which there is a file.
      pattern: how the path of a day's or a month's files ends, below the given folders: `{YYYY}/{MM}/{DD}` is a
        folder (or file) a day, `JC-{YYYY}{MM}-*.zip` a file a month. Files of other names are read whatever
        their dates are. null: all files are read, and `last_date` must be given.
      min_share: the run stops where less than this share of the range's intervals has a frame.
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
        named = re.findall(r"\{[^}]*\}?", text)
        ok = set(named) <= set(PLACEHOLDERS) and {"{YYYY}", "{MM}"} <= set(named)
        expected = "{YYYY} and {MM} in it, {DD} where a file is a day's, and no other braces"
        require(ok, "range.pattern", expected, text)
        ok = "**" not in text and all(part not in ("", ".", "..") for part in text.split("/"))
        expected = (
            "a path below a folder, such as {YYYY}/{MM}/{DD}; * stands for any part of a name"
        )
        require(ok, "range.pattern", expected, text)


@dataclasses.dataclass(frozen=True)
class DriftConfig:
    """When the newest flows are other than those that the last pushed model was trained on. It stops nothing.

    The thresholds are of the Jensen-Shannon divergence, from 0 (the same) to 1.

    Attributes:
      days: the newest days, of the test period, that are compared; whole weeks are best.
      sizes: threshold for the sizes of flows above zero, in classes that double; workdays and weekends apart.
      hours: for trips by hour of the day; likewise apart.
      cells: for trips by cell.
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
    """Beam options of single nodes. They come after those of all nodes, and the later of two wins.

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


@dataclasses.dataclass(frozen=True)
class BeamConfig:
    """Where Beam runs. Nothing is set by default: Beam's DirectRunner, in the process of the node.

    Attributes:
      all: options of every node that runs on Beam, such as `--runner=FlinkRunner`; `crowdflow beam` has more.
      nodes: of single nodes, on top.
    """

    all: tuple[str, ...] = ()
    nodes: BeamNodes = BeamNodes()

    def __post_init__(self):
        _require_options("beam.all", self.all)
