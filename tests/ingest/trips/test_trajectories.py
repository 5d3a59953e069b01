"""Definition 2 of the paper: by hand, and against a plain loop."""

import collections

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdflow.ingest.trips.trajectories import PointBlock, by_bucket, find_crossings

SECOND = 1_000_000
A, B, C, OUT = 0, 1, 2, -1


def block(points):
    """Points as (id, second, cell), in the order of reading."""
    names, codes = np.unique([p[0] for p in points], return_inverse=True)
    seconds = np.array([p[1] for p in points], np.int64)
    return PointBlock(
        names.astype(object),
        codes.astype(np.int32),
        seconds * SECOND,
        np.arange(len(points)),
        seconds // 3600 * 60,
        np.array([p[2] for p in points], np.int64),
    )


def flows(*blocks, max_gap_minutes=15):
    """(interval, cell) -> [inflow, outflow]; and the gaps."""
    found = find_crossings(blocks, max_gap_minutes)
    counts = collections.defaultdict(lambda: [0, 0])
    for start, left, entered in zip(*map(np.ndarray.tolist, found[:3])):
        if entered != OUT:
            counts[start, entered][0] += 1
        if left != OUT:
            counts[start, left][1] += 1
    return dict(counts), found.gaps


def test_staying_is_no_flow():
    assert flows(block([("x", 0, A), ("x", 60, A), ("x", 120, A)])) == ({}, 0)


def test_entering_and_leaving():
    points = [("x", 0, OUT), ("x", 60, A), ("x", 120, B), ("x", 180, A), ("x", 240, OUT)]
    assert flows(block(points)) == ({(0, A): [2, 2], (0, B): [1, 1]}, 0)


def test_every_return_counts_again():
    points = [("x", 60 * k, A if k % 2 else B) for k in range(7)]
    assert flows(block(points)) == ({(0, A): [3, 3], (0, B): [3, 3]}, 0)


def test_two_trajectories_are_two():
    points = [("x", 0, A), ("y", 30, B), ("x", 60, A), ("y", 90, B)]
    assert flows(block(points)) == ({}, 0)


def test_a_crossing_is_in_the_interval_of_its_second_point():
    assert flows(block([("x", 3599, A), ("x", 3600, B)])) == ({(60, B): [1, 0], (60, A): [0, 1]}, 0)


def test_a_gap_is_no_crossing():
    points = [("x", 0, A), ("x", 901, B), ("x", 960, C)]
    assert flows(block(points)) == ({(0, B): [0, 1], (0, C): [1, 0]}, 1)
    assert flows(block([("x", 0, A), ("x", 900, B)]))[1] == 0


def test_order_of_reading_matters_only_at_one_time():
    points = [("x", 120, C), ("x", 0, A), ("x", 60, B)]
    expected = {(0, A): [0, 1], (0, B): [1, 1], (0, C): [1, 0]}
    assert flows(block(points))[0] == expected
    same = [("x", 0, A), ("x", 0, B)]
    assert flows(block(same))[0] == {(0, A): [0, 1], (0, B): [1, 0]}


def test_no_points():
    assert flows() == ({}, 0)


def plain(points, max_gap_minutes):
    """Definition 2 as published, one pair at a time."""
    counts, gaps = collections.defaultdict(lambda: [0, 0]), 0
    for name in {p[0] for p in points}:
        track = sorted((p for p in points if p[0] == name), key=lambda p: p[1])
        for (_, before, left), (_, now, entered) in zip(track, track[1:]):
            if now - before > max_gap_minutes * 60:
                gaps += 1
                continue
            for cell in (A, B, C):
                if left != cell and entered == cell:
                    counts[now // 3600 * 60, cell][0] += 1
                if left == cell and entered != cell:
                    counts[now // 3600 * 60, cell][1] += 1
    return dict(counts), gaps


POINTS = st.tuples(
    st.sampled_from("wxyz"), st.integers(0, 4 * 3600), st.sampled_from([OUT, A, B, C])
)


@settings(max_examples=60, deadline=None)
@given(st.lists(POINTS, min_size=1, max_size=60), st.integers(1, 120), st.integers(1, 5))
def test_against_a_plain_loop_however_the_points_are_cut(points, gap, buckets):
    whole = block(points)
    assert flows(whole, max_gap_minutes=gap) == plain(points, gap)
    ids = whole.names[whole.codes]
    columns = (ids, whole.elapsed, whole.order, whole.starts, whole.cells)
    parts = collections.defaultdict(list)
    for half in (slice(None, len(points) // 2), slice(len(points) // 2, None)):
        for bucket, part in by_bucket(*(column[half] for column in columns), buckets):
            parts[bucket].append(part)
    total, gaps = collections.defaultdict(lambda: [0, 0]), 0
    for found in parts.values():
        counts, more = flows(*found, max_gap_minutes=gap)
        gaps += more
        for key, (inflow, outflow) in counts.items():
            total[key][0] += inflow
            total[key][1] += outflow
    assert (dict(total), gaps) == plain(points, gap)
