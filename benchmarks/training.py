"""Training speed: CrowdFlow's training step against plain Keras and PyTorch, in samples per second.

    python benchmarks/training.py --torch .venv-torch/bin/python
    python benchmarks/training.py --write-windows bikenyc.npz --root runs/bikenyc
    python benchmarks/training.py --gpu --file bikenyc.npz --torch python3

All train the same architecture on arrays of the same shapes, with the same batch size and threads, each in its own
process, alternating over several rounds: (a) `ours`, the ensemble's training as `crowdflow run` does it, in the
precision that it picks, with checkpoints; (b) the same model with float32 Keras `fit` on arrays; (c) PyTorch in
float32; (d) PyTorch in bfloat16 autocast with channels last. To make .venv-torch: `python3 -m venv .venv-torch`,
then install numpy and PyTorch's CPU build with its pip. Also measured on a processor: the share of an epoch in
which (a) waits for its input.

`--gpu` measures what a GPU gives: one network and four together, and `taxibj`'s shapes, against PyTorch eager,
with CUDA graphs and with `torch.compile`; then the complete training on the windows of --file, with its RMSE on
the test windows. It takes about eight minutes, and needs TensorFlow, numpy and PyYAML, but not TFX. The file comes
from a finished run by --write-windows, which does need TFX.
The last line is JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from _training_gpu import measure
from _training_ours import complete, ours

ROOT = Path(__file__).resolve().parent.parent
WINDOWS = 3_200


def shapes(preset: str, batch: int | None) -> dict[str, Any]:
    """Sizes of a preset's model and batch, as plain numbers."""
    from crowdflow.config import presets

    config = presets.load(preset)
    windows, model, transform = config.windows, config.model, config.transform
    slots = transform.time_of_day + 2 * transform.time_of_day_type
    external = 8 * transform.day_of_week + bool(transform.holiday_country)
    external += config.intervals.per_day * slots
    return {
        "preset": preset,
        "rows": config.grid.rows,
        "cols": config.grid.cols,
        "horizon": windows.horizon,
        "maps": windows.lag_maps(),
        "external": external,
        "filters": model.filters,
        "residual_units": model.residual_units,
        "batch_norm": model.batch_norm,
        "external_units": model.external_units,
        "local": model.local,
        "head": model.head,
        "batch": batch or config.training.batch_size,
        "windows": WINDOWS,
    }


def build(given: dict[str, Any], dtype: str):
    """The preset's network."""
    from crowdflow.config import presets
    from crowdflow.trainer.model import build_model

    config = presets.load(given["preset"])
    size = given["rows"], given["cols"], given["external"]
    return build_model(config.model, config.windows, *size, seed=1, dtype=dtype)


def fitted(given: dict[str, Any]) -> dict[str, Any]:
    """(b): the same model in float32 with `keras.Model.fit` on arrays."""
    import keras
    import tensorflow as tf
    from _training_windows import random_arrays

    from crowdflow.schema import features

    tf.config.threading.set_intra_op_parallelism_threads(given["threads"])
    data = random_arrays(given)
    target = data.pop(features.TARGET)
    model = build(given, "float32")
    model.compile(keras.optimizers.Adam(1e-4), "mse", jit_compile=False)
    times: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            times.append(time.perf_counter())
            self.model.stop_training = times[-1] - times[0] > given["seconds"]

    model.fit(data, target, given["batch"], epochs=10_000, verbose=0, callbacks=[Clock()])
    rate = (len(times) - 1) * given["windows"] / (times[-1] - times[0])
    return {"samples_per_second": rate, "version": f"Keras {keras.__version__}"}


def child(what: str, given: dict[str, Any], python: str = sys.executable) -> dict[str, Any]:
    """One measurement in its own process."""
    threads = str(given["threads"])
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "TF_CPP_MIN_LOG_LEVEL": "3"}
    processors = sorted(os.sched_getaffinity(0))[: given["threads"]]
    bound = ["taskset", "-c", ",".join(map(str, processors))]
    if what.startswith("torch"):  # with libraries of its own
        for name in ("PYTHONPATH", "LD_LIBRARY_PATH"):
            environment.pop(name, None)
        settings = json.dumps({**given, "way": what.removeprefix("torch-")})
        command = [python, str(Path(__file__).with_name("_training_torch.py")), settings]
    else:
        paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        command = [sys.executable, __file__, "--child", what, json.dumps(given)]
    done = subprocess.run(
        [*bound, *command], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


CHILDREN = {"ours": ours, "keras-float32": fitted, "complete": complete}


def main() -> None:
    """Runs all peers alternately and prints the ratios."""
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(CHILDREN[sys.argv[2]](json.loads(sys.argv[3]))))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="bikenyc", help="the preset of the network")
    parser.add_argument("--batch", type=int, help="batch size  [default: the preset's]")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=15.0, help="length of a measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torch", metavar="PYTHON", help="a Python interpreter with torch")
    parser.add_argument("--windows", type=int, default=WINDOWS, help="number of random windows")
    parser.add_argument("--gpu", action="store_true", help="measure a GPU")
    parser.add_argument("--file", help="windows of a run, instead of random ones")
    parser.add_argument("--write-windows", metavar="FILE", help="write the windows of --root")
    parser.add_argument("--root", help="folder of a finished run")
    asked = parser.parse_args()
    if asked.write_windows:
        from _training_windows import write

        write(Path(asked.root), Path(asked.write_windows))
        return
    if asked.gpu:
        measure(child, shapes, asked.file, asked.torch)
        return
    given = shapes(asked.preset, asked.batch) | {"windows": asked.windows, "file": asked.file}
    given |= {"threads": asked.threads, "seconds": asked.seconds, "members": 1, "rate": 500}
    peers = ["ours", "keras-float32"]
    if asked.torch:
        peers += ["torch-float32", "torch-bfloat16"]
    found: dict[str, list[dict[str, Any]]] = {peer: [] for peer in peers}
    for number in range(asked.rounds):
        for peer in peers:
            one = child(peer, given, asked.torch)
            found[peer].append(one)
            words = f"round {number + 1}: {peer:<15} {one['samples_per_second']:8.0f} samples/s"
            print(f"{words}  {one['version']}", flush=True)
    rates = {
        peer: statistics.median(run["samples_per_second"] for run in runs)
        for peer, runs in found.items()
    }
    out: dict[str, Any] = {"benchmark": "training", **given, "samples_per_second": rates}
    out["precision"] = found[peers[0]][0]["precision"]
    out["ratios"] = {peer: rates[peers[0]] / rates[peer] for peer in peers[1:]}
    for peer, ratio in out["ratios"].items():
        print(f"{peers[0]} ({out['precision']}) / {peer}: {ratio:.2f}")
    asked, standing = (
        statistics.median(run["waiting"][name] for run in found["ours"])
        for name in ("asked", "standing")
    )
    out["waiting"] = {"asked": asked, "standing": standing, "share": asked - standing}
    print(
        f"waiting for input: {100 * (asked - standing):.2f}% of the epoch, "
        f"{100 * asked:.2f}% minus {100 * standing:.2f}% with a batch already in memory"
    )
    print(json.dumps(out))


if __name__ == "__main__":
    main()
