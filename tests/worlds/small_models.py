"""Small networks, their inputs, and weights that hide nothing."""

import keras
import numpy as np
from tensorflow.core.protobuf import saved_model_pb2
from worlds import paper

from crowdflow.trainer.model import build_model

ROWS, COLS, EXTERNAL = 5, 4, 6


def build(windows, external=0, seed=1, dtype="float32", **architecture):
    values = {"residual_units": 1, "filters": 8, "head": "linear", **architecture}
    return build_model(paper.network(**values), windows, ROWS, COLS, external, seed, dtype)


def random_inputs(model, count=3, seed=0):
    random = np.random.default_rng(seed)
    return {
        name: random.uniform(-1, 1, (count, *tensor.shape[1:])).astype(np.float32)
        for name, tensor in model.input.items()
    }


def randomise(model, seed=0):
    """Every weight drawn anew, biases and moving averages too, so that none of them can hide."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        low = 0.1 if "variance" in weight.path else -0.5
        weight.assign(random.uniform(low, 0.6, weight.shape).astype(np.float32))


def answer(model, inputs):
    return keras.ops.convert_to_numpy(model(inputs, training=False))


HORIZON_1 = paper.lags(closeness=3, period=2, trend=1, horizon=1)
HORIZON_2 = paper.lags(closeness=4, period=1, trend=2, horizon=2)
LOCAL = {"local": True, "head": "linear", "external_relu": False}


def graph_of(folder):
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    [graph] = saved.meta_graphs
    return graph
