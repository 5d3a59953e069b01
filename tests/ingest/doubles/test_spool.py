"""Trips by day in files of this machine, or through the shuffle of a runner elsewhere."""

import os
import tempfile

import numpy as np
import pytest
from worlds.plain_flows import PORTABLE, rejects, run_ingest
from worlds.small_trips import GRID, PLAIN, line

from crowdflow.ingest.doubles.find import Seen
from crowdflow.ingest.doubles.spool import spool_of, store
from crowdflow.ingest.trips import trips_transform

RUNNERS = {
    "threads": ["--direct_running_mode=multi_threading", "--direct_num_workers=2"],
    "processes": ["--direct_running_mode=multi_processing", "--direct_num_workers=2"],
    "portable": PORTABLE,
}


def test_trips_come_back_from_a_file(tmp_path):
    hashes = np.arange(4, dtype=np.uint64)
    in_order = Seen(0, (0, 0), True, 5, b"", hashes[:2].tobytes())
    in_none = Seen(1, (0, 1), False, 9, np.uint32([0, 3]).tobytes(), hashes[2:].tobytes())
    kept = [store(seen, 19000, str(tmp_path)) for seen in (in_order, in_none)]
    assert len([*tmp_path.iterdir()]) == 1
    assert [stored.read() for stored in kept] == [in_order, in_none]
    assert not any(stored.seen.later + stored.seen.hashes for stored in kept)


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_same_rides_come_again_on_every_runner(runner, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folders = []

    def followed(pipeline):
        folders.append(spool_of(pipeline))
        return folders[-1]

    monkeypatch.setattr(trips_transform, "spool_of", followed)
    days = ("2024-05-07", "2024-05-06")
    rides = [line(hour, day) for day in days for hour in range(6, 20)]
    for name, lines in (("a", rides), ("b", rides[::2]), ("c", [*rides[1:5], *rides[1:5]])):
        (tmp_path / f"{name}.csv").write_text("\n".join([PLAIN, *lines, ""]))
    paths = [tmp_path / f"{name}.csv" for name in "abc"]
    found = {}
    for name, options in (("one", []), (runner, RUNNERS[runner])):
        flows, counters = run_ingest(paths, tmp_path / name, GRID, options, max_reject_share=0.9)
        listed = rejects(tmp_path / name).sort_values(["file", "row"], ignore_index=True)
        found[name] = flows, counters, listed
    for one, other in zip(found["one"], found[runner]):
        assert one.equals(other) if hasattr(one, "equals") else one == other
    # `c` has four rides twice: they are two friends', of whom `a` has one, and `b` too, of every other ride.
    assert found["one"][1]["start_rejects"]["duplicate"] == 14 + 4
    assert [bool(folder) for folder in folders] == [True, runner != "portable"]
    assert not [folder for folder in folders if folder and os.path.exists(folder)]
