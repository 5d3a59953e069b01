"""BikeNYC by the paper's protocol: seeds of a preset, the search on validation parts, the paper's ablations.

    python benchmarks/bikenyc.py --data NYC14_M16x8_T60_NewEnd.h5                          three seeds of bikenyc
    python benchmarks/bikenyc.py --data NYC14_M16x8_T60_NewEnd.h5 --preset bikenyc-paper
    python benchmarks/bikenyc.py --data NYC14_M16x8_T60_NewEnd.h5 --search --seeds 1
    python benchmarks/bikenyc.py --data NYC14_M16x8_T60_NewEnd.h5 --ablations --jobs 2
    python benchmarks/bikenyc.py --data JC-2018*.zip JC-2019*.zip weather.csv --preset citibike-jc

Every run is a whole `crowdflow run` under --work; what came out of it is kept in --results, in a file named by the
hash of its data and of every setting that is not at its default. A run whose result is there is not run again, one
that was killed goes on after its last epoch, so a table can be built over days. A result of other training code
than today's is marked. With --jobs, runs go side by side, each on processors of its own: more of them an hour.

The search never sees the test days: it gets files that end before them, and its runs are judged by the last two
weeks of each file, the validation parts. The first file ends where the test days begin, every further one two
weeks earlier: one part alone misleads. Its rows are changes of bikenyc as it was before them. A setting is chosen
where it is better on most of the parts, and on average by more than seeds differ; the test days are looked at
once, with what was chosen.
"""

import argparse
import ast
import collections
import concurrent.futures
import datetime as dt
import functools
import hashlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
from _bikenyc_table import METRIC, table

from crowdflow.config import Config, presets

COMMAND = Path(sys.executable).with_name("crowdflow")
TEST_START = "20140921"
VALIDATION_DAYS = 14
RESULTS = Path(__file__).with_name("results") / "bikenyc"
# What a result depends on, settings and data apart.
CODE_FILES = ["trainer/model.py", "trainer/training.py", "trainer/input_fn.py", "trainer/device.py"]
CODE_FILES += ["trainer/preprocessing.py", "trainer/run_fn.py", "evaluation/flow_errors.py"]
CODE_FILES += ["flows/windows.py", "flows/naive.py", "components/window_gen/transform.py"]
# One run a key at a time.
LOCKS: dict[str, threading.Lock] = collections.defaultdict(threading.Lock)

# Where the search began: what it has given the preset since is taken back, and every row is one network.
SEARCH_START: Mapping[str, Any] = {
    "transform.holiday_country": None,
    "transform.holiday_subdivision": None,
    "model.batch_norm": True,
    "model.members": 1,
}
HOLIDAYS = {"transform.holiday_country": "US", "transform.holiday_subdivision": "NY"}
BOTH = {**HOLIDAYS, "model.batch_norm": False}
# What the search tries: single changes of its start, with one network; then what these left open.
CANDIDATES: Mapping[str, Mapping[str, Any]] = {
    "where it began": {},
    "batch 64, twice the rate": {
        "training.batch_size": 64,
        "training.final_learning_rate": 1e-2,
    },
    "half the rate": {"training.final_learning_rate": 2.5e-3},
    "45 epochs": {"training.final_epochs": 45},
    "no local component": {"model.local": False},
    "no average": {"windows.average": 0},
    "holidays": HOLIDAYS,
    "no batch normalisation": {"model.batch_norm": False},
    "hours not by type of day": {
        "transform.time_of_day": True,
        "transform.time_of_day_type": False,
    },
    "closeness 6, period 3": {"windows.closeness": 6, "windows.period": 3},
    "4 residual units": {"model.residual_units": 4},
    "average of 2 weeks": {"windows.average": 2},
    "trend 2": {"windows.trend": 2},
    "batch 32": {"training.batch_size": 32},
    "64 filters": {"model.filters": 64},
    "holidays, no batch normalisation": BOTH,
    "these and 45 epochs": {**BOTH, "training.final_epochs": 45},
    "these and four networks": {**BOTH, "model.members": 4},
}

# The paper's ablations (its table 3 and figure 7), each a change of the authors' settings. Twenty-four of the
# authors' own trainings would take a day of two processors, so theirs is cut short unless --set says otherwise, to
# a fifth of their steps. At the rate 1e-3 the first seed's loss stood still from the second epoch on.
ABLATION_TRAINING = {
    "training.epochs": 0,
    "training.final_epochs": 12,
    "training.batch_size": 16,
    "training.final_learning_rate": 2e-4,
    "training.schedule": "cosine",
    "training.precision": "auto",
}
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "L4, the authors' network": {},
    "no external": {"model.external": False},
    "no fusion (a plain sum)": {"model.fusion": "sum"},
    "batch normalisation": {"model.batch_norm": True},
    "L2": {"model.residual_units": 2},
    "L6": {"model.residual_units": 6},
    "closeness alone": {"windows.period": 0, "windows.trend": 0},
    "closeness and period": {"windows.trend": 0},
}


def code_digest() -> str:
    """Hash of the code that training depends on, comments and layout apart."""
    root = Path(__file__).parent.parent
    trees = [ast.dump(ast.parse((root / name).read_text())) for name in CODE_FILES]
    return hashlib.sha256("".join(trees).encode()).hexdigest()[:12]


def kept_settings(config: Config) -> dict[str, Any]:
    """The settings that are not at their defaults, by section, apart from names and paths."""

    def changed(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
        nested = {k: changed(v, defaults[k]) for k, v in values.items() if isinstance(v, dict)}
        plain = {k: v for k, v in values.items() if k not in nested and v != defaults[k]}
        return plain | {k: v for k, v in nested.items() if v}

    settings = changed(config.to_dict(), Config().to_dict())
    return {name: value for name, value in settings.items() if name not in ("preset", "paths")}


def run_key(config: Config, data: Sequence[Path]) -> str:
    """Names a run by its data and its settings; a setting that is added later, at its default, changes nothing."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in data))
    digest.update(json.dumps(kept_settings(config), sort_keys=True).encode())
    return digest.hexdigest()[:12]


def run_once(
    name: str,
    preset: str,
    data: Sequence[Path],
    settings: Mapping[str, Any],
    work: Path,
    results: Path,
    processors: Sequence[int],
) -> dict[str, Any]:
    """One `crowdflow run`, or what an earlier one of the same settings and data left.

    Args:
      name: of the row.
      preset: where the settings start.
      data: input files.
      settings: by dotted name.
      work: folder of all runs.
      results: folder of what came out.
      processors: what the run may use.

    Returns:
      The row: the metrics of the model and of the naive forecasts, epochs, seconds and settings.
    """
    config = presets.load(preset).replace(dict(settings))
    key = run_key(config, data)
    result = results / f"{key}.json"
    with LOCKS[key]:
        if not result.is_file():
            code = code_digest()
            found = _run(preset, data, settings, work / key, processors)
            row = {
                "name": name,
                "preset": preset,
                "settings": dict(settings),
                "configuration": kept_settings(config),
                **found,
                "code": code,
            }
            results.mkdir(parents=True, exist_ok=True)
            result.write_text(json.dumps(row, indent=2) + "\n")
    return json.loads(result.read_text()) | {"name": name, "data": data[0].name}


def _run(
    preset: str,
    data: Sequence[Path],
    settings: Mapping[str, Any],
    root: Path,
    processors: Sequence[int],
) -> dict[str, Any]:
    command = ["taskset", "--cpu-list", ",".join(map(str, processors))]
    command += [str(COMMAND), "run", "--preset", preset, "--root", str(root)]
    command += [f"--data={path}" for path in data]
    for name, value in settings.items():
        command += ["--set", f"{name}={json.dumps(value)}"]
    root.mkdir(parents=True, exist_ok=True)
    # Side by side on one GPU, none takes all of its memory.
    environment = {**os.environ, "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    with (root / "output.txt").open("a") as output:
        code = subprocess.run(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT
        ).returncode
    if code not in (0, 2):
        raise SystemExit(f"The run failed, see {root / 'output.txt'}")
    summary = json.loads((root / "summary.json").read_text())
    histories = root.glob("artifacts/Trainer/model_run/*/history.json")
    account = json.loads(max(histories, key=lambda path: int(path.parent.name)).read_text())
    epochs = account["history"]
    return {
        "metrics": {source: values for source, values in summary["metrics"].items() if values},
        "windows": summary["windows"],
        "epochs": [sum(e["phase"] == phase for e in epochs) for phase in (1, 2)],
        "parameters": account["parameters"],
        "eval_rmse": account["eval_rmse"],
        "device": f"{account['device']}, {account['precision']}, batches of {account['batch_size']}",
        "train_seconds": round(sum(e["seconds"] for e in epochs), 1),
        "blessed": summary["blessed"],
    }


def before_test(data: Sequence[Path], work: Path, part: int) -> Path:
    """A copy of the file that ends with a validation part: part 0 where the test days begin, others earlier."""
    if len(data) != 1:
        raise SystemExit(f"--search takes BikeNYC's one file. Received {len(data)} files.")
    end = dt.datetime.strptime(TEST_START, "%Y%m%d") - dt.timedelta(part * VALIDATION_DAYS)
    source = hashlib.sha256(data[0].read_bytes()).hexdigest()[:12]
    out = work / f"{source}_before_{end:%Y%m%d}.h5"
    if not out.exists():
        work.mkdir(parents=True, exist_ok=True)
        with h5py.File(data[0]) as whole:
            dates, maps = whole["date"][:], whole["data"][:]
        kept = dates < end.strftime("%Y%m%d01").encode()
        partial = out.with_suffix(".partial")
        with h5py.File(partial, "w") as copy:
            copy["date"], copy["data"] = dates[kept], maps[kept]
        partial.replace(out)
    return out


def side_by_side(runs: Sequence[functools.partial], jobs: int) -> list[dict[str, Any]]:
    """The rows of all runs, so many at a time on processors of their own, each told as it comes."""
    processors = sorted(os.sched_getaffinity(0))
    jobs = min(jobs, len(processors))
    free: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
    for job in range(jobs):
        free.put(processors[job::jobs])

    def one(run: functools.partial) -> dict[str, Any]:
        mine = free.get()
        try:
            row = run(processors=mine)
        finally:
            free.put(mine)
        value, seed = row["metrics"]["model"][METRIC], row["settings"]["seed"]
        print(
            f"{row['name']}, {row['data']}, seed {seed}: {value:.3f}, epochs {row['epochs']}",
            flush=True,
        )
        return row

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        try:
            return list(pool.map(one, runs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def main() -> None:
    """Runs what is asked for, prints its table, and a last line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="the file, or those of another preset"
    )
    parser.add_argument("--preset", default="bikenyc", help="whose seeds are run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--search", action="store_true", help="candidates, on validation parts")
    parser.add_argument("--parts", type=int, default=3, help="validation parts of the search")
    parser.add_argument(
        "--ablations", action="store_true", help="of the authors' settings, 12 epochs"
    )
    parser.add_argument("--only", help="the rows whose name contains this")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="for every run"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/bench-bikenyc"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--jobs", type=int, default=1, help="so many runs at a time")
    given = parser.parse_args()
    shared = {k: json.loads(v) for k, _, v in (text.partition("=") for text in given.set)}
    files, preset, rows = [given.data], given.preset, {given.preset: {}}
    if given.search:
        if preset != "bikenyc":
            parser.error(f"--search is of bikenyc's settings. Received --preset {preset}.")
        files = [[before_test(given.data, given.work, part)] for part in range(given.parts)]
        rows = dict(CANDIDATES)
        shared = {"split.test_days": VALIDATION_DAYS, **SEARCH_START, **shared}
    elif given.ablations:
        preset, rows = "bikenyc-paper", dict(ABLATIONS)
        shared = {**ABLATION_TRAINING, **shared}
    rows = {name: s for name, s in rows.items() if not given.only or given.only in name}
    runs = [
        functools.partial(
            run_once, name, preset, data, {**shared, **one, "seed": seed}, given.work, given.results
        )
        for name, one in rows.items()
        for data in files
        for seed in given.seeds
    ]
    found = iter(side_by_side(runs, given.jobs))
    in_order = [[[next(found) for _ in given.seeds] for _ in files] for _ in rows]
    lines = table(in_order, code_digest())
    what = "search" if given.search else "ablations" if given.ablations else preset
    print(json.dumps({"benchmark": "bikenyc", "what": what, "metric": METRIC, "rows": lines}))


if __name__ == "__main__":
    main()
