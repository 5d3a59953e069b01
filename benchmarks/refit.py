"""The refitted model against the approved one: RMSE of the week after the data's end, over rolling weeks.

    python benchmarks/refit.py --city bikenyc NYC14_M16x8_T60_NewEnd.h5 --weeks 4
    python benchmarks/refit.py --city citibike-jc 'JC-2018*.zip' 'JC-2019*.zip' weather.csv --weeks 8 \
        --set model.members=1

Every week is a complete `crowdflow run` on the data up to its beginning (`split.until`). Both models of the pushed
version then forecast the week, one step ahead, which neither has seen. Weeks are counted back from the end of the
data. The last line is JSON.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crowdflow.config import presets
from crowdflow.flows.metrics import MAE_ACTIVE, RMSE_ACTIVE, ErrorSums
from crowdflow.ingest.history import History, read_history
from crowdflow.schema.intervals import to_datetime64
from crowdflow.serving.connect import connect
from crowdflow.serving.forecaster import Forecaster
from crowdflow.storage.versions import approved, complete_versions

COMMAND = Path(sys.executable).with_name("crowdflow")
WEEK = 7 * 24 * 60  # minutes


def push(
    preset: str, files: Sequence[str], until: str, settings: Sequence[str], work: Path
) -> Path:
    """The version that a run on the data up to a date pushes."""
    root, serving = work / "root", work / until
    command = [COMMAND, "run", f"--preset={preset}", f"--root={root}", "--data", *files]
    for setting in (f"split.until={until}", f"paths.serving={serving}", *settings):
        command += ["--set", setting]
    if subprocess.run(command).returncode != 0:
        raise SystemExit(f"{preset}, up to {until}: nothing was pushed")
    return complete_versions(serving)[-1]


def week_errors(model: Path, history: History, start: int, active: int) -> dict[str, float]:
    """Errors of a model's forecasts one step ahead, of the week that starts at `start`."""
    starts = history.frames.starts
    rows = np.flatnonzero((starts >= start) & (starts < start + WEEK))
    forecaster = Forecaster(connect(str(model)))
    flows = forecaster.forecast(history, starts[rows]).flows
    return ErrorSums.zero(1).add(history.frames.maps[rows][:, None], flows[:, :1], active).metrics()


def compare(
    preset: str, files: list[str], weeks: int, settings: Sequence[str], work: Path
) -> list[dict[str, Any]]:
    """A row for each week, newest first: both models' errors."""
    work.mkdir(parents=True, exist_ok=True)
    config = presets.load(preset)
    history = read_history(files, config)
    starts, maps = history.frames.starts, history.frames.maps
    minutes = config.intervals.minutes
    rows = []
    for number in range(weeks):
        start = int(starts[-1]) + minutes - (number + 1) * WEEK
        until = str(to_datetime64(np.array([start - minutes]))[0])[:10]
        version = push(preset, files, until, settings, work)
        active = int((maps[starts < start] > 0).any(axis=(0, 3)).sum())
        row: dict[str, Any] = {"city": preset, "until": until}
        for name, model in (("refitted", version), ("approved", approved(version))):
            found = week_errors(model, history, start, active)
            row |= {f"{name} {metric}": found[metric] for metric in (RMSE_ACTIVE, MAE_ACTIVE)}
        rows.append(row)
        print(describe(row), flush=True)
    return rows


def describe(row: dict[str, Any]) -> str:
    """The line of a week."""
    refitted, before = row[f"refitted {RMSE_ACTIVE}"], row[f"approved {RMSE_ACTIVE}"]
    return (
        f"{row['city']}, week after {row['until']}: RMSE refitted {refitted:.3f}, approved {before:.3f}, "
        f"ratio {refitted / before:.3f}"
    )


def main() -> None:
    """Compares, prints a line for each week and their mean."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--city", nargs="+", required=True, metavar="PRESET FILE")
    parser.add_argument("--weeks", type=int, default=4)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--work", type=Path, help="folder of the runs  [default: a temporary one]")
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="refit-"))
    preset, *files = given.city
    rows = compare(preset, files, given.weeks, given.set, work.absolute())
    mean = {
        name: statistics.mean(row[f"{name} {RMSE_ACTIVE}"] for row in rows)
        for name in ("refitted", "approved")
    }
    print(f"mean RMSE: refitted {mean['refitted']:.3f}, approved {mean['approved']:.3f}")
    print(json.dumps({"benchmark": "refit", "weeks": rows, "mean": mean}))


if __name__ == "__main__":
    main()
