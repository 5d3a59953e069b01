"""A small training on the tiny world, and how its results are compared."""

import logging
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from worlds import paper

from crowdflow.config import TrainingConfig
from crowdflow.schema import features
from crowdflow.trainer.loop.checkpoint import Checkpoint
from crowdflow.trainer.loop.keras_fit import KerasFit
from crowdflow.trainer.loop.program import Program
from crowdflow.trainer.model import build_model
from crowdflow.trainer.training import Member, Trainer
from crowdflow.trainer.windows import join


@pytest.fixture(autouse=True, scope="module")
def deterministic():
    from tensorflow.python.framework import config

    tf.config.experimental.enable_op_determinism()
    yield
    config.disable_op_determinism()


class SmallTrainer(Trainer):
    """Trains one network, or several of which the first is looked at."""

    def run(self):
        super().run()
        return self.state

    @property
    def model(self):
        return self.members[0].model

    @property
    def state(self):
        return self.members[0].state

    @property
    def best(self):
        return self.members[0].standing.best

    @property
    def checkpoint(self):
        return self.members[0].checkpoint


LOOPS = {
    "keras": lambda models, *data: KerasFit(*models, *data),
    "graph": lambda *given: Program(*given, "CPU:0", xla=False),
    "xla": lambda *given: Program(*given, "CPU:0"),
    "blocks": lambda *given: Program(*given, "CPU:0", most=1, xla=False),
}


def make_member(splits, folder, seed):
    model = build_model(
        paper.network(residual_units=1, filters=4, batch_norm=True, head="linear"),
        paper.lags(closeness=3, period=0, trend=0, horizon=2),
        rows=4,
        cols=3,
        external_size=splits["train"][features.EXTERNAL].shape[1],
        seed=seed,
    )
    return Member(model, seed, Checkpoint(folder / "checkpoint"), str(folder / "logs"), str(seed))


def make_trainer(splits, folder, *seeds, loop="keras", **settings):
    """Of one network with seed 3, or of several in folders of their own, named by their seeds."""
    values = {"epochs": 3, "final_epochs": 2, "batch_size": 5, "learning_rate": 3e-3, **settings}
    config = TrainingConfig(**{**paper.TRAINING, "precision": "float32", **values})
    keras.utils.set_random_seed(3)
    members = [make_member(splits, folder / str(seed), seed) for seed in seeds]
    members = members or [make_member(splits, folder, 3)]
    train, evaluation = splits["train"], splits["eval"]
    windows = join(train, evaluation)
    made = LOOPS[loop]([member.model for member in members], windows, evaluation.count)
    return SmallTrainer(members, made, config, train, evaluation)


def answers(model, arrays):
    inputs = {name: arrays[name] for name in model.input}
    return keras.ops.convert_to_numpy(model(inputs, training=False))


def rmse(model, arrays):
    """Over every window, cell and direction, in trips, by numpy."""
    span = arrays["flow_max"][0] - arrays["flow_min"][0]
    error = (answers(model, arrays).astype(np.float64) - arrays["target"]) / 2 * span
    return math.sqrt((error**2).mean())


def assert_equal_weights(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


class Interrupted(Exception):
    pass


class _Stop(logging.Handler):
    """Ends a training right after it told of an epoch, as a kill would."""

    def __init__(self, phase, epoch):
        super().__init__()
        self._place = f"phase {phase}  epoch {epoch}/"

    def emit(self, record):
        if record.getMessage().startswith(self._place):
            raise Interrupted


def interrupt(trainer, phase, epoch):
    """Runs a training up to the end of an epoch."""
    log, stop = logging.getLogger("crowdflow.training"), _Stop(phase, epoch)
    level = log.level
    log.setLevel(logging.INFO)
    log.addHandler(stop)
    try:
        with pytest.raises(Interrupted):
            trainer.run()
    finally:
        log.removeHandler(stop)
        log.setLevel(level)
