"""Training speed: CrowdFlow's training step against plain Keras and PyTorch, in samples per second.

    python benchmarks/training.py --torch .venv-torch/bin/python
    PYTHONPATH=. python benchmarks/training.py --backend jax --torch python3    on a GPU, without TensorFlow

All train the same architecture on arrays of the same shapes, with the same batch size and threads, each in its own
process, alternating over several rounds: (a) `ours`, `crowdflow.trainer.training.Trainer` in the precision that it
picks, with checkpoints; (b) the same model with float32 Keras `fit` on arrays; (c) PyTorch in float32; (d) PyTorch
in bfloat16 autocast with channels last. To make .venv-torch: `python3 -m venv .venv-torch`, then install numpy and
PyTorch's CPU build with its pip. Also measured: the share of an epoch in which (a) waits for its input.

`--backend jax` trains the unchanged model file with Keras' `fit` on JAX, against the same PyTorch; it needs jax,
keras, numpy and PyYAML.
The last line is JSON.
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WINDOWS = 3_200
WAITING_EPOCHS = 5


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


def arrays(given: dict[str, Any]) -> dict[str, Any]:
    """Random transformed windows of these shapes, float32."""
    import numpy as np

    from crowdflow.schema import features

    random = np.random.default_rng(1)
    count, grid = given["windows"], (given["rows"], given["cols"], 2)
    found = {
        name: random.uniform(-1, 1, (count, length, *grid)).astype(np.float32)
        for name, length in given["maps"].items()
    }
    found[features.EXTERNAL] = random.random((count, given["external"]), np.float32)
    target = random.uniform(-1, 1, (count, given["horizon"], *grid))
    return found | {features.TARGET: target.astype(np.float32)}


def build(given: dict[str, Any], dtype: str):
    """The preset's network."""
    from crowdflow.config import presets
    from crowdflow.trainer.model import build_model

    config = presets.load(given["preset"])
    size = given["rows"], given["cols"], given["external"]
    return build_model(config.model, config.windows, *size, seed=1, dtype=dtype)


def ours(given: dict[str, Any]) -> dict[str, Any]:
    """(a): the Trainer's own loop, from the end of the first epoch to the end of the last."""
    import tensorflow as tf
    from _training_windows import as_windows

    from crowdflow.config import TrainingConfig
    from crowdflow.trainer import device, threads
    from crowdflow.trainer.training import Checkpoint, Trainer

    threads.share_among_branches()  # as `crowdflow run` does
    data = as_windows(arrays(given))
    held_out, train = data.part(slice(1)), data.part(slice(1, None))
    precision = device.choose_precision("auto")
    times: list[float] = []

    class Clock(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            times.append(time.perf_counter())

    log = logging.getLogger("crowdflow.training")
    log.setLevel(logging.INFO)
    log.addHandler(Clock())
    epochs = 2 + round(given["seconds"] * 500 / given["windows"])
    settings = TrainingConfig(epochs=0, final_epochs=epochs, batch_size=given["batch"])
    model = build(given, precision)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder))
        trainer = Trainer(model, settings, train, held_out, 1, checkpoint, folder)
        trainer.run()
    rate = (epochs - 1) * given["windows"] / (times[-1] - times[0])
    return {
        "samples_per_second": rate,
        "precision": precision,
        "waiting": waiting_shares(model, data, given),
        "version": f"TensorFlow {tf.__version__}",
    }


def waiting_shares(model, data, given: dict[str, Any]) -> dict[str, float]:
    """Share of an epoch between a step's last written weight and the next batch, with and without an input.

    An epoch is one call of the graph, as in training. The graph reads the clock when a step's weights are written
    and again when the next batch is available. These readings cost time themselves, because every step has to end
    before the next one begins: `standing` measures that, with a batch that is already in memory.

    Args:
      model: compiled.
      data: transformed windows.
      given: sizes, from `shapes`.

    Returns:
      Medians over epochs: `asked`, with the batches of `input_fn.batches`, and `standing`.
    """
    import tensorflow as tf

    from crowdflow.trainer import input_fn

    size, batch = given["windows"], given["batch"]
    steps = -(-size // batch)
    names = list(model.input)
    batches = iter(input_fn.batches(data, names, size, batch, steps, 1, 2, 0))
    standing = next(batches)

    def train(x, y, got):
        with tf.control_dependencies([got]):
            loss = model.train_step((x, y))["loss"]
            written = [tf.identity(variable.value) for variable in model.trainable_variables]
        with tf.control_dependencies([loss, *written]):
            return tf.timestamp()

    @tf.function
    def epoch(asked: bool):
        started = ready = tf.timestamp()
        waited = tf.constant(0.0, tf.float64)
        for _ in tf.range(steps):
            with tf.control_dependencies([ready]):
                x, y = next(batches) if asked else tf.nest.map_structure(tf.identity, standing)
            with tf.control_dependencies([*x.values(), y]):
                got = tf.timestamp()
            waited += got - ready
            ready = train(x, y, got)
        return waited / (ready - started)

    found = [(float(epoch(True)), float(epoch(False))) for _ in range(1 + WAITING_EPOCHS)]
    asked, stood = (statistics.median(shares) for shares in zip(*found[1:], strict=True))
    return {"asked": asked, "standing": stood}


def fitted(given: dict[str, Any], dtype: str) -> dict[str, Any]:
    """The same model with `keras.Model.fit` on arrays, on Keras' current backend."""
    import keras

    from crowdflow.schema import features

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(given["threads"])
    data = arrays(given)
    target = data.pop(features.TARGET)
    model = build(given, dtype)
    jit = keras.backend.backend() != "tensorflow"
    model.compile(keras.optimizers.Adam(1e-4), "mse", jit_compile=jit)
    times: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            times.append(time.perf_counter())
            self.model.stop_training = times[-1] - times[0] > given["seconds"]

    model.fit(data, target, given["batch"], epochs=10_000, verbose=0, callbacks=[Clock()])
    rate = (len(times) - 1) * given["windows"] / (times[-1] - times[0])
    return {"samples_per_second": rate, "version": f"Keras {keras.__version__}"}


def on_jax(given: dict[str, Any]) -> dict[str, Any]:
    """`fitted` on JAX, with the device in the version."""
    import jax

    dtype = given["precision"]
    found = fitted(given, dtype)
    version = f"JAX {jax.__version__} on {jax.devices()[0].device_kind}"
    return found | {"precision": dtype, "version": version}


def child(what: str, given: dict[str, Any], python: str = sys.executable) -> dict[str, Any]:
    """One measurement in its own process."""
    threads = str(given["threads"])
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "TF_CPP_MIN_LOG_LEVEL": "3"}
    paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    processors = sorted(os.sched_getaffinity(0))[: given["threads"]]
    bound = ["taskset", "-c", ",".join(map(str, processors))]
    command = [sys.executable, __file__, "--child", what, json.dumps(given)]
    if what.startswith("torch"):
        settings = json.dumps({**given, "bfloat16": what == "torch-bfloat16"})
        command = [python, str(Path(__file__).with_name("_training_torch.py")), settings]
    if what == "jax":
        environment["KERAS_BACKEND"] = "jax"
    done = subprocess.run(
        [*bound, *command], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


CHILDREN = {"ours": ours, "keras-float32": lambda given: fitted(given, "float32"), "jax": on_jax}


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
    parser.add_argument("--backend", choices=["tensorflow", "jax"], default="tensorflow")
    parser.add_argument("--precision", default="mixed_bfloat16", help="precision of --backend jax")
    asked = parser.parse_args()
    given = shapes(asked.preset, asked.batch)
    given |= {"threads": asked.threads, "seconds": asked.seconds, "precision": asked.precision}
    peers = ["jax"] if asked.backend == "jax" else ["ours", "keras-float32"]
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
    if "ours" in found:
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
