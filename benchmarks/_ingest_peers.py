"""The peers of ingest.py, run with .venv-bench; arguments: peer, settings as JSON, files as JSON, output."""

import json
import sys
import time

COLUMNS = ["started_at", "ended_at", "start_lat", "start_lng", "end_lat", "end_lng"]


def with_pandas(files: list[str], grid: dict, out: str) -> None:
    """One thread: reads, bins and groups one file at a time, and adds up the groups."""
    import numpy as np
    import pandas as pd

    def flows(trips, time_column, latitude, longitude):
        down = (grid["north"] - trips[latitude]) / (grid["north"] - grid["south"]) * grid["rows"]
        right = (trips[longitude] - grid["west"]) / (grid["east"] - grid["west"]) * grid["cols"]
        keys = [
            trips[time_column].dt.floor(f"{grid['minutes']}min").rename("interval_start"),
            np.floor(down).astype("int32").rename("row"),
            np.floor(right).astype("int32").rename("col"),
        ]
        return trips.groupby(keys).size()

    total = None
    for file in files:
        trips = pd.read_csv(file, usecols=COLUMNS, parse_dates=COLUMNS[:2])
        found = pd.DataFrame(
            {
                "inflow": flows(trips, "ended_at", "end_lat", "end_lng"),
                "outflow": flows(trips, "started_at", "start_lat", "start_lng"),
            }
        ).fillna(0)
        total = found if total is None else total.add(found, fill_value=0)
    total.reset_index().to_parquet(out, index=False)


def with_duckdb(files: list[str], grid: dict, out: str, threads: int) -> None:
    """One query over all files."""
    import duckdb

    def side(time_column, latitude, longitude, inflow, outflow):
        return f"""
          select time_bucket(interval '{grid["minutes"]} minutes', {time_column}) as interval_start,
            cast(floor(({grid["north"]} - {latitude}) / ({grid["north"]} - {grid["south"]})
              * {grid["rows"]}) as integer) as "row",
            cast(floor(({longitude} - {grid["west"]}) / ({grid["east"]} - {grid["west"]})
              * {grid["cols"]}) as integer) as "col",
            {inflow} as inflow, {outflow} as outflow from trips"""

    connection = duckdb.connect()
    connection.execute(f"set threads = {threads}")
    names = ", ".join(f"'{file}'" for file in files)
    ends = side("ended_at", "end_lat", "end_lng", 1, 0)
    starts = side("started_at", "start_lat", "start_lng", 0, 1)
    connection.execute(f"""
      copy (
        with trips as (select {", ".join(COLUMNS)} from read_csv([{names}]))
        select interval_start, "row", "col", sum(inflow) as inflow, sum(outflow) as outflow
        from ({ends} union all {starts}) group by all
      ) to '{out}' (format parquet)""")


def main() -> None:
    """Prints the seconds, without imports."""
    peer, grid, files, out = (
        sys.argv[1],
        json.loads(sys.argv[2]),
        json.loads(sys.argv[3]),
        sys.argv[4],
    )
    import duckdb  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    started = time.perf_counter()
    if peer == "pandas":
        with_pandas(files, grid, out)
    else:
        with_duckdb(files, grid, out, int(peer.removeprefix("duckdb")))
    print(json.dumps({"seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
