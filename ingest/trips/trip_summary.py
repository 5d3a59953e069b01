"""What an ingest of trips says in the end: its counters, and whether it is usable."""

from crowdflow.config import Config
from crowdflow.ingest import tally as tallies
from crowdflow.ingest.places import unknown
from crowdflow.ingest.trips import trip_rows
from crowdflow.ingest.trips.trip_tally import END, POINT, START, TripTally
from crowdflow.schema import intervals
from crowdflow.schema.errors import DataError

_LISTED_DAYS = _LISTED_IDS = 100


def summarize(tally: TripTally, minutes: int) -> dict:
    """The content of `counters.json` for an ingest of trips, except for the files.

    Args:
      tally: of the whole ingest, finished, with at least one frame.
      minutes: length of an interval.
    """
    counts, rejected = tally.counts, tally.rejected
    by_side = {
        name: {reason: rejected[f"{name}_{reason}"] for reason in trip_rows.REASONS}
        for name in (START, END, POINT)
    }
    empty = [str(day) for day in tally.coverage.empty_days().astype("datetime64[D]")]
    return {
        "trips_read": counts["trips_read"],
        "trips_without_start": counts["without_start"],
        "trips_without_end": counts["without_end"],
        "starts_binned": counts["outflow"] - counts["crossings_out"],
        "ends_binned": counts["inflow"] - counts["crossings_in"],
        "start_rejects": by_side[START],
        "end_rejects": by_side[END],
        "points_read": counts["points_read"],
        "points_used": counts["points_used"],
        "point_rejects": by_side[POINT],
        "unknown_places": unknown.most_frequent(tally.unknown, _LISTED_IDS),
        "crossings_in": counts["crossings_in"],
        "crossings_out": counts["crossings_out"],
        "gaps": counts["gaps"],
        "frames": counts["frames"],
        "rejected": {
            reason: sum(found[reason] for found in by_side.values()) for reason in trip_rows.REASONS
        },
        "rejects_listed": len(tally.rejects),
        "rejects_cap": tallies.REJECTS_CAP,
        "missing_intervals": (tally.last - tally.first) // minutes + 1 - counts["frames"],
        "missing_months": tally.coverage.missing_months(),
        "empty_days": len(empty),
        "empty_days_listed": empty[:_LISTED_DAYS],
        "repeated_intervals": counts["repeated_intervals"],
        "skipped_intervals": counts["skipped_intervals"],
        "weather_unknown": counts["weather_unknown"],
        "first_interval": intervals.format_start(tally.first),
        "last_interval": intervals.format_start(tally.last),
    }


def require_usable(tally: TripTally, config: Config) -> None:
    """Raises an error if the ingest failed.

    Raises:
      DataError: a file could not be read, more than `trips.max_reject_share` of the starts and ends (or
        points) were rejected, or there is no frame; with counts by reason and the first rejects.
    """
    if tally.problems:
        raise DataError("\n".join(tally.problems))
    left_out = sum(tally.counts[f"{name}s_left_out"] for name in (START, END, POINT))
    records = 2 * tally.counts["trips_read"] + tally.counts["points_read"] - left_out
    records -= tally.counts["without_start"] + tally.counts["without_end"]
    rejected, share = tally.rejected.total(), config.trips.max_reject_share
    doubles = sum(tally.rejected[f"{name}_{trip_rows.DUPLICATE}"] for name in (START, END))
    records, rejected = records - doubles, rejected - doubles  # no fault of the rows
    if config.trips.first_day or config.trips.last_day:  # the rest is left out on purpose
        outside = sum(tally.rejected[f"{n}_{trip_rows.OUTSIDE_SPAN}"] for n in (START, END, POINT))
        records, rejected = records - outside, rejected - outside
    listing = tallies.rejects_listing(tally, sorted(tally.rejected))
    listing += unknown.in_words(tally.unknown)
    if rejected > share * records:
        raise DataError(
            f"{rejected:,} of {records:,} starts, ends and points rejected ({rejected / records:.2%}), "
            f"more than trips.max_reject_share = {share:g} allows.{listing}"
        )
    if not tally.counts["frames"]:
        raise DataError(
            f"No start, end or point can be used, of {records:,}; {left_out:,} more are outside the "
            f"range.{listing}"
        )
