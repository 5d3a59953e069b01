"""A small training on the tiny world, and how its results are compared."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from worlds import paper

from crowdflow.config import TrainingConfig
from crowdflow.schema import features
from crowdflow.trainer.model import build_model
from crowdflow.trainer.training import (
    Checkpoint,
    Trainer,
)


@pytest.fixture(autouse=True, scope="module")
def deterministic():
    from tensorflow.python.framework import config

    tf.config.experimental.enable_op_determinism()
    yield
    config.disable_op_determinism()


def make_trainer(splits, folder, seed=3, **settings):
    values = {"epochs": 3, "final_epochs": 2, "batch_size": 5, "learning_rate": 3e-3, **settings}
    keras.utils.set_random_seed(seed)
    train, evaluation = splits["train"], splits["eval"]
    model = build_model(
        paper.network(residual_units=1, filters=4, batch_norm=True, head="linear"),
        paper.lags(closeness=3, period=0, trend=0, horizon=2),
        rows=4,
        cols=3,
        external_size=train[features.EXTERNAL].shape[1],
        seed=seed,
    )
    config = TrainingConfig(**{**paper.TRAINING, "precision": "float32", **values})
    checkpoint = Checkpoint(folder / "checkpoint")
    return Trainer(model, config, train, evaluation, seed, checkpoint, str(folder / "logs"))


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
