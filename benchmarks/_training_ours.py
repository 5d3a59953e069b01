"""What training.py measures of CrowdFlow: the ensemble's training, its waiting for input, and a whole training."""

import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

WAITING_EPOCHS = 5


def ours(given: dict[str, Any]) -> dict[str, Any]:
    """(a): the Trainer, from the end of the first epoch to the end of the last."""
    import tensorflow as tf
    from _training_windows import as_windows, random_arrays, read

    from crowdflow.config import presets
    from crowdflow.trainer import device, ensemble, threads
    from crowdflow.trainer.loop.checkpoint import Checkpoint
    from crowdflow.trainer.windows import join

    threads.share_among_branches()  # as `crowdflow run` does
    if given["file"]:
        splits, _ = read(Path(given["file"]))
        train, held_out = splits["train"], splits["eval"]
    else:
        data = as_windows(random_arrays(given))
        held_out, train = data.part(slice(1)), data.part(slice(1, None))
    size = train.count + held_out.count
    times: list[float] = []

    class Clock(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("phase"):
                times.append(time.perf_counter())

    log = logging.getLogger("crowdflow.training")
    log.setLevel(logging.INFO)
    log.addHandler(Clock())
    config = presets.load(given["preset"])
    epochs = 2 + round(given["seconds"] * given["rate"] / given["members"] / size)
    settings = {"epochs": 0, "final_epochs": epochs, "batch_size": given["batch"]}
    settings |= {"final_learning_rate": 1e-4, "schedule": "constant"}
    settings = {f"training.{name}": value for name, value in settings.items()}
    settings |= {
        "model.members": given["members"],
        "model.quantiles": [],
    }  # all windows, in each epoch
    config = config.replace(settings)
    plan = device.plan(config)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:

        def checkpoint(number: int) -> Checkpoint:
            return Checkpoint(Path(folder) / str(number))

        models, *_ = ensemble.train_members(config, plan, train, held_out, checkpoint, folder)
    found = {
        "samples_per_second": (epochs - 1) * size * given["members"] / (times[-1] - times[0]),
        "first_epoch": times[0] - started,
        "precision": plan.precision,
        "plan": plan.describe(),
        "version": f"TensorFlow {tf.__version__}",
    }
    if not plan.xla:
        found["waiting"] = waiting_shares(models[0], join(train, held_out), given)
    return found


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
      Medians over epochs: `asked`, with the batches of `windows.taken`, and `standing`.
    """
    import tensorflow as tf

    from crowdflow.trainer.loop.orders import epoch_order
    from crowdflow.trainer.windows import taken

    steps = -(-data.count // given["batch"])
    rows = tf.data.Dataset.from_tensor_slices(epoch_order(data.count, 1, 2, 0))
    batches = iter(taken(rows.batch(given["batch"]).repeat(), data, list(model.input)))
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


def complete(given: dict[str, Any]) -> dict[str, Any]:
    """The preset's whole training on a file's windows, and its RMSE over the active cells of the test windows."""
    import numpy as np
    from _training_windows import read

    from crowdflow.config import presets
    from crowdflow.schema import features
    from crowdflow.trainer import device, ensemble
    from crowdflow.trainer.loop.checkpoint import Checkpoint

    splits, active = read(Path(given["file"]))
    config = presets.load(given["preset"]).replace({"model.quantiles": []})
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        _, members, _ = ensemble.train_members(
            config,
            device.plan(config),
            splits["train"],
            splits["eval"],
            lambda number: Checkpoint(Path(folder) / str(number)),
            folder,
        )
    seconds = time.perf_counter() - started
    test = splits["test"]
    low, high = (float(test[name][0]) for name in (features.FLOW_MIN, features.FLOW_MAX))
    inputs = {name: test[name] for name in members[0].input}
    scaled = np.mean([member.predict(inputs, verbose=0) for member in members], 0)
    flows = [(maps.astype(float) + 1) / 2 * (high - low) + low for maps in (scaled, test["target"])]
    squares = (np.maximum(flows[0], 0) - flows[1]) ** 2
    values = squares.size / (config.grid.rows * config.grid.cols) * active
    return {"seconds": seconds, "rmse": float((squares.sum() / values) ** 0.5)}
