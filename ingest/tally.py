"""The tally of an ingest: counts that merge in any order, so that the data flow can combine them."""

import collections
import dataclasses
from collections.abc import Iterable
from typing import NamedTuple, Optional

import numpy as np

from crowdflow.schema import intervals
from crowdflow.schema.errors import DataError

# Reasons to reject a record; the first one that applies, in this order.
UNPARSABLE = "unparsable"  # text instead of a number, no timestamp, or a wrong number of fields
OFF_RASTER = "off_raster"  # a time that is not the start of an interval
OUTSIDE_GRID = "outside_grid"
NON_FINITE = "non_finite_flow"  # checked as float32
NEGATIVE = "negative_flow"
DUPLICATE = "duplicate"  # of an earlier record of the same interval, or interval and cell
REASONS = (UNPARSABLE, OFF_RASTER, OUTSIDE_GRID, NON_FINITE, NEGATIVE, DUPLICATE)

REJECTS_CAP = 10_000  # number of rejects that are listed; all are counted
_SHOWN = 5  # number of rejects shown in an error message
_TEXT_FILES = (
    ".csv",
    ".csv.gz",
    ".grid",
    ".plt",
    ".tsv",
    ".txt",
    ".zip",
)  # their records are numbered as lines


class Reject(NamedTuple):
    """A rejected record; `row` is the line number from 1 in a CSV file, else the row number from 0."""

    file: str
    row: int
    reason: str
    value: str


@dataclasses.dataclass
class Tally:
    """Counts of a part of an ingest.

    Attributes:
      counts: by name: `records_read`, `records_left_out` (outside the range of dates), `frames`,
        `interval_incomplete` and the like.
      rejected: number of rejected records by reason.
      rejects: the first rejects by file and row, at most `REJECTS_CAP`.
      first: wall-clock minutes of the first frame.
      last: wall-clock minutes of the last frame.
      problems: error messages that stop the run whatever the share of rejects.
    """

    counts: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    rejected: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    rejects: list[Reject] = dataclasses.field(default_factory=list)
    first: Optional[int] = None
    last: Optional[int] = None
    problems: list[str] = dataclasses.field(default_factory=list)


def merge(tallies: Iterable[Tally]) -> Tally:
    """Merges tallies; the result does not depend on their order."""
    total = Tally()
    for tally in tallies:
        total.counts.update(tally.counts)
        total.rejected.update(tally.rejected)
        total.rejects += tally.rejects
        if len(total.rejects) > 2 * REJECTS_CAP:
            total.rejects = sorted(total.rejects)[:REJECTS_CAP]
        total.problems += tally.problems
        if tally.first is not None:
            total.first = tally.first if total.first is None else min(total.first, tally.first)
            total.last = tally.last if total.last is None else max(total.last, tally.last)
    total.rejects = sorted(total.rejects)[:REJECTS_CAP]
    total.problems.sort()
    return total


def of_frames(starts: np.ndarray) -> Tally:
    """The tally of frames.

    Args:
      starts: wall-clock minutes, int64 `[n]`.
    """
    tally = Tally(collections.Counter(frames=len(starts)))
    if len(starts):
        tally.first, tally.last = int(starts.min()), int(starts.max())
    return tally


def summarize(tally: Tally, minutes: int) -> dict:
    """The content of `counters.json`, except for the files.

    Args:
      tally: of the whole ingest, with at least one frame.
      minutes: length of an interval.
    """
    frames = tally.counts["frames"]
    return {
        "records_read": tally.counts["records_read"],
        "frames": frames,
        "rejected": {reason: tally.rejected[reason] for reason in REASONS},
        "rejects_listed": len(tally.rejects),
        "rejects_cap": REJECTS_CAP,
        "missing_intervals": (tally.last - tally.first) // minutes + 1 - frames,
        "interval_incomplete": tally.counts["interval_incomplete"],
        "interval_absent_cells": tally.counts["interval_absent_cells"],
        "cells_filled": tally.counts["cells_filled"],
        "weather_unknown": tally.counts["weather_unknown"],
        "first_interval": intervals.format_start(tally.first),
        "last_interval": intervals.format_start(tally.last),
    }


def require_usable(tally: Tally, max_reject_share: float) -> None:
    """Raises an error if the ingest failed.

    Args:
      tally: of the whole ingest.
      max_reject_share: largest share of the records that may be rejected.

    Raises:
      DataError: a file could not be read, more than that share of the records was rejected, or there is no
        frame; with counts by reason and the first rejects.
    """
    if tally.problems:
        raise DataError("\n".join(tally.problems))
    left_out = tally.counts["records_left_out"]
    records, rejected = tally.counts["records_read"] - left_out, tally.rejected.total()
    if rejected > max_reject_share * records:
        raise DataError(
            f"{rejected:,} of {records:,} records rejected ({rejected / records:.2%}), more than "
            f"ingest.max_reject_share = {max_reject_share:g} allows.{rejects_listing(tally, REASONS)}"
        )
    if not tally.counts["frames"]:
        raise DataError(
            f"No complete flow frame in {records:,} records, {left_out:,} more are outside the range: "
            f"{tally.counts['interval_incomplete']} intervals lost a row to a reject, "
            f"{tally.counts['interval_absent_cells']} have absent cells.{rejects_listing(tally, REASONS)}"
        )


def rejects_listing(tally: Tally, reasons: Iterable[str]) -> str:
    """The rejects for an error message: counts by reason, in the given order, and the first few."""
    if not tally.rejects:
        return ""
    by_reason = ", ".join(f"{r} {tally.rejected[r]:,}" for r in reasons if tally.rejected[r])
    lines = [f" By reason: {by_reason}. First:"]
    for reject in tally.rejects[:_SHOWN]:
        unit = "line" if reject.file.lower().endswith(_TEXT_FILES) else "row"
        lines.append(f"  {reject.file}, {unit} {reject.row}: {reject.reason} ({reject.value})")
    return "\n".join(lines)
