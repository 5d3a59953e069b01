"""The SavedModels that the Evaluator compares with."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from components.intervals import format_start
from trainer import features
from trainer.metrics import RMSE_ACTIVE, ErrorSums


def best_naive(serialized: Sequence[bytes], shape: Sequence[int]) -> str:
    """The naive forecast with the smallest RMSE on some windows.

    Args:
      serialized: windows as tf.Examples.
      shape: of a target, `[h, H, W, 2]`.
    """
    names = [features.TARGET, *map(features.naive_feature, features.NAIVE_FORECASTS)]
    spec = {name: tf.io.FixedLenFeature(shape, tf.float32) for name in names}
    parsed = tf.io.parse_example(list(serialized), spec)
    truth = parsed[features.TARGET].numpy()
    cells = shape[1] * shape[2]

    def rmse(source: str) -> float:
        forecast = parsed[features.naive_feature(source)].numpy()
        return ErrorSums.zero(shape[0]).add(truth, forecast, cells).metrics()[RMSE_ACTIVE]

    return min(features.NAIVE_FORECASTS, key=rmse)


def target_time(serialized: bytes) -> int:
    """When a window's first target interval starts, wall-clock minutes."""
    feature = tf.train.Example.FromString(serialized).features.feature[features.TARGET_TIME]
    return feature.int64_list.value[0]


def write_naive_model(source: str, shape: Sequence[int], folder: str) -> None:
    """Writes a SavedModel that answers a naive forecast that its windows carry."""
    name = features.naive_feature(source)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def examples(serialized):
        spec = {name: tf.io.FixedLenFeature(shape, tf.float32)}
        return {features.FLOW: tf.io.parse_example(serialized, spec)[name]}

    signatures = {features.EXAMPLES_SIGNATURE: examples}
    tf.saved_model.save(tf.Module(), folder, signatures=signatures)


def misfit(folder: Path, serialized: bytes, shape: Sequence[int], test_start: int) -> str | None:
    """Why a pushed model cannot be compared on today's windows, or None where it can.

    Args:
      folder: the version.
      serialized: a test window as tf.Example.
      shape: of an answer, `[h, H, W, 2]`.
      test_start: the first test window's target, wall-clock minutes. A model that was trained on any of the
        test period knows the answers.

    Whatever stands in a serving folder must not stop a run: any failure to load or answer is a misfit.
    """
    try:
        account = folder / features.ACCOUNT_FILE
        until = json.loads(account.read_text())[features.TRAINED_UNTIL] if account.exists() else -1
        if until >= test_start:
            return f"it was trained on targets up to {format_start(until)}, in the test period"
        model = tf.saved_model.load(str(folder))
        answer = model.signatures[features.EXAMPLES_SIGNATURE](tf.constant([serialized]))
        flow = answer[features.FLOW].numpy()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]
    if flow.shape != (1, *shape):
        return f"expected an answer of shape {(1, *shape)}, received {flow.shape}"
    if not np.all(np.isfinite(flow)):
        return "its answer is not finite"
    return None
