"""The range of dates that a run reads: its first and last day, and the files with those dates.

The choice depends only on the file names and the configuration. So a driver that runs before the executor and an
executor without a driver choose the same files.
"""

import calendar
import dataclasses
import datetime as dt
import functools
import glob
import math
import os
import re
from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

from crowdflow.config import Config
from crowdflow.ingest.paths import expand
from crowdflow.schema.errors import ConfigError, DataNotFoundError
from crowdflow.schema.intervals import MINUTES_PER_DAY, date_to_minutes, minutes_to_date
from crowdflow.storage import files

_LISTED_DAYS, _SHOWN_DAYS = 100, 5
_FORMS = {
    "{YYYY}": ("[12][0-9][0-9][0-9]", "year"),
    "{MM}": ("[01][0-9]", "month"),
    "{DD}": ("[0-3][0-9]", "day"),
}
# A number that a date ends; a month may be followed by its day.
_END = "(?![0-9])"
_DAY_OR_END = f"(?=[0-3][0-9]{_END}|{_END})"
_SPLIT = re.compile(r"(\{YYYY\}|\{MM\}|\{DD\}|\*|\?)")


class Bounds(NamedTuple):
    """Days of a range, since 1970-01-01, all inclusive.

    Attributes:
      first: the first day that is read: the lags of the first target need it.
      first_target: the first day whose intervals are targets.
      last: the last day.
    """

    first: int
    first_target: int
    last: int


class Partition(NamedTuple):
    """A file with its first and last day, since 1970-01-01."""

    path: str
    first: int
    last: int


class Resolved(NamedTuple):
    """What a run reads.

    Attributes:
      config: has a `range.last_date` if there is a range.
      paths: the files; the paths as given if there is no range.
      span: of the artifact: the last day since 1970-01-01, or 0 if there is no range.
      days_without_file: days of the range without a file, since 1970-01-01; empty without a pattern.
      files: number of files that match the pattern, in the range or not.
    """

    config: Config
    paths: list[str]
    span: int = 0
    days_without_file: tuple[int, ...] = ()
    files: int = 0


def bounds(config: Config) -> Optional[Bounds]:
    """The days of the range, or None if everything is read.

    Raises:
      ConfigError: the last date is not known yet: call `resolve` first.
    """
    if config.range.weeks is None:
        return None
    if config.range.last_date is None:
        raise ConfigError("range.last_date: expected a date YYYY-MM-DD. Received: None.")
    last = _day(dt.date.fromisoformat(config.range.last_date))
    first_target = last - 7 * config.range.weeks + 1
    history = config.windows.needed_days(config.intervals.per_day)
    return Bounds(first_target - history, first_target, last)


def outside(starts: np.ndarray, config: Config) -> np.ndarray:
    """Marks the intervals outside the range, bool `[n]`.

    Args:
      starts: wall-clock minutes, int64 `[n]`.
      config: must have a last date if there is a range.
    """
    limits = bounds(config)
    if limits is None:
        return np.zeros(len(starts), bool)
    days = starts // MINUTES_PER_DAY
    return (days < limits.first) | (days > limits.last)


def resolve(paths: Sequence[str], config: Config, last_day: Optional[int] = None) -> Resolved:
    """Finds the files and the last date that a run reads.

    Args:
      paths: files, folders and glob patterns, as given.
      config: for range, windows, intervals and trips.
      last_day: since 1970-01-01, if a driver has already found it.

    Raises:
      DataNotFoundError: no file matches `range.pattern`, or none has the last date.
    """
    if config.range.weeks is None:
        return Resolved(config, list(paths))
    dated, others = list_partitions(paths, config.range.pattern)
    if last_day is None and config.range.last_date is None:
        last_day = max(partition.last for partition in dated)
    if last_day is not None:
        found = dataclasses.replace(config.range, last_date=str(_date(last_day)))
        config = dataclasses.replace(config, range=found)
    limits = bounds(config)
    if config.range.pattern is None:
        return Resolved(config, others, limits.last)
    chosen, without = choose(dated, limits, math.ceil(config.trips.max_hours / 24))
    if limits.last in without:
        known = sorted(partition.last for partition in dated)
        raise DataNotFoundError(
            f"range.last_date {_date(limits.last)}: expected a file of that date that matches range.pattern "
            f"{config.range.pattern} in {', '.join(paths)}. Received none; the newest files are of "
            f"{', '.join(str(_date(day)) for day in sorted(set(known))[-3:])}."
        )
    files = [partition.path for partition in chosen]
    return Resolved(config, files + others, limits.last, tuple(without), len(dated))


def choose(
    dated: Sequence[Partition], limits: Bounds, margin: int
) -> tuple[list[Partition], list[int]]:
    """Chooses the files of a range.

    Args:
      dated: all files with dates.
      limits: the range.
      margin: number of days before the range whose files are read too: a trip that starts there may end within it.

    Returns:
      The files, and the days of the range without a file.
    """
    first = limits.first - margin
    chosen = [p for p in dated if p.last >= first and p.first <= limits.last]
    held = {day for p in chosen for day in range(p.first, p.last + 1)}
    return chosen, [day for day in range(limits.first, limits.last + 1) if day not in held]


def is_before(path: str, config: Config) -> bool:
    """Whether a file has only dates before the range, by its name: only ends of trips are taken from it."""
    limits, days = bounds(config), None
    if limits is not None and config.range.pattern is not None:
        days = partition_days(path, config.range.pattern)
    return days is not None and days[1] < limits.first


def describe(found: Resolved, paths: Sequence[str]) -> Optional[dict]:
    """The range as counters, or None if there is no range.

    Args:
      found: the resolved range.
      paths: the files that were read.
    """
    limits, settings = bounds(found.config), found.config.range
    if limits is None:
        return None
    dated = 0
    if settings.pattern is not None:
        dated = sum(partition_days(path, settings.pattern) is not None for path in paths)
    without = [str(_date(day)) for day in found.days_without_file]
    return {
        "first_day": str(_date(limits.first)),
        "first_target_day": str(_date(limits.first_target)),
        "last_day": str(_date(limits.last)),
        "files_left_out": found.files - dated,
        "days_without_file": len(without),
        "days_without_file_listed": without[:_LISTED_DAYS],
    }


def in_words(counters: dict) -> str:
    """Formats the counters of the range, `range` in `counters.json`, as one line."""
    text = (
        f"range: {counters['first_day']} to {counters['last_day']}, "
        f"targets from {counters['first_target_day']}"
    )
    days = counters["days_without_file_listed"]
    shown = ", ".join(days[:_SHOWN_DAYS]) + (", ..." if len(days) > _SHOWN_DAYS else "")
    if days:
        text += f"; days without a file: {counters['days_without_file']} ({shown})"
    left_out = {n: k for n, k in counters.items() if n.endswith("_left_out") and k}
    if left_out:
        names = ", ".join(f"{n.removesuffix('_left_out')} {k:,}" for n, k in left_out.items())
        text += f"; left out: {names}"
    return text


def list_partitions(
    paths: Sequence[str], pattern: Optional[str]
) -> tuple[list[Partition], list[str]]:
    """Lists the files below paths: those that match a pattern, with their dates, and the others.

    Args:
      paths: files, folders and glob patterns.
      pattern: `range.pattern`; None matches no file.

    Raises:
      DataNotFoundError: a path does not exist, or no file matches the pattern.
    """
    if pattern is None:
        return [], list(paths)
    dated, others, held = [], [], []
    for path in paths:
        if files.isdir(path):
            named = sorted(files.glob(os.path.join(glob.escape(path), _glob_of(pattern))))
            held += sorted(os.path.basename(match.path) for match in files.inside(path))[:5]
            found = [file for match in (*named, files.Match(path, False)) for file in _files(match)]
        else:
            found = expand([path])
        for file in dict.fromkeys(found):
            days = partition_days(file, pattern)
            if days is None:
                others.append(file)
            else:
                dated.append(Partition(file, *days))
    if not dated:
        names = ", ".join(held or map(os.path.basename, others)) or "nothing"
        raise DataNotFoundError(
            f"{', '.join(paths)}: expected files that match range.pattern {pattern}, received none. "
            f"Found: {names[:300]}."
        )
    return dated, others


def partition_days(path: str, pattern: str) -> Optional[tuple[int, int]]:
    """The first and last day, since 1970-01-01, of a file by its path, or None if it does not match."""
    match = _regex_of(pattern).search(path)
    if not match:
        return None
    parts = {name: int(text) for name, text in match.groupdict().items()}
    try:
        first = dt.date(parts["year"], parts["month"], parts.get("day", 1))
    except ValueError:  # not a date, such as 0230
        return None
    last = first
    if "day" not in parts:
        last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    return _day(first), _day(last)


def _files(match: files.Match) -> list[str]:
    """The path itself if it is a file, or the files directly in it if it is a folder."""
    try:
        return [match.path] if match.is_file else expand([match.path])
    except DataNotFoundError:
        return []


def _glob_of(pattern: str) -> str:
    parts = (_FORMS[p][0] if p in _FORMS else p for p in _SPLIT.split(pattern))
    return "".join(p if p in ("*", "?") or p.startswith("[") else glob.escape(p) for p in parts)


@functools.cache
def _regex_of(pattern: str) -> re.Pattern:
    """Matches the path of a file, or of a file directly in a folder, with a name of the pattern."""
    text, seen, before = "", set(), ""
    parts = [part for part in _SPLIT.split(pattern) if part]
    for part, after in zip(parts, [*parts[1:], ""]):
        if part in _FORMS:
            form, name = _FORMS[part]
            text += "(?<![0-9])" if before == "*" else ""  # never out of the middle of a number
            text += f"(?P={name})" if name in seen else f"(?P<{name}>{form})"
            if after == "*":
                text += _DAY_OR_END if name == "month" else _END
            seen.add(name)
        else:
            text += {"*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
        before = part
    return re.compile(f"(?:^|/){text}(?:/[^/]+)?$")


def _day(date: dt.date) -> int:
    return date_to_minutes(date) // MINUTES_PER_DAY


def _date(day: int) -> dt.date:
    return minutes_to_date(day * MINUTES_PER_DAY)
