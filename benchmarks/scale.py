"""Growth with size: seconds and peak memory of each node over grids and days, and of an ingest over trips.

    python benchmarks/scale.py runs --grids 16 --grids 32 --grids 64 --days 100 --days 400 --days 800
    python benchmarks/scale.py trips --millions 1 --millions 10 --millions 50

`runs` writes flows drawn around rates by cell and hour as HDF5 (half-hourly, or --minutes) and runs the whole
pipeline on them, with one network and one short epoch: every grid with the middle number of days, and every number
of days with the middle grid. Processor seconds hold on a busy machine, too; the first node's include the start.
Memory is the peak resident size of the process tree while a node runs; `before` is that of the process after the
first node. `trips` runs `crowdflow ingest` of trips in the order of their starts and of trips in none; its memory
is what lies above the process before it. The exponents are slopes of logarithms between the smallest and the
largest. The last line is JSON.
"""

import json
import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import click

from ingest import measure, tree_mib

_CHILD = "--child"
NODE_LINE = re.compile(r"^  (\w+) +(done|failed|cached) +([\d.]+) s")
NETWORK = {"model.members": 1, "training.final_epochs": 1, "training.steps_per_epoch": 20}
TRIPS_GRID = {"rows": 100, "cols": 100}
TRIPS_DAYS = 31


def write_flows(path: Path, grid: int, days: int, minutes: int) -> None:
    """Writes flows by day: Poisson numbers around rates by cell, time of day and kind of day."""
    import h5py
    import numpy as np

    random = np.random.default_rng(1)
    per_day = 1440 // minutes
    rates = random.gamma(0.7, 12, (2, grid, grid)) * minutes / 30
    daily = 1 + np.sin(np.arange(per_day) / per_day * 2 * np.pi)
    first = np.datetime64("2024-04-01")
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", (days * per_day, 2, grid, grid), "float32")
        slots = []
        for day in range(days):
            week = 0.6 if np.is_busday(first + day) else 1.0
            flows = random.poisson(rates * daily[:, None, None, None] * week)
            data[day * per_day : (day + 1) * per_day] = flows
            date = str(first + day).replace("-", "")
            slots += [f"{date}{slot:02d}".encode() for slot in range(1, per_day + 1)]
        file["date"] = np.array(slots)


def run_pipeline(folder: Path, grid: int, days: int, minutes: int) -> dict[str, Any]:
    """One whole run: seconds and peak MiB by node, and the seconds of all but the trainings.

    Raises:
      click.ClickException: the run failed.
    """
    flows, root = folder / f"flows-{grid}-{days}-{minutes}.h5", folder / f"root-{grid}-{days}"
    write_flows(flows, grid, days, minutes)
    settings = {"grid.rows": grid, "grid.cols": grid, "intervals.minutes": minutes, **NETWORK}
    settings |= {"ingest.max_flow": 100_000, "evaluation.push_unblessed": True}
    config = folder / "scale.yaml"
    config.write_text("preset: scale\n")
    command = [sys.executable, "-m", "crowdflow.pipeline.cli", "run", "--config", str(config)]
    command += ["--data", str(flows), "--root", str(root)]
    for name, value in settings.items():
        command += ["--set", f"{name}={json.dumps(value)}"]
    peak, done, nodes, lines = [0.0], threading.Event(), {}, []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)

    def watch():
        while not done.wait(0.05):
            peak[0] = max(peak[0], tree_mib(process.pid))

    thread = threading.Thread(target=watch)
    thread.start()
    before = spent = 0.0
    for line in process.stdout:
        lines.append(line)
        if found := NODE_LINE.match(line):
            name, _, seconds = found.groups()
            earlier, spent = spent, processor_seconds(process.pid)
            nodes[name] = {"seconds": float(seconds), "processor": round(spent - earlier, 1)}
            nodes[name]["peak_mib"] = round(peak[0])
            before = before or tree_mib(process.pid)
            peak[0] = 0.0
    process.wait()
    done.set()
    thread.join()
    if process.returncode not in (0, 2):
        raise click.ClickException("".join(lines[-30:]))
    flows.unlink()
    others = [node for name, node in nodes.items() if name not in ("Trainer", "Refit")]
    return {
        "grid": grid,
        "days": days,
        "minutes": minutes,
        "before_mib": round(before),
        "nodes": nodes,
        "seconds_but_training": round(sum(node["seconds"] for node in others), 1),
        "processor_but_training": round(sum(node["processor"] for node in others), 1),
    }


def processor_seconds(pid: int) -> float:
    """Of a process and of the children that it has waited for."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def exponent(sizes: list[float], values: list[float]) -> float | None:
    """The slope of the logarithms between the first and the last size, or None for one size."""
    if len(set(sizes)) < 2 or min(values[0], values[-1]) <= 0:
        return None
    return round(math.log(values[-1] / values[0]) / math.log(sizes[-1] / sizes[0]), 2)


def growth(runs: list[dict[str, Any]], sizes: list[float]) -> dict[str, Any]:
    """Exponents of seconds and of memory above the idle process, by node, and of all but training."""
    found: dict[str, Any] = {
        "all_but_training": exponent(sizes, [run["seconds_but_training"] for run in runs])
    }
    for name in runs[0]["nodes"]:
        parts = [run["nodes"][name] for run in runs]
        memory = [part["peak_mib"] - run["before_mib"] for part, run in zip(parts, runs)]
        found[name] = {
            "seconds": exponent(sizes, [part["seconds"] for part in parts]),
            "memory": exponent(sizes, memory),
        }
    return found


def show(run: dict[str, Any]) -> None:
    """Prints one run as a table."""
    print(
        f"{run['grid']} x {run['grid']}, {run['days']} days of {run['minutes']} minutes: "
        f"{run['seconds_but_training']} s without training, of the processor "
        f"{run['processor_but_training']} s; {run['before_mib']} MiB before"
    )
    for name, node in run["nodes"].items():
        times = f"{node['seconds']:8.1f} s{node['processor']:8.1f} s"
        print(f"  {name:<17}{times}{node['peak_mib']:8,} MiB", flush=True)


def write_trips(path: Path, count: int, shuffled: bool) -> None:
    """Writes trips of a month as one CSV, a million at a time, in the order of their starts or in none."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    random = np.random.default_rng(2)
    writer = None
    first = np.datetime64("2024-04-01", "s")
    span = TRIPS_DAYS * 86_400
    for begin in range(0, count, step := 1_000_000):
        size = min(step, count - begin)
        low, high = (0, span) if shuffled else (begin / count * span, (begin + size) / count * span)
        starts = random.uniform(low, high, size)
        starts = starts if shuffled else np.sort(starts)
        times = [first + seconds.astype("timedelta64[s]") for seconds in (starts, starts + 600)]
        places = random.beta(2, 2, (4, size))
        columns = dict(zip(("start_time", "end_time"), map(pa.array, times)))
        for name, values, low, size_ in (
            ("start_lat", places[0], 40.6, 0.4),
            ("start_lon", places[1], -74.1, 0.4),
            ("end_lat", places[2], 40.6, 0.4),
            ("end_lon", places[3], -74.1, 0.4),
        ):
            columns[name] = pa.array(np.round(low + size_ * values, 6))
        table = pa.table(columns)
        writer = writer or pa_csv.CSVWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def child(text: str) -> None:
    """The measured ingest: prints its results as JSON."""
    file, out = json.loads(text)
    from crowdflow.config import Config
    from crowdflow.ingest import flow_table

    grid = {**TRIPS_GRID, "south": 40.6, "west": -74.1, "north": 41.0, "east": -73.7}
    sections = {"grid": grid, "intervals": {"minutes": 60}, "paths": {"data": [file]}}
    sections["trips"] = {"max_reject_share": 0.01}
    flow_table.log_to(lambda line: None)
    idle, started = tree_mib(os.getpid()), time.perf_counter()
    counters = flow_table.ingest(Config.from_dict(sections), Path(out), (), [], lambda line: None)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "idle_mib": idle, "trips": counters["trips_read"]}))


@click.group(help=__doc__.replace("\n\n", "\n\n\b\n"))
def main() -> None:
    """Measures and prints."""


@main.command()
@click.option("--grids", multiple=True, type=int, default=(16, 32, 64), show_default=True)
@click.option("--days", multiple=True, type=int, default=(100, 400, 800), show_default=True)
@click.option("--minutes", default=30, show_default=True)
def runs(grids: tuple[int, ...], days: tuple[int, ...], minutes: int) -> None:
    """Whole runs over grids, then over days."""
    middle = grids[len(grids) // 2], days[len(days) // 2]
    wanted = [(grid, middle[1]) for grid in grids]
    wanted += [(middle[0], count) for count in days if count != middle[1]]
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in wanted:
            results[size] = run_pipeline(Path(folder), *size, minutes)
            show(results[size])
    by_grid = [results[grid, middle[1]] for grid in grids]
    by_days = [results[middle[0], count] for count in days]
    summary = {
        "runs": list(results.values()),
        "over_cells": growth(by_grid, [grid**2 for grid in grids]),
        "over_days": growth(by_days, list(days)),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg(),
    }
    print(json.dumps(summary))


@main.command()
@click.option("--millions", multiple=True, type=int, default=(1, 10, 50), show_default=True)
def trips(millions: tuple[int, ...]) -> None:
    """Ingest of trips, sorted and shuffled."""
    results: dict[str, list[dict[str, Any]]] = {"sorted": [], "shuffled": []}
    with tempfile.TemporaryDirectory() as folder:
        for count in millions:
            for order, found in results.items():
                path = Path(folder, f"{order}.csv")
                write_trips(path, count * 1_000_000, order == "shuffled")
                text = json.dumps([str(path), str(Path(folder, "out"))])
                run = measure([sys.executable, __file__, _CHILD, text])
                run["growth_mib"] = run["peak_mib"] - run["idle_mib"]
                run["trips_per_second"] = run["trips"] / run["seconds"]
                found.append({name: round(value, 1) for name, value in run.items()})
                print(f"{count:>3} million trips, {order:<8} {found[-1]}", flush=True)
    summary: dict[str, Any] = {"trips": results, "over_trips": {}}
    for order, found in results.items():
        summary["over_trips"][order] = {
            name: exponent(list(millions), [run[name] for run in found])
            for name in ("seconds", "growth_mib")
        }
    print(json.dumps(summary | {"load_average": os.getloadavg()}))


if __name__ == "__main__":
    child(sys.argv[2]) if _CHILD in sys.argv[1:2] else main()
