"""Windows in memory, and the order in which an epoch takes them."""

import itertools
import shutil

import numpy as np
import pytest
import tensorflow as tf

from crowdflow.schema import features
from crowdflow.schema.errors import DataError
from crowdflow.trainer import input_fn
from crowdflow.trainer.inputs import raw_inputs
from crowdflow.trainer.windows import Windows, join

SIZE = 11


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


def test_the_order_of_an_epoch_depends_on_seed_phase_and_epoch_alone():
    orders = {
        key: tuple(input_fn.epoch_order(SIZE, *key).tolist())
        for key in itertools.product((1, 2), (1, 2), (0, 1))
    }
    assert len(set(orders.values())) == len(orders)
    assert all(sorted(order) == list(range(SIZE)) for order in orders.values())
    for key, order in orders.items():
        assert tuple(input_fn.epoch_order(SIZE, *key).tolist()) == order


def taken(batches, first_epoch=0, batch_size=4, steps=3, size=SIZE):
    """The first `batches` batches as lists of window numbers, inputs and target alike."""
    numbers = np.arange(SIZE + 2, dtype=np.float32)
    maps = np.concatenate([numbers, 100 + numbers]).reshape(-1, 1, 1, 1)
    rows = np.arange(len(numbers), dtype=np.int32)[:, None]
    rows = {"closeness": rows, "target": len(numbers) + rows}
    windows = Windows(maps, rows, {"unused": numbers})
    data = input_fn.batches(windows, ["closeness"], size, batch_size, steps, 7, 1, first_epoch)
    found = []
    for inputs, target in data.take(batches):
        assert list(inputs) == ["closeness"]
        np.testing.assert_array_equal(inputs["closeness"] + 100, target)
        found.append(inputs["closeness"].numpy().ravel().astype(int).tolist())
    return found


def test_every_epoch_takes_each_window_once_and_keeps_the_last_partial_batch():
    found = taken(6)
    assert [len(batch) for batch in found] == [4, 4, 3, 4, 4, 3]
    for epoch in (0, 1):
        rows = sum(found[3 * epoch : 3 * epoch + 3], [])
        assert rows == input_fn.epoch_order(SIZE, 7, 1, epoch).tolist()


@pytest.mark.parametrize("steps", [3, 2])
def test_a_resumed_training_sees_what_an_undisturbed_one_would(steps):
    undisturbed = taken(4 * steps, steps=steps)
    assert taken(2 * steps, first_epoch=2, steps=steps) == undisturbed[2 * steps :]


def test_a_cut_epoch_is_the_start_of_its_order():
    found = taken(4, steps=2)
    assert found[2] + found[3] == input_fn.epoch_order(SIZE, 7, 1, 1)[:8].tolist()


def test_windows_beyond_the_size_are_not_taken():
    """Phase 1 has train and eval in one array, and must not see eval."""
    assert max(sum(taken(3), [])) == SIZE - 1
