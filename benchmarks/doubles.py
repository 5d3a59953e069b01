"""Rides that come again: the memory and the processor time that an ingest of trips takes to find them.

    python benchmarks/doubles.py --millions 10

Each form of the trips is read as `crowdflow ingest` reads it, and by the same code without the search, always in a
process of its own, on one worker:

- `ids`: trips with ids, in the order of their starts, as in benchmarks/ingest.py;
- `rows`: trips without ids, whose whole rows are compared, in the order of their starts;
- `shuffled`: the same in no order;
- `again`: trips with ids, the second half of which are the first half again, with another bike.

Memory is the peak resident size above the idle process, processor time excludes imports. The last line is JSON.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import scale

import ingest

_CHILD = "--child"
FORMS = ("ids", "rows", "shuffled", "again")


def write(form: str, folder: Path, trips: int) -> tuple[list[str], dict[str, Any]]:
    """Writes the trips of a form.

    Returns:
      The files and the grid.
    """
    if form in ("rows", "shuffled"):
        path = folder / f"{form}.csv"
        scale.write_trips(path, trips, form == "shuffled")
        box = {"south": 40.6, "west": -74.1, "north": 41.0, "east": -73.7}
        return [str(path)], {**scale.TRIPS_GRID, **box}
    files = ingest.write_trips(folder, trips // 2 if form == "again" else trips)
    if form == "again":
        for path in files[:]:
            files.append(path.replace("trips-", "again-"))
            text = Path(path).read_bytes().replace(b"classic_bike", b"electric_bike")
            Path(files[-1]).write_bytes(text)
    return files, {name: value for name, value in ingest.GRID.items() if name != "minutes"}


def child(text: str) -> None:
    """The measured ingest: prints its results as JSON."""
    files, grid, out, finds = json.loads(text)
    from crowdflow.config import Config
    from crowdflow.ingest import flow_table
    from crowdflow.ingest.trips import trip_counts

    if not finds:
        trip_counts.by_day = lambda *_: ()
    sections = {"grid": grid, "intervals": {"minutes": 60}, "paths": {"data": files}}
    sections["trips"] = {"max_reject_share": 1}
    flow_table.log_to(lambda line: None)
    idle, started = ingest.tree_mib(os.getpid()), time.process_time()
    counters = flow_table.ingest(Config.from_dict(sections), Path(out), (), [], lambda line: None)
    found = {
        "idle_mib": idle,
        "processor_seconds": time.process_time() - started,
        "trips": counters["trips_read"],
        "duplicates": counters["start_rejects"]["duplicate"],
    }
    print(json.dumps(found))


@click.command(help=__doc__.replace("\n\n", "\n\n\b\n"))
@click.option("--form", "forms", multiple=True, type=click.Choice(FORMS), default=FORMS)
@click.option("--millions", default=10, show_default=True, type=click.IntRange(1), help="Trips.")
@click.option(
    "--repeat",
    default=3,
    show_default=True,
    help="Runs of each; the highest memory and the least time count.",
)
def main(forms: tuple[str, ...], millions: int, repeat: int) -> None:
    """Measures and prints."""
    results: dict[str, dict[str, Any]] = {}
    for form in forms:
        with tempfile.TemporaryDirectory() as name:
            files, grid = write(form, Path(name), millions * 1_000_000)
            runs: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
            for finds in [True, False] * repeat:
                text = json.dumps([files, grid, str(Path(name, "out")), finds])
                runs[finds].append(ingest.measure([sys.executable, __file__, _CHILD, text]))
        memory, seconds = {}, {}
        for finds, found in runs.items():
            memory[finds] = max(run["peak_mib"] - run["idle_mib"] for run in found)
            seconds[finds] = min(run["processor_seconds"] for run in found)
        results[form] = {
            "duplicates": runs[True][0]["duplicates"],
            "mib": round(memory[True]),
            "mib_more": round(memory[True] - memory[False]),
            "processor_seconds": round(seconds[True], 2),
            "processor_seconds_more": round(seconds[True] - seconds[False], 2),
        }
        print(f"{millions:>3} million trips, {form:<8} {results[form]}", flush=True)
    print(json.dumps({"trips": millions * 1_000_000, "results": results}))


if __name__ == "__main__":
    child(sys.argv[2]) if _CHILD in sys.argv[1:2] else main()
