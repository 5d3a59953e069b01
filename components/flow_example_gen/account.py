"""What an ingest leaves beside the frames: `counters.json` and `rejects.csv`."""

import csv
import io
import json
from collections.abc import Sequence

from components.flow_example_gen import tally as tallies
from components.flow_example_gen import trip_files, trip_tally
from components.flow_example_gen.sources import (
    Source,
    ignored_names,
    ignored_side_files,
    read_side_files,
)
from pipeline.config import Config

COUNTERS_FILE = "counters.json"
REJECTS_FILE = "rejects.csv"
_LISTED_NAMES = 100


def account(
    tally: tallies.Tally, sources: Sequence[Source], paths: Sequence[str], config: Config
) -> str:
    """The text of `counters.json`. A tally of trips is finished by this.

    Args:
      tally: of the whole ingest.
      sources: what was read.
      paths: as they were given.
      config: of the ingest.

    Raises:
      DataError: the ingest went wrong, as `require_usable` of either tally says.
    """
    weather = read_side_files(sources, config)["weather"]
    if isinstance(tally, trip_tally.TripTally):
        trip_tally.finish(tally, config.trips.empty_days)
        trip_tally.require_usable(tally, config)
        counts = trip_tally.summarize(tally, config.intervals.minutes)
        counts["ignored_members"] = [
            f"{source.path}/{name}"
            for source in sources
            if source.path.lower().endswith(".zip")
            for name in trip_files.csv_members(source.path)[1]
        ]
    else:
        tallies.require_usable(tally, config.ingest.max_reject_share)
        counts = tallies.summarize(tally, config.intervals.minutes)
    counters = {
        "files": len(sources),
        "ignored_side_files": ignored_side_files(sources, config),
        "ignored_names": ignored_names(paths)[:_LISTED_NAMES],
        "weather_observations_unused": weather.unused if weather else 0,
        **counts,
    }
    return json.dumps(counters, indent=2)


def rejects_csv(tally: tallies.Tally) -> str:
    """The text of `rejects.csv`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(tallies.Reject._fields)
    writer.writerows(tally.rejects)
    return text.getvalue()
