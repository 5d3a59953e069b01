"""BikeNYC by the paper's protocol: seeds of a preset, the search on the validation part, the paper's ablations.

    python benchmarks/bikenyc.py --data NYC14_M16x8_T60_NewEnd.h5                          three seeds of bikenyc
    python benchmarks/bikenyc.py --data NYC14_M16x8_T60_NewEnd.h5 --preset bikenyc-paper
    python benchmarks/bikenyc.py --data NYC14_M16x8_T60_NewEnd.h5 --search
    python benchmarks/bikenyc.py --data NYC14_M16x8_T60_NewEnd.h5 --ablations

Every run is a whole `crowdflow run` under --work, in a folder named by the hash of its settings and data: a run
that is there already is not run again, one that was killed goes on after its last epoch, so a table can be built
over days.

The search never sees the test days: it gets a file that ends before them. The last two weeks of that file, the
validation part, are what its runs are judged by; early stopping has the tenth before.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

COMMAND = Path(sys.executable).with_name("crowdflow")
TEST_START = b"2014092101"
VALIDATION_DAYS = 14
METRIC = "rmse_active_cells"

# What the search tries, each a change of the preset. What pays goes into the preset.
CANDIDATES: Mapping[str, Mapping[str, Any]] = {
    "as it is": {},
    "closeness 3, period 1, trend 1": {
        "windows.closeness": 3,
        "windows.period": 1,
        "windows.trend": 1,
    },
    "closeness 6, period 2, trend 2": {"windows.closeness": 6},
    "period 4, trend 4": {"windows.period": 4, "windows.trend": 4},
    "no batch normalisation": {"model.batch_norm": False},
    "tanh": {"model.head": "tanh"},
    "fusion from U[0, 1)": {"model.fusion_init": "uniform"},
    "no hour of the day": {"transform.time_of_day": False},
    "holidays": {"transform.holiday_country": "US", "transform.holiday_subdivision": "NY"},
    "2 residual units": {"model.residual_units": 2},
    "6 residual units": {"model.residual_units": 6},
    "32 filters": {"model.filters": 32},
    "batch 64": {"training.batch_size": 64},
    "rate 1e-3": {"training.learning_rate": 1e-3, "training.final_learning_rate": 5e-4},
    "rate 3e-4": {"training.learning_rate": 3e-4, "training.final_learning_rate": 1.5e-4},
}

# The paper's ablations (its table 3 and figure 7), each a change of the authors' settings.
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "L4, as the authors": {},
    "no external": {"model.external": False},
    "no fusion (a plain sum)": {"model.fusion": "sum"},
    "batch normalisation": {"model.batch_norm": True},
    "L2": {"model.residual_units": 2},
    "L6": {"model.residual_units": 6},
    "closeness alone": {"windows.period": 0, "windows.trend": 0},
    "closeness and period": {"windows.trend": 0},
}


def run_once(
    name: str, preset: str, data: Path, settings: Mapping[str, Any], work: Path
) -> dict[str, Any]:
    """One `crowdflow run`, or what an earlier one of the same settings and data left.

    Args:
      name: of the row.
      preset: where the settings start.
      data: HDF5 file of BikeNYC's form.
      settings: by dotted name.
      work: folder of all runs.

    Returns:
      The row: the metrics of the model and of the naive forecasts, epochs, seconds and settings.
    """
    digest = hashlib.sha256(data.read_bytes())
    digest.update(json.dumps([preset, settings], sort_keys=True).encode())
    root = work / digest.hexdigest()[:12]
    result = root / "result.json"
    if result.is_file():
        return json.loads(result.read_text()) | {"name": name}
    command = [str(COMMAND), "run", "--preset", preset, "--data", str(data), "--root", str(root)]
    for key, value in settings.items():
        command += ["--set", f"{key}={json.dumps(value)}"]
    root.mkdir(parents=True, exist_ok=True)
    with (root / "output.txt").open("a") as output:
        code = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT).returncode
    if code not in (0, 2):
        raise SystemExit(f"{name}: the run failed, see {root / 'output.txt'}")
    summary = json.loads((root / "summary.json").read_text())
    [history] = sorted(root.glob("artifacts/Trainer/model_run/*/history.json"))[-1:]
    epochs = json.loads(history.read_text())["history"]
    row = {
        "name": name,
        "preset": preset,
        "settings": dict(settings),
        "metrics": {source: values for source, values in summary["metrics"].items() if values},
        "windows": summary["windows"],
        "epochs": [sum(e["phase"] == phase for e in epochs) for phase in (1, 2)],
        "train_seconds": round(sum(e["seconds"] for e in epochs), 1),
        "blessed": summary["blessed"],
    }
    result.write_text(json.dumps(row, indent=2))
    return row


def before_test(data: Path, work: Path) -> Path:
    """A copy of the file that ends where the test days begin."""
    out = work / "before_test.h5"
    work.mkdir(parents=True, exist_ok=True)
    with h5py.File(data) as source:
        dates, maps = source["date"][:], source["data"][:]
    kept = dates < TEST_START
    if not out.exists():
        with h5py.File(out, "w") as copy:
            copy["date"], copy["data"] = dates[kept], maps[kept]
    return out


def table(rows: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Prints a line a setting, mean and spread over its seeds, best first; returns them."""
    lines = []
    for runs in rows:
        found = np.array([run["metrics"]["model"][METRIC] for run in runs])
        lines.append(
            {
                "name": runs[0]["name"],
                "mean": round(float(found.mean()), 3),
                "std": round(float(found.std(ddof=1)), 3) if len(found) > 1 else None,
                "seeds": [round(value, 3) for value in found.tolist()],
                "epochs": [run["epochs"] for run in runs],
                "minutes": round(sum(run["train_seconds"] for run in runs) / 60 / len(runs), 1),
            }
        )
    naive = rows[0][0]["metrics"]["historical_average"][METRIC]
    print(f"\n{METRIC}; historical average {naive:.3f}")
    for line in sorted(lines, key=lambda found: found["mean"]):
        spread = f" +- {line['std']:.3f}" if line["std"] is not None else ""
        print(
            f"{line['name']:<32} {line['mean']:.3f}{spread:<9} seeds {line['seeds']}, epochs "
            f"{line['epochs']}, {line['minutes']} min a run"
        )
    return lines


def with_seeds(
    name: str,
    preset: str,
    data: Path,
    settings: Mapping[str, Any],
    seeds: Iterable[int],
    work: Path,
) -> list[dict[str, Any]]:
    """The runs of a setting, told as they come."""
    rows = []
    for seed in seeds:
        row = run_once(name, preset, data, {**settings, "seed": seed}, work)
        value = row["metrics"]["model"][METRIC]
        print(f"{name}, seed {seed}: {value:.3f}, epochs {row['epochs']}", flush=True)
        rows.append(row)
    return rows


def main() -> None:
    """Runs what is asked for, prints its table, and a last line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="NYC14_M16x8_T60_NewEnd.h5")
    parser.add_argument("--preset", default="bikenyc", help="whose seeds are run")
    parser.add_argument("--seeds", type=int, default=3, help="1 .. N")
    parser.add_argument("--search", action="store_true", help="candidates, on the validation part")
    parser.add_argument("--ablations", action="store_true", help="of the authors' settings")
    parser.add_argument("--only", help="the rows whose name contains this")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="for every run"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/bench-bikenyc"))
    given = parser.parse_args()
    shared = {k: json.loads(v) for k, _, v in (text.partition("=") for text in given.set)}
    data, preset, rows = given.data, given.preset, {given.preset: {}}
    if given.search:
        data, rows = before_test(given.data, given.work), dict(CANDIDATES)
        shared = {"split.test_days": VALIDATION_DAYS, **shared}
    elif given.ablations:
        preset, rows = "bikenyc-paper", dict(ABLATIONS)
    rows = {name: s for name, s in rows.items() if not given.only or given.only in name}
    found = [
        with_seeds(
            name, preset, data, {**settings, **shared}, range(1, given.seeds + 1), given.work
        )
        for name, settings in rows.items()
    ]
    lines = table(found)
    what = "search" if given.search else "ablations" if given.ablations else preset
    print(json.dumps({"benchmark": "bikenyc", "what": what, "metric": METRIC, "rows": lines}))


if __name__ == "__main__":
    main()
