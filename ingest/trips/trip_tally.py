"""The tally of an ingest of trips. Every trip is counted twice, as a start and as an end."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from crowdflow.ingest import tally as tallies
from crowdflow.ingest.places import unknown
from crowdflow.ingest.times import clock
from crowdflow.ingest.trips import trip_layouts, trip_rows
from crowdflow.ingest.trips.day_counts import Coverage, merge_coverage
from crowdflow.ingest.trips.trip_files import TripRows
from crowdflow.schema import intervals

START, END, POINT = "start", "end", "point"
_TIMES = {START: trip_layouts.START_TIME, END: trip_layouts.END_TIME}
_POSITIONS = {START: trip_layouts.START_POSITION, END: trip_layouts.END_POSITION}
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
      not_late: the same of rides that came before, which are not among the ends at all.
      coverage: of the starts.
      unknown: how often each id is named that no table of places has; the rarest are forgotten beyond
        `_KEPT_UNKNOWN` of them ones.
    """

    lines: dict[tuple[str, int], int] = dataclasses.field(default_factory=dict)
    late: list[Late] = dataclasses.field(default_factory=list)
    not_late: list[Late] = dataclasses.field(default_factory=list)
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
        total.not_late += part.not_late
        total.unknown.update(part.unknown)
    total.unknown = collections.Counter(unknown.most_frequent(total.unknown))
    total.coverage = merge_coverage(part.coverage for part in trips)
    return total


def of_trips(
    rows: TripRows, starts: Optional[trip_rows.Side], ends: Optional[trip_rows.Side], origin: Origin
) -> TripTally:
    """The tally of a block of trips; a side is None if the file has none."""
    tally = TripTally(lines={(origin.file, origin.unit): rows.lines})
    count = len(rows.numbers) + len(rows.malformed)
    tally.counts["trips_read"] = count
    for name, side in ((START, starts), (END, ends)):
        if side is None:
            tally.counts[f"without_{name}"] = count
            continue
        _reject(tally, name, side, rows, (_TIMES[name], *_POSITIONS[name]), origin)
        place = _POSITIONS[name].place
        if place in rows.layout.roles:
            ids = rows.columns[rows.layout.roles.index(place)]
            tally.unknown.update(unknown.count_ids(ids, side.reasons == _UNKNOWN_PLACE))
    tally.coverage = _coverage(starts, ends)
    tally.late += _late(rows, ends, tally.coverage, origin)
    return tally


def of_doubles(
    rows: TripRows, starts: Optional[trip_rows.Side], ends: Optional[trip_rows.Side], origin: Origin
) -> TripTally:
    """What a block of rides that came before changes: what could be counted is a duplicate."""
    tally = TripTally()
    for name, side in ((START, starts), (END, ends)):
        if side is not None:
            good = side.reasons == trip_rows.OK
            reasons = np.where(good, trip_rows.REASONS.index(trip_rows.DUPLICATE), trip_rows.OK)
            side = side._replace(reasons=reasons)
            _reject(tally, name, side, rows, (_TIMES[name], *_POSITIONS[name]), origin)
    # These rides cover no more than their whole blocks did: none that was late there is missed.
    tally.not_late += _late(rows, ends, _coverage(starts, ends), origin)
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
    doubles = {(late.file, row) for late in tally.not_late for row in late.rows.tolist()}
    for late in tally.late:
        outside = ~tally.coverage.holds(late.starts, empty_days)
        outside &= [(late.file, row) not in doubles for row in late.rows.tolist()]
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
    tally.rejects, tally.late, tally.not_late = [], [], []
    for reject in rejects:
        unit, row = reject.row >> _BITS, reject.row & ((1 << _BITS) - 1)
        tally.rejects.append(reject._replace(row=row + before.get((reject.file, unit), 0)))


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


def _coverage(starts: Optional[trip_rows.Side], ends: Optional[trip_rows.Side]) -> Coverage:
    covering = ends if starts is None else starts
    return Coverage.of(covering.starts[covering.dated])


def _texts(column: pa.Array) -> pa.Array:
    if pa.types.is_binary(column.type):
        column = clock.decode(column)
    return pc.utf8_slice_codeunits(pc.cast(column, pa.string()).fill_null(""), 0, 40)


def _late(
    rows: TripRows, ends: Optional[trip_rows.Side], coverage: Coverage, origin: Origin
) -> list[Late]:
    """The ends that may lie outside the covered span, judging by one block."""
    if ends is None:
        return []
    late = ends.reasons == trip_rows.OK
    if coverage.first is not None:
        outside = (ends.starts < coverage.first) | (ends.starts > coverage.last)
        days = pd.Index(ends.starts // intervals.MINUTES_PER_DAY)
        late &= outside | ~days.isin(list(coverage.days))
    late = np.flatnonzero(late)[: tallies.REJECTS_CAP]
    if not len(late):
        return []
    return [Late(origin.file, origin.number(rows.numbers[late]), ends.starts[late])]
