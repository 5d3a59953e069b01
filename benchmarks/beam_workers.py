"""Ingest and windows on Beam: seconds with two workers (Beam's multi_processing mode) and with one.

    python benchmarks/beam_workers.py --trips 4000000

The trips are simulated, as in benchmarks/ingest.py, with 500,000 per CSV file, on a grid of 16 x 16 cells. Each
measurement runs in its own process, excludes imports and is the best of `--repeat`: files to frames, then frames
to windows (closeness 3, period 1, trend 1), each a Beam pipeline that writes TFRecords. The records must be the
same. `start_up` is the same for one file with a thousand trips per week: the fixed cost of a second worker.
`speed_up` is one worker's seconds divided by two workers' seconds; `speed_up_beyond_start_up` subtracts the
start-up from both.
The load of the machine is printed, because two workers need two free cores. The last line is JSON.
"""

import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import click

from ingest import FILE_TRIPS, GRID, measure, write_trips

_CHILD = "--child"
_STEPS = ("ingest", "windows")
_SMALL = 4_000
SETTINGS = {"windows": {"closeness": 3, "period": 1, "trend": 1}, "split": {"test_days": 3}}


def child(text: str) -> None:
    """The measured process: prints seconds by step and a digest of the sorted records."""
    import apache_beam as beam
    import tensorflow as tf
    from apache_beam.options.pipeline_options import PipelineOptions

    from crowdflow.components.flow_example_gen.transform import FlowsToExamples
    from crowdflow.components.window_gen.transform import FramesToWindows
    from crowdflow.config import Config
    from crowdflow.flows.windows import SPLITS
    from crowdflow.ingest.sources import inspect_sources

    files, grid, workers, out = json.loads(text)
    minutes = grid.pop("minutes")
    config = Config.from_dict({"grid": grid, "intervals": {"minutes": minutes}, **SETTINGS})
    multi = ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    options = PipelineOptions(multi if workers > 1 else [])
    seconds, started = {}, time.perf_counter()
    with beam.Pipeline(options=options) as pipeline:
        ingest = FlowsToExamples(inspect_sources(files, config), config, f"{out}/tally")
        pipeline | ingest | beam.io.WriteToTFRecord(f"{out}/frames")
    seconds["ingest"] = time.perf_counter() - started
    started = time.perf_counter()
    with beam.Pipeline(options=options) as pipeline:
        frames = pipeline | beam.io.ReadFromTFRecord(f"{out}/frames*")
        windows = frames | FramesToWindows(config, [], f"{out}/maps", SPLITS)
        for split in SPLITS:
            windows[split] | split >> beam.io.WriteToTFRecord(f"{out}/{split}")
    seconds["windows"] = time.perf_counter() - started
    digest, counts = hashlib.sha256(), {}
    for name in ("frames", *SPLITS):
        found = tf.data.TFRecordDataset(tf.io.gfile.glob(f"{out}/{name}*"))
        hashes = sorted(hashlib.sha256(record).digest() for record in found.as_numpy_iterator())
        counts[name] = len(hashes)
        digest.update(b"".join(hashes))
    print(json.dumps({**seconds, "counts": counts, "digest": digest.hexdigest()}))


def best(files: list[str], workers: int, repeat: int) -> dict:
    """The best run's seconds by step; all runs must give the same records.

    Raises:
      click.ClickException: they do not.
    """
    runs = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as out:
            text = json.dumps([files, GRID, workers, out])
            runs.append(measure([sys.executable, __file__, _CHILD, text]))
    if len({run["digest"] for run in runs}) > 1:
        raise click.ClickException(f"{workers} workers: expected the same records each time.")
    return min(runs, key=total)


def total(run: dict) -> float:
    """Seconds of both steps."""
    return sum(run[step] for step in _STEPS)


@click.command()
@click.option("--trips", default=4_000_000, show_default=True, type=click.IntRange(FILE_TRIPS))
@click.option("--repeat", default=3, show_default=True, type=click.IntRange(1))
def main(trips: int, repeat: int) -> None:
    """Prints the speed-up of two workers."""
    with tempfile.TemporaryDirectory() as folder:
        large = write_trips(Path(folder), trips)
        path = Path(folder, "small", "trips.csv")
        path.parent.mkdir()
        lines = Path(large[0]).read_text().splitlines(keepends=True)
        step = (len(lines) - 1) // _SMALL
        path.write_text("".join([lines[0], *lines[1::step]]))
        results = {}
        for name, files in (("start_up", [str(path)]), ("data", large)):
            for workers in (1, 2):
                found = results[f"{name}_{workers}"] = best(files, workers, repeat)
                times = ", ".join(f"{step} {found[step]:.1f} s" for step in _STEPS)
                print(f"{name:<9} {workers} worker{'s' * (workers > 1):<2} {times}", flush=True)
            if results[f"{name}_1"]["digest"] != results[f"{name}_2"]["digest"]:
                raise click.ClickException(f"{name}: expected the same frames and windows.")
    one, two = (total(results[f"data_{n}"]) for n in (1, 2))
    beyond = [total(results[f"data_{n}"]) - total(results[f"start_up_{n}"]) for n in (1, 2)]
    print(
        json.dumps(
            {
                "trips": trips,
                "counts": results["data_1"]["counts"],
                "seconds": {
                    name: {step: round(run[step], 2) for step in _STEPS}
                    for name, run in results.items()
                },
                "speed_up": round(one / two, 2),
                "speed_up_by_step": {
                    step: round(results["data_1"][step] / results["data_2"][step], 2)
                    for step in _STEPS
                },
                "speed_up_beyond_start_up": round(beyond[0] / beyond[1], 2)
                if beyond[1] > 0
                else None,
                "cores": len(os.sched_getaffinity(0)),
                "load_average": os.getloadavg(),
            }
        )
    )


if __name__ == "__main__":
    child(sys.argv[2]) if _CHILD in sys.argv[1:2] else main()
