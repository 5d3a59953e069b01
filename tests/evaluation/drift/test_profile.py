"""The distributions that drift is found by, against plain loops."""

import collections

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdflow.evaluation.drift.profile import EDGES, merge, profile
from crowdflow.schema.intervals import format_start

MONDAY = 16_335 * 1440  # 2014-09-22 00:00


def plain(starts, maps):
    """The same by loops over calendar times: sizes by class (2^k), trips by hour and by cell."""
    sizes, trips = collections.defaultdict(collections.Counter), collections.defaultdict(float)
    for start, flow_map in zip(starts, maps):
        time = np.datetime64(format_start(start)).astype(object)
        kind = "weekend" if time.strftime("%a") in ("Sat", "Sun") else "workday"
        for channel, name in enumerate(("inflow", "outflow")):
            for cell, flow in enumerate(flow_map[..., channel].ravel().tolist()):
                if flow >= 1:
                    sizes[f"{name}_{kind}"][int(np.floor(np.log2(flow)))] += 1
                trips[f"{name}_{kind}_by_hour", time.hour] += flow
                trips[f"{name}_by_cell", cell] += flow
    return sizes, {key: value for key, value in trips.items() if value}


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([30, 60, 240]), st.integers(1, 60), st.booleans()
)  # fmt: skip
def test_whole_trips_are_counted_as_by_hand(seed, minutes, count, shuffled):
    random = np.random.default_rng(seed)
    starts = MONDAY + 4 * 1440 + np.arange(count) * minutes
    starts = random.permutation(starts) if shuffled else starts
    maps = random.integers(0, random.integers(2, 900), (count, 2, 3, 2)).astype(np.float32)
    found = profile(starts, maps)
    sizes, trips = plain(starts, maps)
    assert found.sizes.keys() == {name for name, counts in sizes.items() if counts}
    for name, counts in found.sizes.items():
        assert {n: k for n, k in enumerate(counts.tolist()) if k} == sizes[name]
    held = {(n, i): v for n, t in found.trips.items() for i, v in enumerate(t.tolist()) if v}
    assert held == trips
    assert (found.intervals, found.first, found.last) == (count, min(starts), max(starts))


def test_doubled_flows_all_move_by_one_class():
    starts = MONDAY + np.arange(24) * 60
    maps = np.random.default_rng(1).integers(0, 200, (24, 3, 3, 2)).astype(np.float32)
    once, twice = profile(starts, maps), profile(starts, 2 * maps)
    for name, counts in once.sizes.items():
        np.testing.assert_array_equal(twice.sizes[name][1:], counts[:-1])


def test_what_is_not_there_is_not_in_it():
    still = profile(np.array([MONDAY]), np.zeros((1, 2, 2, 2), np.float32))
    assert (still.sizes, still.trips) == ({}, {})
    maps = np.ones((1, 2, 2, 2), np.float32)
    assert set(profile(np.array([MONDAY]), maps).sizes) == {"inflow_workday", "outflow_workday"}
    saturday = profile(np.array([MONDAY + 5 * 1440]), maps * 1e9)  # beyond the last class
    assert set(saturday.sizes) == {"inflow_weekend", "outflow_weekend"}
    assert saturday.sizes["inflow_weekend"][-1] == 4
    assert len(saturday.sizes["inflow_weekend"]) == len(EDGES) - 1


def test_profiles_of_parts_merge_to_that_of_all():
    random = np.random.default_rng(8)
    starts = MONDAY + 60 * np.arange(24 * 9)
    maps = random.poisson(3, (len(starts), 2, 3, 2)).astype(np.float32)
    maps[:24, 0] = 0
    parts = np.array_split(random.permutation(len(starts)), 5)
    merged, whole = merge(profile(starts[p], maps[p]) for p in parts), profile(starts, maps)
    assert (merged.intervals, merged.first, merged.last) == (
        whole.intervals, whole.first, whole.last,
    )  # fmt: skip
    for found, expected in ((merged.sizes, whole.sizes), (merged.trips, whole.trips)):
        assert sorted(found) == sorted(expected)
        for name, counts in expected.items():
            np.testing.assert_array_equal(found[name], counts, err_msg=name)
