"""Raw trips to flows by `crowdflow ingest`, and the same counted by pandas alone."""

import json

import numpy as np
import pandas as pd

from crowdflow.config import Config
from crowdflow.ingest.flow_table import ingest

KEYS = ["interval_start", "row", "col"]
COLUMNS = ["start_time", "end_time", "start_lat", "start_lon", "end_lat", "end_lon"]
PORTABLE = ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"]


def run_ingest(paths, out, grid, beam_args=(), **trips):
    """Runs an ingest. Returns the flows by interval and cell, and the counters."""
    values = {
        "intervals": {"timezone": "America/New_York"},
        "grid": grid,
        "trips": trips,
        "paths": {"data": [str(path) for path in paths]},
    }
    counters = ingest(Config.from_dict(values), out, (), beam_args, lambda line: None)
    assert counters == json.loads((out / "counters.json").read_text())
    require_conserved(counters)
    return pd.read_parquet(out / "flows.parquet"), counters


def require_conserved(counters):
    for side in ("start", "end"):
        rejected = sum(counters[f"{side}_rejects"].values())
        assert counters["trips_read"] == counters[f"{side}s_binned"] + rejected


def rejects(out) -> pd.DataFrame:
    return pd.read_csv(out / "rejects.csv")


def plain_count(trips, grid, minutes=60, max_hours=24):
    """Counts trips by (interval, cell) with a group-by; leaves out ends outside the span."""
    lasts = trips["end_time"] - trips["start_time"]
    covered = trips.loc[lasts >= pd.Timedelta(0), "start_time"].dt.floor(f"{minutes}min")
    months = covered.dt.strftime("%Y-%m").unique()
    counts = {}
    for side, channel in (("end", "inflow"), ("start", "outflow")):
        latitude, longitude = trips[f"{side}_lat"], trips[f"{side}_lon"]
        start = trips[f"{side}_time"].dt.floor(f"{minutes}min")
        good = (lasts >= pd.Timedelta(0)) & latitude.between(grid["south"], grid["north"])
        good &= longitude.between(grid["west"], grid["east"]) & ((latitude != 0) | (longitude != 0))
        if side == "end":
            good &= (lasts <= pd.Timedelta(hours=max_hours)) & start.between(
                covered.min(), covered.max()
            )
            good &= start.dt.strftime("%Y-%m").isin(months)
        edges = [np.linspace(grid[a], grid[b], grid[n] + 1) for a, b, n in
                 (("north", "south", "rows"), ("west", "east", "cols"))]  # fmt: skip
        row = np.digitize(-latitude[good], -edges[0]).clip(max=grid["rows"]) - 1
        col = np.digitize(longitude[good], edges[1]).clip(max=grid["cols"]) - 1
        keys = pd.DataFrame({"interval_start": start[good], "row": row, "col": col})
        counts[channel] = keys.groupby(KEYS).size()
    return pd.DataFrame(counts).fillna(0)


def require_equal(flows, expected):
    found = flows.set_index(KEYS)[["inflow", "outflow"]]
    found = found[found.any(axis=1)].sort_index()
    assert len(found) == len(expected)
    assert (found.index == expected.sort_index().index).all()
    np.testing.assert_array_equal(found, expected.sort_index()[["inflow", "outflow"]])
