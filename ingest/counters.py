"""What an ingest writes next to the frames: `counters.json` and `rejects.csv`."""

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from crowdflow.config import Config
from crowdflow.ingest import date_range
from crowdflow.ingest import tally as tallies
from crowdflow.ingest.archives import is_stray, is_zip
from crowdflow.ingest.date_range import Resolved
from crowdflow.ingest.paths import ignored_names
from crowdflow.ingest.places.places import Places
from crowdflow.ingest.sources import Source, ignored_side_files, read_places, read_side_files
from crowdflow.ingest.trips import trip_files, trip_summary, trip_tally
from crowdflow.schema.errors import DataError

REJECTS_FILE = "rejects.csv"
_LISTED_NAMES = 100
_DATA = (".csv", ".tsv", ".json", ".geojson", ".parquet")  # endings of what may be data
_SHOWN_DAYS, _SHOWN_IDS = 5, 5
_FORMULA = ("=", "+", "-", "@", "\t")  # how a formula begins in a spreadsheet
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SIDES = ("start", "end", "point")
# Counters that are named, where they are not zero, beside those with a line of their own.
_REMARKABLE = (
    "interval_incomplete",
    "interval_absent_cells",
    "gaps",
    "repeated_intervals",
    "skipped_intervals",
    "weather_unknown",
    "weather_observations_unused",
)


def counters_json(
    tally: tallies.Tally, sources: Sequence[Source], paths: Sequence[str], resolved: Resolved
) -> str:
    """The text of `counters.json`. Finishes a tally of trips.

    Args:
      tally: of the whole ingest.
      sources: the files that were read.
      paths: the inputs as they were given.
      resolved: the files and range of the ingest, with its configuration.

    Raises:
      DataError: the tally is not usable, see `require_usable` of either kind, or the range has too few frames.
    """
    config = resolved.config
    weather = read_side_files(sources, config)["weather"]
    places = read_places(sources, config)
    if isinstance(tally, trip_tally.TripTally):
        limits = date_range.bounds(config)
        tally.coverage = tally.coverage.within(limits, config.intervals.minutes)
        trip_tally.finish(tally, config.trips.empty_days)
        trip_summary.require_usable(tally, config)
        counts = trip_summary.summarize(tally, config.intervals.minutes)
        counts["ignored_members"] = _ignored_members(sources, places, config)
        counts["places_moved"] = max((places.of_file(p).moved for p in places.keys), default=0)
    else:
        tallies.require_usable(tally, config.ingest.max_reject_share)
        counts = tallies.summarize(tally, config.intervals.minutes)
    files = [source.path for source in sources]
    in_range = date_range.describe(resolved, files)
    if in_range:
        _require_enough(tally.counts["frames"], in_range, resolved)
        left_out = {n: k for n, k in sorted(tally.counts.items()) if n.endswith("_left_out") and k}
        counts["range"] = {**in_range, **left_out}
    counters = {
        "files": len(sources),
        "ignored_side_files": ignored_side_files(sources, places, config),
        "ignored_names": ignored_names(paths, files)[:_LISTED_NAMES],
        "weather_observations_unused": weather.unused if weather else 0,
        **counts,
    }
    return json.dumps(counters, indent=2)


def _ignored_members(sources: Sequence[Source], places: Places, config: Config) -> list[str]:
    """The files in zips that are not read: neither trips, nor tables of places that trips need."""
    zips = [source.path for source in sources if is_zip(source.path)]
    members = {path: trip_files.zip_members(path, config) for path in zips}
    used = {table.name for table in places.tables}
    return [
        f"{path}/{name}"
        for path, found in members.items()
        for name in sorted([*found.others, *found.places])
        if f"{path}/{name}" not in used
    ]


def _require_enough(frames: int, in_range: dict, resolved: Resolved) -> None:
    """Raises DataError if the range has frames for less than `range.min_share` of its intervals."""
    limits, config = date_range.bounds(resolved.config), resolved.config
    every = (limits.last - limits.first + 1) * config.intervals.per_day
    share = config.range.min_share
    if frames < share * every:
        days = ", ".join(in_range["days_without_file_listed"][:_SHOWN_DAYS])
        more = f" Days without a file: {in_range['days_without_file']} ({days})." if days else ""
        raise DataError(
            f"Too little data: expected frames for {share:.0%} (range.min_share) of the {every:,} intervals "
            f"from {in_range['first_day']} to {in_range['last_day']}, that is {share * every:,.0f} or more. "
            f"Received {frames:,} ({frames / every:.1%}).{more}"
        )


def rejects_csv(tally: tallies.Tally) -> str:
    """The text of `rejects.csv`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(tallies.Reject._fields)
    for file, row, reason, value in tally.rejects:
        writer.writerow([_as_text(file), row, reason, _as_text(value)])
    return text.getvalue()


def _as_text(value: str) -> str:
    """The value, after an apostrophe where a spreadsheet would take it for a formula; numbers stay as they are."""
    value = value.replace("\r", "\\r")  # csv would write it without quotes, as the end of a line
    return f"'{value}" if value.startswith(_FORMULA) and not _NUMBER.fullmatch(value) else value


def in_words(counters: dict[str, Any]) -> Iterator[str]:
    """What an ingest read, rejected and found missing, a line each.

    Args:
      counters: the content of `counters.json`.
    """
    if "range" in counters:
        yield date_range.in_words(counters["range"])
    yield from _read(counters)
    if "records_read" in counters:
        yield f"records read {counters['records_read']:,}"
    by_side = {
        side: counters[f"{side}_rejects"] for side in _SIDES if f"{side}_rejects" in counters
    }
    for side, reasons in (by_side or {"record": counters["rejected"]}).items():
        found = [f"{reason} {count:,}" for reason, count in reasons.items() if count]
        if found:
            yield f"{side}s rejected: {', '.join(found)}"
    yield from _places(counters)
    ignored = [
        name
        for name in counters.get("ignored_members", ())
        if name.lower().endswith(_DATA) and not is_stray(os.path.basename(name))
    ]
    if ignored:
        yield (
            f"NOT READ, neither trips of a known layout nor tables of places that trips need: "
            f"{', '.join(ignored[:_LISTED_NAMES])}"
        )
    if counters.get("missing_months"):
        months = ", ".join(_spans(counters["missing_months"]))
        yield f"months with no or few days of trips, missing: {months}"
    if counters.get("empty_days"):
        yield f"days without trips: {counters['empty_days']:,} ({', '.join(counters['empty_days_listed'])})"
    found = [f"{name} {counters[name]:,}" for name in _REMARKABLE if counters.get(name)]
    if found:
        yield f"also counted: {', '.join(found)}"
    yield (
        f"{counters['frames']:,} intervals from {counters['first_interval']} to "
        f"{counters['last_interval']}, {counters['missing_intervals']:,} missing"
    )


def _read(counters: dict[str, Any]) -> Iterator[str]:
    """What was read of trips and trajectories."""
    if counters.get("trips_read"):
        yield (
            f"trips read {counters['trips_read']:,}, starts binned "
            f"{counters['starts_binned']:,}, ends binned {counters['ends_binned']:,}"
        )
    for side, flow in (("start", "outflow"), ("end", "inflow")):
        if counters.get(f"trips_without_{side}"):
            count = counters[f"trips_without_{side}"]
            yield f"trips of files without {side}s {count:,}: they add no {flow}"
    if counters.get("points_read"):
        yield (
            f"points read {counters['points_read']:,}, crossings into cells "
            f"{counters['crossings_in']:,}, out of cells {counters['crossings_out']:,}"
        )


def _places(counters: dict[str, Any]) -> Iterator[str]:
    """What is odd about the places that trips name."""
    if counters.get("places_moved"):
        yield (
            f"places at several positions in the tables: {counters['places_moved']:,}; trips.places says "
            "which table holds from when"
        )
    if counters.get("unknown_places"):
        found = list(counters["unknown_places"].items())[:_SHOWN_IDS]
        listed = ", ".join(f"{name} ({count:,})" for name, count in found)
        yield f"ids that no table of places has, the most frequent first: {listed}"


def _spans(months: Sequence[str]) -> list[str]:
    """Ordered months, with consecutive ones joined, such as `2017-04..2018-03`."""
    numbers = np.array(months, "datetime64[M]")
    breaks = np.flatnonzero(np.diff(numbers.astype(int)) > 1) + 1
    parts = np.split(np.array(months), breaks)
    return [part[0] if len(part) == 1 else f"{part[0]}..{part[-1]}" for part in parts]
