"""Ingesting trips: CrowdFlow against a single-thread pandas group-by and DuckDB, trips per second and memory.

    python benchmarks/ingest.py --trips 1000000 10000000

The trips are simulated, in the 13 columns of Citi Bike's newer files, with 500,000 per CSV file. All programs read
the same files and write the same table, which is checked. Every measurement runs in its own process. `ours` is
`crowdflow ingest` on one worker and on two (Beam's multi_processing mode). Trips per second beyond the fixed
start-up are, for every program, the additional trips of the larger size divided by the additional seconds; the
time for a file with a thousand trips is printed as well. Times exclude imports. The peers run in .venv-bench, made
from benchmarks/requirements.txt. Memory is the peak resident size of the whole process tree, minus that of the
same process after its imports. The last line is JSON.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import click
from _peers import PEERS, ROOT, make_peers

GRID = {"rows": 16, "cols": 16, "minutes": 60}
FILE_TRIPS, FILE_DAYS = 500_000, 28
_CHILD = "--child"


def write_trips(folder: Path, trips: int) -> list[str]:
    """Writes files of simulated trips; each further file is the first one, some weeks later."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    from crowdflow.simulation.city import CitySpec, simulate

    spec = CitySpec(rows=GRID["rows"], cols=GRID["cols"], days=FILE_DAYS, demand=9.0)
    GRID.update(south=spec.south, west=spec.west, north=spec.north, east=spec.east)
    table = simulate(spec).trips.iloc[:FILE_TRIPS]
    files = []
    for first in range(0, trips, FILE_TRIPS):
        part = table.iloc[: trips - first]
        count = len(part)
        later = np.timedelta64(first // FILE_TRIPS * FILE_DAYS, "D")
        ids = pa.array(np.arange(first, first + count)).cast(pa.string())
        times = [
            pa.array((part[name].to_numpy() + later).astype("datetime64[s]"))
            for name in ("start_time", "end_time")
        ]
        columns = {
            "ride_id": ids,
            "rideable_type": pa.array(["classic_bike"] * count),
            "started_at": times[0],
            "ended_at": times[1],
            "start_station_name": pa.array(["Grove St PATH"] * count),
            "start_station_id": pa.array(["JC005"] * count),
            "end_station_name": pa.array(["Newport Pkwy"] * count),
            "end_station_id": pa.array(["JC008"] * count),
            "start_lat": pa.array(part["start_lat"].to_numpy()),
            "start_lng": pa.array(part["start_lon"].to_numpy()),
            "end_lat": pa.array(part["end_lat"].to_numpy()),
            "end_lng": pa.array(part["end_lon"].to_numpy()),
            "member_casual": pa.array(["member"] * count),
        }
        path = folder / f"trips-{first // FILE_TRIPS:03d}.csv"
        pa_csv.write_csv(pa.table(columns), path)
        files.append(str(path))
    return files


def tree_mib(pid: int) -> float:
    """Resident MiB of a process and all its descendants."""
    total, todo = 0, [pid]
    while todo:
        one = todo.pop()
        try:
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except (OSError, ValueError):
            continue
        total += pages * os.sysconf("SC_PAGE_SIZE")
    return total / 2**20


def measure(command: list[str]) -> dict:
    """Runs a process; returns its last line's JSON, its peak tree size, its processor time (with imports)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    peak, done = [0.0], threading.Event()

    def watch():
        while not done.wait(0.05):
            peak[0] = max(peak[0], tree_mib(process.pid))

    thread = threading.Thread(target=watch)
    thread.start()
    output = process.communicate()[0]
    done.set()
    thread.join()
    if process.returncode:
        raise click.ClickException(f"{' '.join(command)[:300]} failed.\n{output}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {**json.loads(output.splitlines()[-1]), "peak_mib": peak[0], "cpu_seconds": cpu}


def ours(files: list[str], workers: int, out: Path) -> dict:
    """Seconds of an ingest without imports, and its memory above the idle process."""
    found = measure(
        [sys.executable, __file__, _CHILD, json.dumps([files, GRID, workers, str(out)])]
    )
    return {**found, "growth_mib": found["peak_mib"] - found["idle_mib"]}


def child(text: str) -> None:
    """The process that `ours` measures: prints its results as JSON."""
    files, grid, workers, out = json.loads(text)
    from crowdflow.config import Config
    from crowdflow.ingest import flow_table as ingest

    minutes = grid.pop("minutes")
    config = Config.from_dict(
        {"grid": grid, "intervals": {"minutes": minutes}, "paths": {"data": files}}
    )
    ingest.log_to(lambda line: None)
    multi = ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    idle = tree_mib(os.getpid())
    started = time.perf_counter()
    counters = ingest.ingest(config, Path(out), (), multi if workers > 1 else [], lambda line: None)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "idle_mib": idle, "trips": counters["trips_read"]}))


def peer(name: str, files: list[str], out: Path) -> dict:
    """Seconds of a peer without imports."""
    python = str(PEERS / "bin/python")
    script = str(Path(__file__).with_name("_ingest_peers.py"))
    return measure([python, script, name, json.dumps(GRID), json.dumps(files), str(out)])


def require_equal(mine: Path, other: Path) -> None:
    """Checks that a peer has the same flows within CrowdFlow's span; CrowdFlow rejects trip ends after it.

    Raises:
      click.ClickException: the flows differ.
    """
    import pandas as pd

    names = ["interval_start", "row", "col"]
    tables = []
    for path in (mine, other):
        table = pd.read_parquet(path)
        table["interval_start"] = table["interval_start"].astype("datetime64[ns]")
        tables.append(table.set_index(names)[["inflow", "outflow"]].astype("float64").sort_index())
    ours, theirs = tables
    theirs = theirs[theirs.index.get_level_values(0) <= ours.index.get_level_values(0).max()]
    ours = ours[ours.any(axis=1)]
    if not ours.equals(theirs):
        raise click.ClickException(
            f"{other}: expected the same flows as {mine}, {len(ours)} rows. Received {len(theirs)} rows."
        )


@click.command(help=__doc__.replace("\n\n", "\n\n\b\n"))
@click.option(
    "--trips",
    nargs=2,
    type=click.IntRange(1),
    default=(1_000_000, 10_000_000),
    show_default=True,
    help="The two sizes.",
)
@click.option("--repeat", default=3, show_default=True, help="Runs of each; the best one counts.")
@click.option(_CHILD, hidden=True)
def main(trips: tuple[int, int], repeat: int, child: str | None) -> None:
    """Measures and prints."""
    if child:
        return globals()["child"](child)
    make_peers()
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_trips(folder, max(trips))
        few = folder / "few.csv"
        with open(files[0], encoding="utf-8") as file:
            few.write_text("".join(next(file) for _ in range(1001)), encoding="utf-8")
        start_up = {}
        for workers in (1, 2):
            runs = [ours([str(few)], workers, folder / "few") for _ in range(repeat)]
            start_up[workers] = min(run["seconds"] for run in runs)
            print(f"ours, {workers} workers: start-up {start_up[workers]:.2f} s", flush=True)
        for count in trips:
            results[count] = one_size(files[: -(-count // FILE_TRIPS)], repeat, folder)
    large, small = results[max(trips)], results[min(trips)]
    rates = {}
    for name in large:
        seconds = large[name]["seconds"] - small[name]["seconds"]
        rates[name] = (max(trips) - min(trips)) / seconds if seconds > 0 else None
    growth = large["ours_1"]["growth_mib"] - small["ours_1"]["growth_mib"]
    summary = {
        "start_up_s": {f"ours_{workers}": round(s, 2) for workers, s in start_up.items()},
        "results": results,
        "trips_per_second_beyond_start_up": {n: rate and round(rate) for n, rate in rates.items()},
        "times_pandas": {
            n: round(rate / rates["pandas"], 2) if rate and rates["pandas"] else None
            for n, rate in rates.items()
        },
        "memory_growth_mib": round(growth, 1),
        "load_average": os.getloadavg(),
    }
    print(json.dumps(summary))


def one_size(files: list[str], repeat: int, folder: Path) -> dict:
    """The results of all programs on the same files."""
    found = {}
    mine, other = folder / "ours", folder / "peer.parquet"
    for workers in (1, 2):
        runs = [ours(files, workers, mine) for _ in range(repeat)]
        best = min(runs, key=lambda run: run["seconds"])
        found[f"ours_{workers}"] = {**best, "growth_mib": max(run["growth_mib"] for run in runs)}
        print_result(f"ours_{workers}", found[f"ours_{workers}"], best["trips"])
    for name in ("pandas", "duckdb1", "duckdb2"):
        found[name] = min(
            (peer(name, files, other) for _ in range(repeat)), key=lambda r: r["seconds"]
        )
        require_equal(mine / "flows.parquet", other)
        print_result(name, found[name], best["trips"])
    return found


def print_result(name: str, result: dict, trips: int) -> None:
    """Rounds and prints one result."""
    for key in result:
        result[key] = round(result[key], 2)
    print(f"{trips:>12,} trips  {name:<8} {result}", flush=True)


if __name__ == "__main__":
    main()
