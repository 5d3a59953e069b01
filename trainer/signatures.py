"""The pushed SavedModel: raw flows in, trips out, in float32, without any code of this project."""

import json
import os
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2

from crowdflow.config import Config
from crowdflow.schema import features
from crowdflow.trainer.inputs import raw_inputs
from crowdflow.trainer.quantiles.graph import Quantiles
from crowdflow.trainer.quantiles.spread import Spread
from crowdflow.trainer.warmup import write_warmup


class _Served(tf.Module):
    """The Transform graph, the model, and the scaling back to trips."""

    def __init__(
        self,
        model: keras.Model,
        graph: tft.TFTransformOutput,
        low: float,
        high: float,
        config: Config,
        spread: Spread | None,
    ):
        super().__init__()
        self._model = model
        self._variables = [
            v.value for v in model.variables
        ]  # a tf.Module does not track Keras layers
        self._transform = graph.transform_features_layer()
        self._low, self._high = low, high
        self._minutes = config.intervals.minutes
        self._quantiles = Quantiles(spread, self._minutes) if spread is not None else None
        schema = graph.raw_metadata.schema
        self._contract = {feature.name: feature for feature in schema.feature}

    def __call__(self, raw: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        checks = [_in_range(self._contract[name], values) for name, values in raw.items()]
        checks.append(_on_raster(raw[features.TARGET_TIME], self._minutes))
        with tf.control_dependencies(checks):
            raw = {name: tf.identity(values) for name, values in raw.items()}
        scaled = self._transform(raw)
        out = self._model({name: scaled[name] for name in self._model.input}, training=False)
        flow = tf.maximum((out + 1.0) / 2.0 * (self._high - self._low) + self._low, 0.0)
        answers = {features.FLOW: flow}
        if self._quantiles is not None:
            answers[features.QUANTILES] = self._quantiles(flow, raw[features.TARGET_TIME])
        return answers


def _in_range(contract: schema_pb2.Feature, values: tf.Tensor) -> tf.Operation:
    """Fails if a value is not finite or outside the bounds of the data contract."""
    domain = getattr(contract, contract.WhichOneof("domain_info"))
    low, high = (tf.constant(bound, values.dtype) for bound in (domain.min, domain.max))
    good = (values >= low) & (values <= high)  # false for NaN
    first = tf.boolean_mask(values, ~good)[:1]
    message = (
        f"{contract.name}: expected finite values within {domain.min:g}..{domain.max:g}. Received"
    )
    return tf.debugging.Assert(tf.reduce_all(good), [message, first])


def _on_raster(times: tf.Tensor, minutes: int) -> tf.Operation:
    """Fails if a time is not an interval boundary."""
    off = tf.reduce_max(times % minutes)
    message = f"{features.TARGET_TIME}: expected starts of {minutes}-minute intervals. Received one off by"
    return tf.debugging.Assert(off == 0, [message, off, "minutes"])


def _few_enough(values: tf.Tensor) -> tf.Operation:
    """Fails if a request has more windows than a server should hold at once."""
    count = tf.shape(values)[0]
    message = f"expected at most {features.MAX_BATCH} windows in a request. Received"
    return tf.debugging.Assert(count <= features.MAX_BATCH, [message, count])


def export(
    model: keras.Model,
    graph: tft.TFTransformOutput,
    low: float,
    high: float,
    config: Config,
    account: dict[str, Any],
    folder: str,
    warmup: Mapping[str, np.ndarray],
    spread: Spread | None = None,
) -> None:
    """Writes the SavedModel.

    `serving_default` takes dense raw windows by name, `serving_examples` serialized tf.Examples. Both answer
    `flow`, float32 `[batch, h, H, W, 2]`, inflow then outflow, in trips per interval, never below zero, and with a
    spread `quantiles`, `[batch, h, H, W, 2, Q]`. They fail with an InvalidArgument that names the input where a
    value is outside the data contract. `account` answers what the model says of itself, to any query.

    Args:
      model: in float32, with its final weights.
      graph: the Transform output.
      low: the flow that scales to -1.
      high: the flow that scales to 1.
      config: for the inputs' names.
      account: the settings and data of the training, saved in the model and next to it as JSON.
      folder: folder to write.
      warmup: raw windows, `[n, ...]` by name, which a server runs before it takes requests.
      spread: of flows around the forecasts, for the quantiles.
    """
    served = _Served(model, graph, low, high, config, spread)
    raw = graph.raw_feature_spec()
    spec = {name: raw[name] for name in raw_inputs(config)}
    text = json.dumps(account, indent=2)

    @tf.function(
        input_signature=[
            {name: tf.TensorSpec([None, *s.shape], s.dtype, name=name) for name, s in spec.items()}
        ]
    )
    def dense(inputs):
        with tf.control_dependencies([_few_enough(inputs[features.TARGET_TIME])]):
            return served({name: tf.identity(values) for name, values in inputs.items()})

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=features.EXAMPLES)])
    def examples(serialized):
        return served(tf.io.parse_example(serialized, spec))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=features.QUERY)])
    def about(query):
        return {features.ACCOUNT: tf.fill(tf.shape(query), text)}

    signatures = {
        features.DENSE_SIGNATURE: dense,
        features.EXAMPLES_SIGNATURE: examples,
        features.ACCOUNT_SIGNATURE: about,
    }
    tf.saved_model.save(served, folder, signatures=signatures)
    _write_account(text, folder)
    write_warmup({name: warmup[name] for name in spec}, folder)


def _write_account(text: str, folder: str) -> None:
    path = os.path.join(folder, features.ACCOUNT_FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(text)
