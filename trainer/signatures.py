"""The SavedModel that is pushed: raw flows in, real units out, float32, and no code of ours needed."""

import json
import os
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from pipeline.config import Config
from trainer import features

ACCOUNT_FILE = os.path.join("assets.extra", "crowdflow.json")
# Of the account: the last target interval that the model was trained on, wall-clock minutes.
TRAINED_UNTIL = "trained_until"


class _Served(tf.Module):
    """Transform graph, model and the way back to trips."""

    def __init__(self, model: keras.Model, graph: tft.TFTransformOutput, low: float, high: float):
        super().__init__()
        self._model = model
        self._variables = [v.value for v in model.variables]  # a tf.Module tracks no Keras layer
        self._transform = graph.transform_features_layer()
        self._low, self._high = low, high

    def __call__(self, raw: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        scaled = self._transform(raw)
        out = self._model({name: scaled[name] for name in self._model.input}, training=False)
        flow = (out + 1.0) / 2.0 * (self._high - self._low) + self._low
        return {features.FLOW: tf.maximum(flow, 0.0)}


def raw_inputs(config: Config) -> list[str]:
    """Names of what a caller gives: lags, target time and covariates, in order."""
    windows, ingest = config.windows, config.ingest
    lengths = (windows.closeness, windows.period, windows.trend)
    lags = [name for name, length in zip(features.LAGS, lengths, strict=True) if length]
    known = features.covariates(ingest.holidays, ingest.weather, ingest.weather_columns)
    return [*lags, features.TARGET_TIME, *(covariate.name for covariate in known)]


def export(
    model: keras.Model,
    graph: tft.TFTransformOutput,
    low: float,
    high: float,
    config: Config,
    account: dict[str, Any],
    folder: str,
) -> None:
    """Writes the SavedModel.

    `serving_default` takes dense raw windows by name, `serving_examples` serialized tf.Examples. Both answer
    `flow`, float32 `[batch, h, H, W, 2]`, inflow then outflow, in trips per interval, never below zero.

    Args:
      model: in float32, with its final weights.
      graph: the Transform output.
      low: the flow that scales to -1.
      high: the flow that scales to 1.
      config: for the inputs' names.
      account: saved beside the model as JSON: what it was trained with and on.
      folder: where to.
    """
    served = _Served(model, graph, low, high)
    raw = graph.raw_feature_spec()
    spec = {name: raw[name] for name in raw_inputs(config)}

    @tf.function(
        input_signature=[
            {name: tf.TensorSpec([None, *s.shape], s.dtype, name=name) for name, s in spec.items()}
        ]
    )
    def dense(inputs):
        return served(inputs)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def examples(serialized):
        return served(tf.io.parse_example(serialized, spec))

    signatures = {features.DENSE_SIGNATURE: dense, features.EXAMPLES_SIGNATURE: examples}
    tf.saved_model.save(served, folder, signatures=signatures)
    path = os.path.join(folder, ACCOUNT_FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(account, indent=2))
