"""A SavedModel with the project's inputs and a graph of a few operations, to be served in tests."""

import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf

from crowdflow.schema import features

ROWS, COLS, HORIZON = 4, 3, 2
LAGS = {features.CLOSENESS: 3, features.PERIOD: HORIZON, features.TREND: HORIZON}
MAP = (ROWS, COLS, 2)
SPECS = {
    **{name: tf.TensorSpec([None, n, *MAP], tf.float32, name) for name, n in LAGS.items()},
    features.TARGET_TIME: tf.TensorSpec([None], tf.int64, features.TARGET_TIME),
    features.HOLIDAY: tf.TensorSpec([None], tf.int64, features.HOLIDAY),
    features.TEMPERATURE: tf.TensorSpec([None], tf.float32, features.TEMPERATURE),
}
NOT_FINITE = "closeness must be finite"


class _Tiny(tf.Module):
    def __init__(self, scale: float):
        super().__init__()
        self.scale = tf.Variable(float(scale), name="scale")

    def flow(self, raw):
        finite = tf.reduce_all(tf.math.is_finite(raw[features.CLOSENESS]))
        tf.debugging.Assert(finite, [NOT_FINITE])
        mean = sum(tf.reduce_mean(raw[name], 1) for name in LAGS) * self.scale
        shift = tf.cast(raw[features.TARGET_TIME] % 1440 + raw[features.HOLIDAY], tf.float32)
        shift += raw[features.TEMPERATURE]
        first = mean + tf.reshape(shift, [-1, 1, 1, 1])
        return {features.FLOW: tf.stack([first, first + 1.0], axis=1)}  # [n, h, H, W, 2]

    @tf.function(input_signature=[SPECS])
    def dense(self, raw):
        return self.flow(raw)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def examples(self, examples):
        spec = {
            name: tf.io.FixedLenFeature(spec.shape[1:], spec.dtype) for name, spec in SPECS.items()
        }
        return self.flow(tf.io.parse_example(examples, spec))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "words")])
    def words(self, words):
        return {"text": words, "text_bytes": words, "size": tf.strings.length(words)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, n) for n in ("top", "bottom")])
    def ratio(self, top, bottom):
        return {"ratio": top / bottom}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64, "steps")])
    def slow(self, steps):
        done = tf.while_loop(
            lambda step: step < steps, lambda step: [step + 1], [tf.constant(0, tf.int64)]
        )
        return {"done": done[0]}


def write(folder: Path, scale: float = 1.0) -> Path:
    """Writes the SavedModel.

    Signatures: `serving_default` and `serving_examples` answer `flow`, float32 `[batch, h, H, W, 2]`, which grows
    with `scale`, and raise where `closeness` is not finite; `words` gives strings back as `text`, `text_bytes` and
    `size`; `ratio` divides `top` by `bottom`, by zero too; `slow` counts to the scalar `steps`.

    Args:
      folder: where to; its name is the version's number.
      scale: tells versions apart.
    """
    model = _Tiny(scale)
    signatures = {
        features.DENSE_SIGNATURE: model.dense,
        features.EXAMPLES_SIGNATURE: model.examples,
        "words": model.words,
        "ratio": model.ratio,
        "slow": model.slow,
    }
    tf.saved_model.save(model, str(folder), signatures=signatures)
    return folder


def push(model: Path, base_path: Path, version: int) -> Path:
    """Copies a SavedModel to a version folder as Pusher does: aside, then renamed."""
    partial = base_path / f".push-{version}"
    shutil.copytree(model, partial)
    return partial.rename(base_path / str(version))


def inputs(count: int = 1, seed: int = 0) -> dict[str, np.ndarray]:
    """Random windows for `serving_default`, `[count, ...]` each."""
    random = np.random.default_rng(seed)
    made = {}
    for name, spec in SPECS.items():
        shape = (count, *spec.shape[1:])
        if spec.dtype == tf.int64:
            made[name] = random.integers(0, 1440, shape)
        else:
            made[name] = random.uniform(0, 50, shape).astype(np.float32)
    return made
