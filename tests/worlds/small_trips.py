"""A few trips in files of any form, and the flows that they make."""

import numpy as np

from crowdflow.config import Config
from crowdflow.ingest.history import read_history
from crowdflow.schema import intervals

GRID = {"rows": 2, "cols": 2, "south": 40.0, "west": -75.0, "north": 42.0, "east": -73.0}
PLAIN = "start_time,end_time,start_lat,start_lon,end_lat,end_lon"
# The trips of `line`: from the north west to the south east, at `hour`:10 for 20 minutes.
START, END = ("41.5", "-74.5"), ("40.5", "-73.5")


def line(hour, day="2024-05-06", delimiter=","):
    times = (f"{day} {hour:02d}:10:00", f"{day} {hour:02d}:30:00")
    return delimiter.join((*times, *START, *END))


def flows(paths, zone="America/New_York", **trips):
    """The flows as {"2024-05-06 08:00": (outflow by cell, inflow by cell)}, without zeros, and the counters."""
    values = {
        "grid": GRID,
        "intervals": {"timezone": zone},
        "trips": trips,
        "windows": {"closeness": 1},
    }
    history = read_history([str(path) for path in paths], Config.from_dict(values))
    found = {}
    for start, map_ in zip(history.frames.starts, history.frames.maps):
        if map_.any():
            sides = (
                np.asarray(map_[..., channel]).astype(int).ravel().tolist() for channel in (1, 0)
            )
            found[intervals.format_start(start)] = tuple(sides)
    return found, history.counters


def expected(*hours, day="2024-05-06"):
    """The flows of `line`."""
    return {f"{day} {hour:02d}:00": ([1, 0, 0, 0], [0, 0, 0, 1]) for hour in hours}
