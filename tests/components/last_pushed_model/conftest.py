"""Windows with a known best naive forecast, and SavedModels good and bad to stand in a serving folder."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from worlds.evaluations import NOISE, SHAPE

from crowdflow.components.tf_examples import encode_columns
from crowdflow.schema import features


@pytest.fixture(scope="session")
def test_windows():
    """Columns of nine windows; `last_week` is the best naive forecast."""
    random = np.random.default_rng(4)
    truth = random.uniform(0, 20, (9, *SHAPE)).astype(np.float32)
    columns = {features.TARGET: truth, features.TARGET_TIME: np.arange(9) * 60}
    for name, noise in NOISE.items():
        forecast = truth + random.normal(0, noise, truth.shape)
        columns[features.naive_feature(name)] = forecast.astype(np.float32)
    return columns


@pytest.fixture(scope="session")
def serialized(test_windows):
    return encode_columns(test_windows)


@pytest.fixture(scope="session")
def save_model():
    """A function that writes a SavedModel whose `serving_examples` answers what `kind` says."""

    def answer(kind, examples):
        count = tf.shape(examples)[0]
        spec = {"target": tf.io.FixedLenFeature(SHAPE, tf.float32)}
        if kind == "asks_for_more":
            spec["humidity"] = tf.io.FixedLenFeature([], tf.float32)
        truth = tf.io.parse_example(examples, spec)["target"]
        if kind == "raises":
            with tf.control_dependencies([tf.debugging.assert_equal(count, 0, "not today")]):
                return {features.FLOW: truth + 0}
        if kind == "other_grid":
            return {features.FLOW: tf.zeros([count, 2, 4, 4, 2])}
        if kind == "exhausts":
            return {features.FLOW: tf.zeros([count, 2**20, 2**20, 2])}
        if kind == "not_finite":
            return {features.FLOW: truth * float("nan")}
        if kind == "other_output":
            return {"flows": truth}
        trips = 0.0 if kind == "asks_for_more" else float(kind)
        return {features.FLOW: truth + trips}  # wrong by so many

    def save(folder, kind="0"):
        folder = Path(folder)
        if kind == "garbage":
            folder.mkdir(parents=True)
            (folder / "saved_model.pb").write_bytes(b"\x00 not a protocol buffer \xff" * 9)
            return folder
        function = tf.function(
            lambda examples: answer(kind, examples),
            input_signature=[tf.TensorSpec([None], tf.string, name="examples")],
        )
        name = "serving_default" if kind == "other_signature" else features.EXAMPLES_SIGNATURE
        kind = "0" if kind == "other_signature" else kind
        tf.saved_model.save(tf.Module(), str(folder), signatures={name: function})
        return folder

    return save
