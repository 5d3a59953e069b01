"""Quantiles on the test days: whether they hold, what they are worth against naive ones, and what they cost.

    python benchmarks/intervals.py --preset bikenyc --data NYC14_M16x8_T60_NewEnd.h5 --seeds 1 2 3
    python benchmarks/intervals.py --preset citibike-jc --data 'JC-2018*.zip' 'JC-2019*.zip' weather.csv

For each seed two complete runs of `crowdflow run`: with quantiles, and without (`model.quantiles: []`). Refit is
off, so that the pushed model is the one that was judged. A table shows coverage by part of the day and size of
cell, then the ratios: pinball loss to that of the better naive quantiles, the median's MAE to the mean's, and the
mean forecast's RMSE, the Trainer's seconds and a request's to those without quantiles. The last line is JSON. Runs
are kept in --work, and one that is there is not repeated.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crowdflow.config.account import levels_of
from crowdflow.flows.metrics import MAE_ACTIVE, RMSE_ACTIVE
from crowdflow.schema import features
from crowdflow.serving.folder import ModelFolder
from crowdflow.serving.forecaster import account_in

COMMAND = Path(sys.executable).with_name("crowdflow")
REQUESTS, WARM = 60, 10


def run(
    preset: str, data: Sequence[str], seed: int, extra: Sequence[str], root: Path
) -> dict[str, Any]:
    """The summary of a run, whether its model was pushed or not."""
    path = root / "summary.json"
    if not path.exists():
        command = [COMMAND, "run", f"--preset={preset}", f"--root={root}", "--data", *data]
        settings = [
            f"seed={seed}",
            "evaluation.refit=false",
            "evaluation.push_unblessed=true",
            *extra,
        ]
        for setting in settings:
            command += ["--set", setting]
        if subprocess.run(command, stdout=sys.stderr).returncode != 0:
            raise SystemExit(f"{preset}, seed {seed}: the run failed")
    return json.loads(path.read_text())


def request_seconds(roots: Sequence[Path]) -> list[float]:
    """The median time of a request of one window, of each root's pushed model, in turn."""
    models = [ModelFolder(root / "serving" / "crowdflow") for root in roots]
    inputs = [one_window(model.path) for model in models]
    outputs = [features.FLOW, features.QUANTILES]
    taken: list[list[float]] = [[] for _ in models]
    for number in range(WARM + REQUESTS):
        for model, given, seconds in zip(models, inputs, taken):
            names = outputs[: 1 + bool(levels_of(account_in(model.path)))]
            start = time.perf_counter()
            model.predict(given, features.DENSE_SIGNATURE, names)
            if number >= WARM:
                seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in taken]


def one_window(folder: Path) -> dict[str, np.ndarray]:
    """The first warm-up request of a pushed model, of one window."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    from crowdflow.trainer.warmup import WARMUP_FILE

    record = next(tf.data.TFRecordDataset(str(folder / WARMUP_FILE)).as_numpy_iterator())
    inputs = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request.inputs
    return {name: tf.make_ndarray(tensor) for name, tensor in inputs.items()}


def figures(
    found: dict[str, Any], without: dict[str, Any], roots: Sequence[Path]
) -> dict[str, Any]:
    """What is compared, of one seed."""
    held, errors = found["quantiles"], found["metrics"]
    loss = {source: values["pinball"] for source, values in held["sources"].items()}
    seconds = [
        next(node["seconds"] for node in summary["nodes"] if node["id"] == "Trainer")
        for summary in (found, without)
    ]
    requests = request_seconds(roots)
    return {
        "pinball": loss,
        "pinball_to_naive": loss["model"] / min(loss["poisson"], loss["hour_of_week"]),
        "rmse": errors["model"][RMSE_ACTIVE],
        "rmse_without": without["metrics"]["model"][RMSE_ACTIVE],
        "mae": errors["model"][MAE_ACTIVE],
        "mae_median": errors["median"][MAE_ACTIVE],
        "mae_naive": min(
            values[MAE_ACTIVE]
            for source, values in errors.items()
            if source in features.NAIVE_FORECASTS
        ),
        "training_ratio": seconds[0] / seconds[1],
        "request_ratio": requests[0] / requests[1],
        "request_ms": [1000 * value for value in requests],
    }


def show(seed: int, held: dict[str, Any], found: dict[str, Any]) -> None:
    """Prints a seed's tables."""
    percents = [name[9:] for name in held["sources"]["model"] if name.startswith("coverage_")]
    print(f"\nseed {seed:<40}" + "".join(f"{p + '%':>8}" for p in percents) + "   width")
    rows = [*held["sources"].items()]
    rows += [(line["label"], line) for line in (*held["by_part"], *held["by_size"])]
    for label, line in rows:
        shares = "".join(f"{100 * line[f'coverage_{p}']:8.1f}" for p in percents)
        widths = " ".join(f"{line[f'width_{p}']:.2f}" for p in percents)
        print(f"{label:<45}{shares}   {widths}")
    print(
        f"pinball loss {found['pinball']['model']:.4f}, {found['pinball_to_naive']:.3f} of the better "
        f"naive one; RMSE {found['rmse']:.4f}, without quantiles {found['rmse_without']:.4f}; MAE of the mean "
        f"{found['mae']:.4f}, of the median {found['mae_median']:.4f}, best naive {found['mae_naive']:.4f}; "
        f"Trainer {found['training_ratio']:.2f}, request {found['request_ratio']:.2f} of those without"
    )


def main() -> None:
    """Runs, and prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", required=True)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--work", type=Path, default=Path("runs/intervals"))
    given = parser.parse_args()
    every = {}
    for seed in given.seeds:
        roots = [given.work / f"{given.preset}-{seed}{kind}" for kind in ("", "-without")]
        extras = [given.settings, [*given.settings, "model.quantiles=[]"]]
        summaries = [
            run(given.preset, given.data, seed, extra, root) for extra, root in zip(extras, roots)
        ]
        every[seed] = figures(*summaries, roots)
        show(seed, summaries[0]["quantiles"], every[seed])
    print(json.dumps(every))


if __name__ == "__main__":
    main()
