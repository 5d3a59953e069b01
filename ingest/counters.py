"""What an ingest writes next to the frames: `counters.json` and `rejects.csv`."""

import csv
import io
import json
from collections.abc import Sequence

from crowdflow.config import Config
from crowdflow.ingest import date_range
from crowdflow.ingest import tally as tallies
from crowdflow.ingest.archives import is_zip
from crowdflow.ingest.date_range import Resolved
from crowdflow.ingest.paths import ignored_names
from crowdflow.ingest.places.places import Places
from crowdflow.ingest.sources import Source, ignored_side_files, read_places, read_side_files
from crowdflow.ingest.trips import trip_files, trip_summary, trip_tally
from crowdflow.schema.errors import DataError

REJECTS_FILE = "rejects.csv"
_LISTED_NAMES = 100
_SHOWN_DAYS = 5


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
    if isinstance(tally, trip_tally.TripTally):
        limits = date_range.bounds(config)
        tally.coverage = tally.coverage.within(limits, config.intervals.minutes)
        trip_tally.finish(tally, config.trips.empty_days)
        trip_summary.require_usable(tally, config)
        counts = trip_summary.summarize(tally, config.intervals.minutes)
        places = read_places(sources, config)
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
        "ignored_side_files": ignored_side_files(sources, config),
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
    writer.writerows(tally.rejects)
    return text.getvalue()
