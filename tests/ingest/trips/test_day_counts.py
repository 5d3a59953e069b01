"""Counts of trips by day: few or many, taken at any moment, they add up to what was counted."""

import collections

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdflow.ingest.trips import day_counts
from crowdflow.ingest.trips.day_counts import Coverage, DayCounts, assemble

MINUTES, GRID = 60, (3, 4)
FIRST = 16_000  # days since 1970-01-01


def summed(packed, starts):
    """The flows of all intervals of the days, from their parts."""
    coverage = Coverage.of(starts)
    by_day = collections.defaultdict(list)
    for day, part in packed:
        by_day[day].append(part)
    found = {}
    for day, parts in by_day.items():
        block, outside = assemble(day, parts, coverage, GRID, MINUTES, "zero")
        assert outside == 0
        found |= dict(zip(block.starts.tolist(), block.maps))
    return found


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 999),
    sizes=st.lists(st.sampled_from([1, 5, 40, 3_000]), min_size=1, max_size=5),
    days=st.sampled_from([1, 3, 20]),
    bound=st.sampled_from([1, 5_000, 1 << 26]),
)
def test_counts_add_up(seed, sizes, days, bound):
    random = np.random.default_rng(seed)
    counts, packed = DayCounts(12, MINUTES), []
    expected = collections.Counter()
    starts = np.arange(FIRST * 1440, (FIRST + days) * 1440, MINUTES)
    for size in sizes:
        at = (FIRST * 24 + random.integers(0, days * 24, size)) * MINUTES
        cells, channel = random.integers(0, 12, size), int(random.integers(2))
        for sign, chosen in ((1, slice(None)), (-1, slice(size // 3))):  # some are taken back
            counts.add(at[chosen], cells[chosen], channel, sign)
            for start, cell in zip(at[chosen].tolist(), cells[chosen].tolist()):
                expected[start, cell, channel] += sign
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(day_counts, "_HELD_BYTES", bound)
            if counts.full:
                packed += counts.take()
                assert not counts.full
    found = summed(packed + counts.take(), starts)
    for (start, cell, channel), count in expected.items():
        assert found[start][cell // 4, cell % 4, channel] == count
    assert sum(map(np.sum, found.values())) == sum(expected.values())


def test_a_month_of_few_trips_on_a_fine_grid_takes_little_memory():
    """By array, a day of 400 x 400 cells takes 31 MB."""
    counts, random = DayCounts(160_000, MINUTES), np.random.default_rng(1)
    for _ in range(5):
        at = (FIRST * 24 + random.integers(0, 31 * 24, 100_000)) * MINUTES
        counts.add(at, random.integers(0, 160_000, 100_000), 0)
        assert not counts.full
    packed = counts.take()
    assert len(packed) == 31 and sum(len(part) for _, part in packed) < 4 << 20
