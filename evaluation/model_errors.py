"""Errors of a SavedModel on windows, without TFMA."""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from crowdflow.evaluation.window_files import parse_windows
from crowdflow.flows.metrics import ErrorSums
from crowdflow.schema import features


def model_errors(
    folder: str | os.PathLike, batches: Iterable[Sequence[bytes]], shape: Sequence[int]
) -> ErrorSums:
    """Sums a model's errors on windows; every cell counts as active.

    Args:
      folder: of the SavedModel.
      batches: windows as tf.Examples.
      shape: of a target, `[h, H, W, 2]`.

    Raises:
      ValueError: an answer has another shape, or is not finite. What TensorFlow raises is passed on.
    """
    answer = tf.saved_model.load(str(folder)).signatures[features.EXAMPLES_SIGNATURE]
    spec = {features.TARGET: tf.io.FixedLenFeature(shape, tf.float32)}
    sums = ErrorSums.zero(shape[0])
    for batch in batches:
        flow = answer(tf.constant(batch))[features.FLOW].numpy()
        if flow.shape != (len(batch), *shape):
            raise ValueError(
                f"expected an answer of shape {(len(batch), *shape)}, received {flow.shape}"
            )
        if not np.all(np.isfinite(flow)):
            raise ValueError("its answer is not finite")
        truth = parse_windows(batch, spec)[features.TARGET]
        sums.add(truth, flow, shape[1] * shape[2])
    return sums
