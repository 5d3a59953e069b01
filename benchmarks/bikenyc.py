"""BikeNYC by the paper's protocol: seeds of a preset, the search on validation parts, the paper's ablations.

    python benchmarks/bikenyc.py --data NYC14_M16x8_T60_NewEnd.h5                          three seeds of bikenyc
    python benchmarks/bikenyc.py --data NYC14_M16x8_T60_NewEnd.h5 --preset bikenyc-paper
    python benchmarks/bikenyc.py --data NYC14_M16x8_T60_NewEnd.h5 --search --seeds 1
    python benchmarks/bikenyc.py --data NYC14_M16x8_T60_NewEnd.h5 --ablations --jobs 2
    python benchmarks/bikenyc.py --data JC-2018*.zip JC-2019*.zip weather.csv --preset citibike-jc

Every run is a complete `crowdflow run` under --work. Its result is kept in --results, in a file named by the hash
of its data and of every setting that is not at its default. A run with a kept result is not repeated, and a killed
one resumes after its last epoch, so a table can be built over several days. A result of training code other than
today's is marked. With --jobs, runs go in parallel, each on its own processors.

The search never sees the test days: it gets files that end before them, and its runs are judged by the last two
weeks of each file, the validation parts. The first file ends where the test days begin, and each further one ends
two weeks earlier, because a single part misleads. Its rows are changes of bikenyc as it was before the search. A
setting is chosen if it is better on most parts, and on average by more than the seeds differ; only the chosen
settings are then run on the test days, once.
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
from _bikenyc_rows import (
    ABLATION_TRAINING,
    ABLATIONS,
    CANDIDATES,
    KEPT_DEFAULTS,
    SEARCH_START,
)
from _bikenyc_table import METRIC, table

from crowdflow.config import Config, presets

COMMAND = Path(sys.executable).with_name("crowdflow")
TEST_START = "20140921"
VALIDATION_DAYS = 14
RESULTS = Path(__file__).with_name("results") / "bikenyc"
# The code that a result depends on.
CODE_FILES = [
    "trainer/model.py",
    "trainer/layers.py",
    "trainer/training.py",
    "trainer/input_fn.py",
    "trainer/device.py",
]
CODE_FILES += ["trainer/preprocessing.py", "trainer/run_fn.py", "evaluation/flow_errors.py"]
CODE_FILES += ["flows/windows.py", "flows/naive.py", "flows/usual.py", "storage/map_store.py"]
CODE_FILES += ["components/window_gen/windows.py", "trainer/windows.py", "trainer/ensemble.py"]
CODE_FILES += ["trainer/loop/keras_fit.py", "trainer/loop/optimizer.py", "trainer/loop/orders.py"]
# Digest of earlier code -> today's, which gives the same digits (bikenyc, seed 1, was run with both).
EARLIER_DIGESTS = {"7cad34fac092": "89ca8b3a0905", "64c7faeb0b06": "8745ef2b5d51"}
EARLIER_DIGESTS |= dict.fromkeys(("563c42e5e08b", "8671b5f1eb91"), "108f8fb42c38")
# One run of a key at a time.
LOCKS: dict[str, threading.Lock] = collections.defaultdict(threading.Lock)


class _Statements(ast.NodeTransformer):
    """Removes docstrings and imports."""

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node


def code_digest() -> str:
    """Hash of the code that training depends on, without comments, docstrings, imports and layout."""
    root = Path(__file__).parent.parent
    trees = [_Statements().visit(ast.parse((root / name).read_text())) for name in CODE_FILES]
    return hashlib.sha256("".join(map(ast.dump, trees)).encode()).hexdigest()[:12]


def kept_settings(config: Config) -> dict[str, Any]:
    """The settings that are not at `KEPT_DEFAULTS`, by section, without the preset's name and the paths."""

    def changed(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
        nested = {k: changed(v, defaults[k]) for k, v in values.items() if isinstance(v, dict)}
        plain = {k: v for k, v in values.items() if k not in nested and v != defaults[k]}
        return plain | {k: v for k, v in nested.items() if v}

    defaults = Config().replace(dict(KEPT_DEFAULTS))
    if not config.windows.average:  # then it has no effect
        config = config.replace({"windows.average_decay": defaults.windows.average_decay})
    settings = changed(config.to_dict(), defaults.to_dict())
    return {name: settings[name] for name in settings if name not in ("preset", "paths")}


def run_key(config: Config, data: Sequence[Path]) -> str:
    """Names a run by its data and settings. A setting added later does not change it while at its default."""
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
    """One `crowdflow run`, or the kept result of an earlier one with the same settings and data.

    Args:
      name: of the row.
      preset: the preset that `settings` change.
      data: input files.
      settings: by dotted name.
      work: folder of all runs.
      results: folder of the kept results.
      processors: those that the run may use.

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
    kept = json.loads(result.read_text())
    code = EARLIER_DIGESTS.get(kept["code"], kept["code"])
    return kept | {"name": name, "data": data[0].name, "code": code}


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
    # The test days measure the approved model alone.
    command += ["--set", "evaluation.refit=false"]
    for name, value in settings.items():
        command += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    root.mkdir(parents=True, exist_ok=True)
    # So that parallel runs can share one GPU's memory.
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
    """A copy of the file that ends with a validation part: part 0 right before the test days, others earlier."""
    if len(data) != 1:
        raise SystemExit(f"--search: expected BikeNYC's single file. Received {len(data)} files.")
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


def run_all(runs: Sequence[functools.partial], jobs: int) -> list[dict[str, Any]]:
    """The rows of all runs; `jobs` run at a time, each on its own processors, and print their result."""
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
    """Runs the requested rows, prints their table and a last line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="the file, or another preset's files"
    )
    parser.add_argument("--preset", default="bikenyc", help="the preset to run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--search", action="store_true", help="run the candidates on validation parts"
    )
    parser.add_argument("--parts", type=int, default=3, help="validation parts of the search")
    parser.add_argument(
        "--ablations", action="store_true", help="run the paper's ablations, 12 epochs each"
    )
    parser.add_argument("--only", help="run only rows whose name contains this text")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of every run"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/bench-bikenyc"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--jobs", type=int, default=1, help="runs in parallel")
    given = parser.parse_args()
    shared = {k: json.loads(v) for k, _, v in (text.partition("=") for text in given.set)}
    files, preset, rows = [given.data], given.preset, {given.preset: {}}
    if given.search:
        if preset != "bikenyc":
            parser.error(f"--search: expected --preset bikenyc. Received --preset {preset}.")
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
    found = iter(run_all(runs, given.jobs))
    in_order = [[[next(found) for _ in given.seeds] for _ in files] for _ in rows]
    lines = table(in_order, code_digest())
    what = "search" if given.search else "ablations" if given.ablations else preset
    print(json.dumps({"benchmark": "bikenyc", "what": what, "metric": METRIC, "rows": lines}))


if __name__ == "__main__":
    main()
