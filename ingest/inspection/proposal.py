"""A whole configuration for a city, proposed from its data, with the reason for every choice."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
import pytz  # which country a time zone is in
import yaml

from crowdflow.config import Config
from crowdflow.flows import windows as pure
from crowdflow.flows.holiday_table import countries
from crowdflow.ingest import sources as inputs
from crowdflow.ingest.history import read_history
from crowdflow.ingest.inspection.records import extent_of
from crowdflow.ingest.inspection.report import inspect
from crowdflow.ingest.paths import expand
from crowdflow.ingest.times.zones import zones_in
from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import MINUTES_PER_DAY, format_start

_BUSY = 20  # trips an hour in the mean active cell, from which half-hours are worth it
_LEAST_DAYS = 3  # of windows to train on
_TEST_DAYS = (28, 14, 7, 4, 2)  # the first that leaves twice as many windows for training is taken


class Choice(NamedTuple):
    """A proposed setting, by its dotted name, and why it has this value."""

    name: str
    value: Any
    why: str = ""


def propose(paths: Sequence[str], given: Mapping[str, Any]) -> list[Choice]:
    """Proposes a configuration that has windows for training, evaluation and test.

    Args:
      paths: files, folders and glob patterns.
      given: settings by their dotted names, which stay as they are.

    Raises:
      DataNotFoundError: a path does not exist.
      DataError: a file cannot be used, the time zone is not clear, or there is too little history.
    """
    values = Config().replace(given).values_of(given)
    choices = [Choice(name, value, "as given") for name, value in values.items()]

    def add(found: Sequence[Choice]) -> Config:
        choices.extend(choice for choice in found if choice.name not in given)
        return Config().replace({choice.name: choice.value for choice in choices})

    config = add(_of_files(paths, add([])))
    frames, minutes = read_history(paths, config).frames, config.intervals.minutes
    config = add([*_of_volume(frames.maps, config), *_of_calendar(config)])
    if config.intervals.minutes != minutes:
        frames = read_history(paths, config).frames
    add(_of_length(frames.starts, config))
    return choices


def as_yaml(choices: Sequence[Choice]) -> str:
    """The choices as the text of a configuration, by section, each with its reason as a comment."""
    lines: list[str] = []
    for section in dict.fromkeys(choice.name.rpartition(".")[0] for choice in choices):
        lines += [f"{section}:"] if section else []
        for name, value, why in choices:
            if name.rpartition(".")[0] == section:
                text = yaml.safe_dump(value, default_flow_style=True, width=1000)
                text = text.removesuffix("...\n").strip()
                text = f"{'  ' * bool(section)}{name.rpartition('.')[2]}: {text}"
                lines.append(text + (f"  # {why}" if why else ""))
    return "\n".join([*lines, ""])


def _of_files(paths: Sequence[str], config: Config) -> list[Choice]:
    """How the files are read, the grid, the interval of records and the time zone."""
    if records := [path for path in expand(paths) if _kind(path, config) in inputs.READERS]:
        rows, cols, minutes = extent_of(records)
        zone = "set it: records have no position; it matters where daylight saving time begins and ends"
        choices = [
            Choice("grid.rows", rows, "of the records"),
            Choice("grid.cols", cols),
            Choice("intervals.minutes", minutes, "of the records"),
            Choice("intervals.timezone", config.intervals.timezone, zone),
        ]
        config = config.replace({choice.name: choice.value for choice in choices})
    found = inspect(paths, config)
    if found.problems:
        raise DataError("\n".join(found.problems))
    if records:
        return choices
    why = {
        "grid.south": "the box of the positions; `crowdflow grid` draws it",
        "intervals.timezone": "of the box",
    }
    choices = [Choice(name, value, why.get(name, "")) for name, value in found.settings.items()]
    config = config.replace(found.settings)
    if config.intervals.timezone is None:
        zones = zones_in(config.grid)
        raise DataError(
            "intervals.timezone: expected one time zone. Received positions where zones with different clocks "
            f"meet: {', '.join(zones)}. Set it, such as --set intervals.timezone={zones[0]}."
        )
    return choices


def _kind(path: str, config: Config) -> Optional[str]:
    """The kind of a file; None if it is not known, which `inspect` tells better."""
    try:
        return inputs.classify(path, config)
    except DataError:
        return None


def _of_volume(maps: np.ndarray, config: Config) -> list[Choice]:
    """The interval of trips, and the bound of flows; `maps` are float32 `[n, H, W, 2]`."""
    active = (maps > 0).any(axis=(0, 3))
    hourly = float(maps[:, active].mean()) * 60 / config.intervals.minutes
    words = f"{hourly:.3g} trips an hour start or end in the mean of {active.sum()} active cells"
    found = []
    if config.grid.south is not None:
        found.append(Choice("intervals.minutes", 30 if hourly >= _BUSY else 60, words))
    most = float(maps.max())
    bound = 10.0 ** math.floor(math.log10(most)) * 10
    why = f"at least twice the largest flow, {most:g}: a larger one stops a run"
    return [*found, Choice("ingest.max_flow", bound if bound >= 2 * most else 10 * bound, why)]


def _of_calendar(config: Config) -> list[Choice]:
    """Hours apart by type of day, with the holidays of the time zone's country."""
    found = [Choice("transform.time_of_day_type", True, "working days apart from days off")]
    zone = config.intervals.timezone
    country = next((c for c, zones in pytz.country_timezones.items() if zone in zones), None)
    if zone is not None and country in countries() and not config.ingest.holidays:
        why = f"of {zone}; holiday_subdivision adds those of a state or province"
        found.append(Choice("transform.holiday_country", country, why))
    return found


def _of_length(starts: np.ndarray, config: Config) -> list[Choice]:
    """Lags and the test days that the history has windows for."""
    per_day, minutes = config.intervals.per_day, config.intervals.minutes
    lags = {"windows.closeness": 4, "windows.period": 2, "windows.trend": 1}
    lags |= {"windows.average": 12, "windows.average_days": 14}
    for days in _TEST_DAYS:
        values = {**lags, "split.test_days": days}
        tried = config.replace(values)
        try:
            plan = pure.plan_windows(starts, minutes, tried.windows, tried.split)
        except DataError:
            continue
        counts = {split: len(origins) for split, origins in plan.origins.items()}
        if counts["train"] >= max(2 * counts["test"], _LEAST_DAYS * per_day):
            why = {
                "windows.average": "weeks before, as far as they exist, in what is usual at an hour of the week",
                "windows.average_days": "days before, of which those of the same type are half of it",
                "split.test_days": f"{counts['train']:,} windows to train on, {counts['test']:,} to test on",
            }
            return [Choice(name, value, why.get(name, "")) for name, value in values.items()]
    whole = (int(starts[-1]) - int(starts[0])) / MINUTES_PER_DAY
    raise DataError(
        f"{whole:.0f} days of history, from {format_start(starts[0])} to {format_start(starts[-1])}, with "
        f"{len(starts):,} frames: expected at least two weeks without a gap: one of history, some days to train "
        "on, and two for the test. Give more data."
    )
