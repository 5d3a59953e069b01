"""Counts of starts and ends by interval and cell, day by day, and the span that files cover."""

import collections
import dataclasses
import zlib
from collections.abc import Iterable
from typing import Optional

import numpy as np
import pandas as pd

from crowdflow.flows.frames import FrameBlock
from crowdflow.ingest.date_range import Bounds
from crowdflow.schema import intervals

INFLOW, OUTFLOW = 0, 1
_HELD_BYTES = 96 << 20  # of counts in memory, before they are passed on
_PAIR = 12  # bytes of a place and a number
_ARRAY, _PAIRS = b"a", b"p"  # the first byte of compressed counts
_CROWDED = 8  # places for each event, up to which counting into an array is cheaper than sorting
# A month with starts on a smaller share of its days counts as not covered by any file.
COVERED_SHARE = 0.25
_DENSE = 4 << 20  # size up to which counts are a dense array; above, they are found by sorting


class DayCounts:
    """Counts events by day; the counts are passed on compressed, so that memory stays bounded.

    A day's counts are pairs of a place and a number while they are fewer than half of the places, then an array.
    """

    def __init__(self, cells: int, minutes: int):
        """Starts without counts.

        Args:
          cells: H * W.
          minutes: length of an interval.
        """
        self._cells = cells
        self._minutes = minutes
        self._size = intervals.per_day(minutes) * cells * 2
        self._few: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._many: dict[int, np.ndarray] = {}
        self._pairs = collections.Counter()  # by day

    @property
    def full(self) -> bool:
        """Whether the counts should be taken now, by `take`."""
        return len(self._many) * self._size * 4 + self._pairs.total() * _PAIR > _HELD_BYTES

    def add(self, starts: np.ndarray, cells: np.ndarray, channel: int, sign: int = 1) -> None:
        """Counts events.

        Args:
          starts: wall-clock minutes of each event's interval, int64 `[n]`.
          cells: the cell of each event, int64 `[n]`.
          channel: `INFLOW` or `OUTFLOW`.
          sign: -1 takes back events that were counted.
        """
        if not len(starts):
            return
        codes, days = pd.factorize(starts // intervals.MINUTES_PER_DAY)
        slots = starts % intervals.MINUTES_PER_DAY // self._minutes
        index = (slots * self._cells + cells) * 2 + channel + codes * self._size
        if len(days) * self._size <= min(_DENSE, len(starts) * _CROWDED):
            counts = np.bincount(index, minlength=len(days) * self._size)
            for day, found in zip(days.tolist(), counts.reshape(len(days), self._size)):
                self._array(day)[:] += found.astype(np.int32) * sign
            return
        index, counts = np.unique(index, return_counts=True)
        counts = counts.astype(np.int32) * np.int32(sign)
        places, begins = np.unique(index // self._size, return_index=True)
        parts = zip(np.split(index, begins[1:]), np.split(counts, begins[1:]))
        for place, (part, found) in zip(places, parts):
            self._add_pairs(int(days[place]), part % self._size, found)

    def take(self) -> list[tuple[int, bytes]]:
        """Returns the counts so far as (day since 1970-01-01, compressed counts), and starts anew."""
        packed = [(day, _pack(held)) for day, held in self._many.items()]
        packed += [(day, _pack_pairs(*_merged(parts))) for day, parts in self._few.items()]
        self._few, self._many = {}, {}
        self._pairs.clear()
        return packed

    def _add_pairs(self, day: int, index: np.ndarray, counts: np.ndarray) -> None:
        if day not in self._many and 2 * (self._pairs[day] + len(index)) < self._size:
            self._few.setdefault(day, []).append((index, counts))
            self._pairs[day] += len(index)
        else:
            self._array(day)[index] += counts

    def _array(self, day: int) -> np.ndarray:
        """The day's array, into which its pairs go."""
        if day not in self._many:
            self._many[day] = np.zeros(self._size, np.int32)
            for index, counts in self._few.pop(day, []):
                self._many[day][index] += counts  # each place once
            self._pairs.pop(day, None)
        return self._many[day]


def _merged(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs with each place once, in order: int64 `[n]` and int32 `[n]`."""
    index, places = np.unique(np.concatenate([part for part, _ in parts]), return_inverse=True)
    counts = np.bincount(places, np.concatenate([found for _, found in parts]))
    return index, counts.astype(np.int32)


def _pack(counts: np.ndarray) -> bytes:
    return _ARRAY + zlib.compress(counts.tobytes(), 1)


def _pack_pairs(index: np.ndarray, counts: np.ndarray) -> bytes:
    """The steps from place to place compress better than the places."""
    steps = np.diff(index, prepend=0).astype(np.int64)
    return _PAIRS + zlib.compress(steps.tobytes() + counts.tobytes(), 1)


def _add_packed(total: np.ndarray, packed: bytes) -> None:
    """Adds compressed counts to the day's totals, int64 `[T * cells * 2]`."""
    kind, content = packed[:1], zlib.decompress(packed[1:])
    if kind == _ARRAY:
        total += np.frombuffer(content, np.int32)
        return
    count = len(content) // _PAIR
    steps = np.frombuffer(content, np.int64, count)
    total[np.cumsum(steps)] += np.frombuffer(content, np.int32, count, 8 * count)


@dataclasses.dataclass(frozen=True)
class Coverage:
    """The span and the days of the starts of trips (or of points).

    Attributes:
      first: wall-clock minutes of the first start's interval, or None without any start.
      last: of the last start's interval.
      days: the days with a start, since 1970-01-01.
    """

    first: Optional[int] = None
    last: Optional[int] = None
    days: frozenset[int] = frozenset()

    @classmethod
    def of(cls, starts: np.ndarray) -> "Coverage":
        """The coverage of intervals, by their starts, int64 `[n]`."""
        if not len(starts):
            return cls()
        days = pd.unique(starts // intervals.MINUTES_PER_DAY).tolist()
        return cls(int(starts.min()), int(starts.max()), frozenset(days))

    def within(self, limits: Optional[Bounds], minutes: int) -> "Coverage":
        """The part within a range of days; all of it if there is no range."""
        if limits is None or self.first is None:
            return self
        days = frozenset(day for day in self.days if limits.first <= day <= limits.last)
        if not days:
            return Coverage()
        end = (limits.last + 1) * intervals.MINUTES_PER_DAY - minutes
        first = max(self.first, limits.first * intervals.MINUTES_PER_DAY)
        return Coverage(first, min(self.last, end), days)

    def covered_days(self) -> np.ndarray:
        """The days of covered months from the first start to the last, and all days with a start.

        Returns:
          Days since 1970-01-01, int64 `[n]`, sorted.
        """
        if self.first is None:
            return np.zeros(0, np.int64)
        every, months, covered = self._by_month()
        return every[covered[months] | np.isin(every, list(self.days))]

    def empty_days(self) -> np.ndarray:
        """The covered days without a start, int64 `[n]`, sorted."""
        return np.setdiff1d(self.covered_days(), list(self.days))

    def missing_months(self) -> list[str]:
        """The months between the first and the last start that are not covered, such as `2017-04`."""
        if self.first is None:
            return []
        every, _, covered = self._by_month()
        first = every[:1].astype("datetime64[D]").astype("datetime64[M]")
        return (first + np.flatnonzero(~covered)).astype(str).tolist()

    def _by_month(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The days of the span `[n]`, the index of each day's month, and which months are covered `[m]`."""
        every = np.arange(min(self.days), max(self.days) + 1)
        months = every.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        months -= months[0]
        held = np.isin(every, list(self.days))
        return every, months, np.bincount(months, held) >= COVERED_SHARE * np.bincount(months)

    def holds(self, starts: np.ndarray, empty_days: str) -> np.ndarray:
        """Which intervals have a frame, bool `[n]`.

        Args:
          starts: wall-clock minutes, int64 `[n]`.
          empty_days: whether days without a start have `zero` flow or are `missing`.
        """
        if self.first is None:
            return np.zeros(len(starts), bool)
        days = self.covered_days() if empty_days == "zero" else sorted(self.days)
        inside = (starts >= self.first) & (starts <= self.last)
        return inside & np.isin(starts // intervals.MINUTES_PER_DAY, days)


def merge_coverage(parts: Iterable[Coverage]) -> Coverage:
    """Merges the coverage of parts."""
    parts = [part for part in parts if part.first is not None]
    if not parts:
        return Coverage()
    return Coverage(
        min(part.first for part in parts),
        max(part.last for part in parts),
        frozenset().union(*(part.days for part in parts)),
    )


def assemble(
    day: int,
    packed: Iterable[bytes],
    coverage: Coverage,
    grid: tuple[int, int],
    minutes: int,
    empty_days: str,
) -> tuple[FrameBlock, int]:
    """Assembles the frames of a day from its counts.

    Args:
      day: since 1970-01-01.
      packed: the day's compressed counts, in any number of parts.
      coverage: of all files.
      grid: H, W.
      minutes: length of an interval.
      empty_days: see `Coverage.holds`.

    Returns:
      A frame for each covered interval of the day, and the number of ends in the other intervals.
    """
    per_day = intervals.per_day(minutes)
    total = np.zeros((per_day, *grid, 2), np.int64)
    for part in packed:
        _add_packed(total.reshape(-1), part)
    starts = day * intervals.MINUTES_PER_DAY + np.arange(per_day) * minutes
    held = coverage.holds(starts, empty_days)
    outside = int(total[~held, ..., INFLOW].sum())
    return FrameBlock(starts[held], total[held].astype(np.float32)), outside
