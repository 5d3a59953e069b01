"""CrowdFlow against LightGBM on the same days and cells: RMSE and MAE of every city that is given.

    python benchmarks/accuracy.py --city bikenyc NYC14_M16x8_T60_NewEnd.h5 \
        --city citibike-jc 'JC-2018*.zip' 'JC-2019*.zip' weather.csv --city data y2010.zip

A city is a preset, or `data` for the settings that `crowdflow run --data` proposes, and its files. CrowdFlow is a
complete `crowdflow run`. LightGBM (squared error, 127 leaves, rate 0.05, rounds by early stopping on the last
tenth of the training windows, then trained on all of them; one model for each direction) has 61 plain features of
a cell, made from the same frames: lags, means, the neighbours' and the city's totals, calendar and place. Both
forecast the run's test windows, one step ahead, on two processors in some minutes a city. The last line is JSON.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _peers import make_peers

from crowdflow.config import Config
from crowdflow.flows.frames import FrameBlock
from crowdflow.flows.holiday_table import holiday_dates
from crowdflow.flows.metrics import MAE_ACTIVE, RMSE_ACTIVE, ErrorSums
from crowdflow.flows.usual import holiday_days, usual_flows
from crowdflow.flows.windows import plan_windows
from crowdflow.ingest.history import read_history
from crowdflow.schema.intervals import MINUTES_PER_DAY, weekday

COMMAND = Path(sys.executable).with_name("crowdflow")
LAGS = (*range(1, 7), 12, 23, 24, 25, 48, 72, 167, 168, 169, 336, 504, 672)  # hours
TOTALS = (1, 2, 24, 168)


def run_ours(preset: str, files: list[str], folder: Path) -> dict[str, Any]:
    """The summary of a complete run."""
    given = [] if preset == "data" else [f"--preset={preset}"]
    command = [COMMAND, "run", *given, f"--root={folder}", "--data", *files]
    done = subprocess.run(command, cwd=folder.parent)
    if done.returncode not in (0, 2):
        raise SystemExit(f"{preset}: the run failed")
    return json.loads((folder / "summary.json").read_text())


def cell_features(frames: FrameBlock, config: Config, active: np.ndarray) -> np.ndarray:
    """Features of every frame and active cell, float32 `[n, cells, 61]`; NaN where a lag has no frame."""
    starts, maps = frames.starts, frames.maps
    minutes = config.intervals.minutes
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = maps.shape[1:3]
    around = sum(
        padded[:, y : y + height, x : x + width]
        for y in range(3)
        for x in range(3)
        if (y, x) != (1, 1)
    )
    city = np.broadcast_to(maps.sum(axis=(1, 2), keepdims=True), maps.shape)

    def lagged(values: np.ndarray, hours: int) -> np.ndarray:
        times = starts - hours * 60
        rows = np.minimum(np.searchsorted(starts, times), len(starts) - 1)
        there = starts[rows] == times
        return np.where(there[:, None, None], values[rows][:, active], np.nan)

    parts = [lagged(maps, hours) for hours in LAGS]
    parts += [lagged(values, hours) for values in (around, city) for hours in TOTALS]
    if config.transform.holiday_country:
        holidays = holiday_days(holiday_dates(config.transform))
    else:
        holidays = np.zeros(0, np.int64)
    for weeks, days in ((4, 0), (0, 7)):
        means, known = usual_flows(starts, maps, starts, weeks, days, holidays)
        parts.append(np.where(known[:, None, None], means[:, active], np.nan))
    found = np.concatenate(parts, axis=2)  # [n, cells, 2 features each]
    calendar = np.stack(
        [
            starts % MINUTES_PER_DAY // minutes,
            weekday(starts),
            np.isin(starts // MINUTES_PER_DAY, holidays),
        ],
        axis=1,
    )
    calendar = np.broadcast_to(calendar[:, None], (*found.shape[:2], 3))
    place = np.broadcast_to(np.argwhere(active)[None], (*found.shape[:2], 2))
    return np.concatenate([found, calendar, place], axis=2).astype(np.float32)


def run_lightgbm(frames: FrameBlock, config: Config, folder: Path) -> dict[str, float]:
    """Errors on the test windows of a run."""
    plan = plan_windows(frames.starts, config.intervals.minutes, config.windows, config.split)
    rows = {split: np.searchsorted(frames.starts, at) for split, at in plan.origins.items()}
    active = (frames.maps[frames.starts < plan.test_start] > 0).any(axis=(0, 3))
    tables, answers = folder / "tables.npz", folder / "lightgbm.npy"
    made = cell_features(frames, config, active)
    np.savez(tables, features=made, targets=frames.maps[:, active], **rows)
    script = Path(__file__).with_name("_accuracy_lightgbm.py")
    subprocess.run([make_peers(), script, tables, answers], check=True)
    tables.unlink()
    truth = frames.maps[rows["test"]]
    forecast = np.zeros_like(truth)
    forecast[:, active] = np.load(answers)
    sums = ErrorSums.zero(1).add(truth[:, None], forecast[:, None], int(active.sum()))
    return sums.metrics()


def compare(preset: str, files: list[str], folder: Path) -> dict[str, Any]:
    """Both programs' errors on one city."""
    folder.mkdir(parents=True, exist_ok=True)
    summary = run_ours(preset, files, folder)
    config = Config.load(folder / "config.yaml")
    frames = read_history(files, config).frames
    theirs = run_lightgbm(frames, config, folder)
    ours = summary["metrics"]["model"]
    names = (RMSE_ACTIVE, MAE_ACTIVE)
    return {
        "city": config.preset,
        **{f"ours {name}": ours[name] for name in names},
        **{f"LightGBM {name}": theirs[name] for name in names},
        **{f"ratio {name}": ours[name] / theirs[name] for name in names},
    }


def main() -> None:
    """Compares on each city in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--city", nargs="+", action="append", required=True, metavar="PRESET FILE")
    parser.add_argument("--work", type=Path, help="folder of the runs  [default: a temporary one]")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="accuracy-"))
    rows = []
    for number, (preset, *files) in enumerate(options.city):
        row = compare(preset, files, (work / f"{number}-{preset}").absolute())
        rows.append(row)
        print(
            f"{row['city']:<14} RMSE {row['ours ' + RMSE_ACTIVE]:.3f}, LightGBM "
            f"{row['LightGBM ' + RMSE_ACTIVE]:.3f}, ratio {row['ratio ' + RMSE_ACTIVE]:.3f};  MAE "
            f"{row['ours ' + MAE_ACTIVE]:.3f}, LightGBM {row['LightGBM ' + MAE_ACTIVE]:.3f}, ratio "
            f"{row['ratio ' + MAE_ACTIVE]:.3f}"
        )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
