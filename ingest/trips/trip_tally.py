"""The tally of an ingest of trips. Every trip is counted twice, as a start and as an end."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from crowdflow.config import Config
from crowdflow.ingest import tally as tallies
from crowdflow.ingest.places import unknown
from crowdflow.ingest.trips import clock, trip_layouts, trip_rows
from crowdflow.ingest.trips.day_counts import Coverage, merge_coverage
from crowdflow.ingest.trips.trip_files import TripRows
from crowdflow.schema import intervals
from crowdflow.schema.errors import DataError

START, END, POINT = "start", "end", "point"
_BITS = 40  # of a line within its unit
_LISTED_DAYS = 100
_LISTED_IDS = 100
_UNKNOWN_PLACE = trip_rows.REASONS.index(trip_rows.UNKNOWN_PLACE)


class Origin(NamedTuple):
    """Where rows come from. The lines of a file that is read in parts are numbered once all are counted.

    Attributes:
      file: name of the file.
      unit: index of the unit in the file.
      first: number of the first row of the file: 2, below the header, in CSV; 0 in Parquet.
    """

    file: str
    unit: int
    first: int

    def number(self, rows: np.ndarray) -> np.ndarray:
        """Row numbers in the unit, int64 `[n]`, with the unit in the high bits: they sort by unit first."""
        return rows + self.first + (self.unit << _BITS)


class Late(NamedTuple):
    """Ends of a unit that may lie outside the covered span: which ones do is known once all files are read.

    Attributes:
      file: name of the file.
      rows: as in the rejects, int64 `[n]`.
      starts: wall-clock minutes of the ends' intervals, int64 `[n]`.
    """

    file: str
    rows: np.ndarray
    starts: np.ndarray


@dataclasses.dataclass
class TripTally(tallies.Tally):
    """Counts of a part of an ingest of trips.

    Until `finish`, the rows of the rejects are as `Origin.number` makes them. Their reasons are
    `start_outside_grid` and so on.

    Attributes:
      lines: number of lines by (file, unit).
      late: see `Late`.
      coverage: of the starts.
      unknown: how often each id is named that no table of places has; the rarest are forgotten beyond
        `_KEPT_UNKNOWN` of them ones.
    """

    lines: dict[tuple[str, int], int] = dataclasses.field(default_factory=dict)
    late: list[Late] = dataclasses.field(default_factory=list)
    coverage: Coverage = Coverage()
    unknown: collections.Counter = dataclasses.field(default_factory=collections.Counter)


def merge(parts: Iterable[tallies.Tally]) -> TripTally:
    """Merges tallies, including plain ones; the result does not depend on their order."""
    parts = list(parts)
    total = TripTally(**vars(tallies.merge(parts)))
    trips = [part for part in parts if isinstance(part, TripTally)]
    for part in trips:
        for unit, lines in part.lines.items():
            total.lines[unit] = total.lines.get(unit, 0) + lines
        total.late += part.late
        total.unknown.update(part.unknown)
    total.unknown = collections.Counter(unknown.most_frequent(total.unknown))
    total.coverage = merge_coverage(part.coverage for part in trips)
    return total


def of_trips(
    rows: TripRows, starts: trip_rows.Side, ends: trip_rows.Side, origin: Origin
) -> TripTally:
    """The tally of a block of trips."""
    tally = TripTally(lines={(origin.file, origin.unit): rows.lines})
    tally.counts["trips_read"] = len(starts.reasons) + len(rows.malformed)
    tally.coverage = Coverage.of(starts.starts[starts.dated])
    for name, side, time, place in (
        (START, starts, trip_layouts.START_TIME, trip_layouts.START_POSITION),
        (END, ends, trip_layouts.END_TIME, trip_layouts.END_POSITION),
    ):
        _reject(tally, name, side, rows, (time, *place), origin)
        if place.place in rows.layout.roles:
            ids = rows.columns[rows.layout.roles.index(place.place)]
            tally.unknown.update(unknown.count_ids(ids, side.reasons == _UNKNOWN_PLACE))
    late = _late(ends, tally.coverage)
    if len(late):
        late = late[: tallies.REJECTS_CAP]
        tally.late.append(Late(origin.file, origin.number(rows.numbers[late]), ends.starts[late]))
    return tally


def of_points(rows: TripRows, side: trip_rows.Side, origin: Origin) -> TripTally:
    """The tally of a block of points."""
    tally = TripTally(lines={(origin.file, origin.unit): rows.lines})
    tally.counts["points_read"] = len(side.reasons) + len(rows.malformed)
    tally.counts["points_used"] = int((side.reasons == trip_rows.OK).sum())
    tally.coverage = Coverage.of(side.starts[side.dated])
    shown = (trip_layouts.POINT_TIME, *trip_layouts.POINT_POSITION)
    _reject(tally, POINT, side, rows, shown, origin)
    return tally


def of_day(starts: np.ndarray, maps: np.ndarray, outside: int, zone: str) -> TripTally:
    """The tally of the frames of a day.

    Args:
      starts: wall-clock minutes, int64 `[n]`.
      maps: trips per interval, float32 `[n, H, W, 2]`.
      outside: number of ends of the day that are in no frame.
      zone: IANA name.
    """
    tally = TripTally(**vars(tallies.of_frames(starts)))
    repeated, skipped = clock.changed_intervals(starts, zone)
    inflow, outflow = maps.sum(axis=(0, 1, 2), dtype=np.float64).astype(int).tolist()
    tally.counts.update(
        inflow=inflow,
        outflow=outflow,
        repeated_intervals=len(repeated),
        skipped_intervals=len(skipped),
    )
    tally.rejected[f"{END}_{trip_rows.OUTSIDE_SPAN}"] += outside
    return tally


def finish(tally: TripTally, empty_days: str) -> None:
    """Adds the ends outside the covered span to the rejects, and numbers the rows of the rejects by file."""
    for late in tally.late:
        outside = ~tally.coverage.holds(late.starts, empty_days)
        for row, start in zip(late.rows[outside].tolist(), late.starts[outside]):
            reason = f"{END}_{trip_rows.OUTSIDE_SPAN}"
            value = intervals.format_start(start)
            tally.rejects.append(tallies.Reject(late.file, row, reason, value))
    rejects = sorted(tally.rejects)[: tallies.REJECTS_CAP]
    before: dict[tuple[str, int], int] = {}
    lines: collections.Counter = collections.Counter()
    for file, unit in sorted(tally.lines):
        before[file, unit] = lines[file]
        lines[file] += tally.lines[file, unit]
    tally.rejects, tally.late = [], []
    for reject in rejects:
        unit, row = reject.row >> _BITS, reject.row & ((1 << _BITS) - 1)
        tally.rejects.append(reject._replace(row=row + before.get((reject.file, unit), 0)))


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
    rejected, share = tally.rejected.total(), config.trips.max_reject_share
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


def _reject(
    tally: TripTally,
    name: str,
    side: trip_rows.Side,
    rows: TripRows,
    shown: Sequence[Optional[str]],
    origin: Origin,
) -> None:
    """Counts and lists the rejects of a side; `shown` are the roles of its time and position, if it has them."""
    counts = np.bincount(side.reasons, minlength=trip_rows.LEFT_OUT + 1)
    tally.counts[f"{name}s_left_out"] += int(counts[trip_rows.LEFT_OUT])
    for reason, count in zip(trip_rows.REASONS, counts.tolist()):
        if count:
            tally.rejected[f"{name}_{reason}"] += count
    wrong = np.flatnonzero(side.reasons < trip_rows.OK)[: tallies.REJECTS_CAP]
    if len(wrong):
        columns = dict(zip(rows.layout.roles, rows.columns))
        chosen = pa.array(wrong)
        texts = [_texts(columns[role].take(chosen)) for role in shown if role in columns]
        values = pc.binary_join_element_wise(*texts, ", ").to_pylist()
        reasons = [f"{name}_{trip_rows.REASONS[code]}" for code in side.reasons[wrong]]
        numbers = origin.number(rows.numbers[wrong]).tolist()
        found = zip([origin.file] * len(wrong), numbers, reasons, values)
        tally.rejects += map(tallies.Reject._make, found)
    if len(rows.malformed):
        reason = f"{name}_{trip_rows.UNPARSABLE}"
        tally.rejected[reason] += len(rows.malformed)
        for row, fault in zip(origin.number(rows.malformed).tolist(), rows.faults):
            tally.rejects.append(tallies.Reject(origin.file, row, reason, fault))
    del tally.rejects[2 * tallies.REJECTS_CAP :]


def _texts(column: pa.Array) -> pa.Array:
    if pa.types.is_binary(column.type):
        column = clock.decode(column)
    return pc.utf8_slice_codeunits(pc.cast(column, pa.string()).fill_null(""), 0, 40)


def _late(ends: trip_rows.Side, coverage: Coverage) -> np.ndarray:
    """The indices of ends that may lie outside the covered span, judging by one block."""
    good = ends.reasons == trip_rows.OK
    if coverage.first is None:
        return np.flatnonzero(good)
    outside = (ends.starts < coverage.first) | (ends.starts > coverage.last)
    days = pd.Index(ends.starts // intervals.MINUTES_PER_DAY)
    outside |= ~days.isin(list(coverage.days))
    return np.flatnonzero(good & outside)
