"""Windows in memory."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from crowdflow.schema import features
from crowdflow.schema.errors import DataError
from crowdflow.trainer import input_fn
from crowdflow.trainer.inputs import raw_inputs
from crowdflow.trainer.windows import join


def test_a_window_is_gathered_as_it_is_written_out(world):
    """References and windows in full give what the Transform graph makes of the raw windows."""
    patterns = {split: world.files(split) for split in ("train", "eval", "test")}
    layer = world.graph.transform_features_layer()
    for split, windows in input_fn.load_splits(patterns, world.graph, world.config).items():
        order = np.argsort(world.raw[split][features.TARGET_TIME])
        raw = {name: tf.constant(values[order]) for name, values in world.raw[split].items()}
        expected = layer(raw)
        assert sorted(windows) == sorted(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(windows[name], values, err_msg=name)


def test_the_first_windows_of_a_split_are_raw(world):
    found = input_fn.load_some(world.files("eval"), world.graph, world.config, 3)
    order = np.argsort(world.raw["eval"][features.TARGET_TIME])[:3]
    assert sorted(found) == sorted(raw_inputs(world.config))
    for name, values in found.items():
        np.testing.assert_array_equal(values, world.raw["eval"][name][order], err_msg=name)


def test_a_splits_order_on_disk_does_not_matter(world, splits, tmp_path):
    read = tf.data.TFRecordDataset(tf.io.gfile.glob(world.files("train")[0]), "GZIP")
    records = [record.numpy() for record in read]
    order = np.random.default_rng(3).permutation(len(records))
    for name in ("frames", "averages"):
        shutil.copytree(world.folder / name, tmp_path / name)
    shards = tmp_path / "Split-train"
    shards.mkdir()
    for part, rows in enumerate(np.array_split(order, 3)):
        with tf.io.TFRecordWriter(str(shards / f"shard-{part}"), "GZIP") as writer:
            for row in rows:
                writer.write(records[row])
    patterns = {"train": [str(shards / "*")]}
    again = input_fn.load_splits(patterns, world.graph, world.config)["train"]
    assert sorted(again) == sorted(splits["train"])
    for name, values in splits["train"].items():
        np.testing.assert_array_equal(again[name], values)
    times = again[features.TARGET_TIME]
    np.testing.assert_array_equal(times, np.sort(world.raw["train"][features.TARGET_TIME]))


def test_a_split_without_windows_is_an_error_that_names_the_place(world, tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path}.*found none"):
        input_fn.load_splits({"train": [str(tmp_path / "*")]}, world.graph, world.config)


def test_joined_splits_keep_their_order(splits):
    both = join(splits["train"], splits["eval"])
    for name, values in both.items():
        np.testing.assert_array_equal(values[:13], splits["train"][name])
        np.testing.assert_array_equal(values[13:], splits["eval"][name])
