"""A simulated file of every system known by name goes in unaided, with the table of places as it is published."""

import re
from pathlib import Path

import pandas as pd
import pytest
from worlds import published
from worlds.published_systems import SYSTEMS

from crowdflow.config import Config
from crowdflow.ingest.history import read_history
from crowdflow.ingest.trips import trip_layouts
from crowdflow.schema.intervals import to_datetime64

CONFIG = Config.from_dict({"grid": published.BOX})


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_published_file_goes_in_unaided(tmp_path, name):
    paths = published.write(SYSTEMS[name], tmp_path)
    history = read_history(paths, CONFIG)
    frames = history.frames
    hours = to_datetime64(frames.starts)
    found = {
        (pd.Timestamp(hours[hour]), row, col, channel): frames.maps[hour, row, col, channel]
        for hour, row, col, channel in zip(*frames.maps.nonzero())
    }
    places, trips = published.simulate()
    assert found == published.expected(places, trips).to_dict()
    assert history.counters["unknown_places"] == {}
    assert history.counters["starts_binned"] == len(trips)


def test_the_contract_lists_every_layout_of_trips_by_place():
    text = (Path(__file__).parents[3] / "schema" / "README.md").read_text(encoding="utf-8")
    section = text.split("**Trips by place.**")[1].split("**Trips to flows.**")[0]
    listed = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted([*listed, "trips"]) == sorted(trip_layouts._KNOWN_BY_PLACE)
    found = set()
    for system in SYSTEMS.values():
        layout = trip_layouts.find_layout(list(system.columns), CONFIG)
        found |= {layout.name} if layout.by_place else set()
    assert found == set(listed)
