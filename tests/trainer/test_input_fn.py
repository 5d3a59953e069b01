"""Windows in memory, and the order in which an epoch takes them."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from crowdflow.schema import features
from crowdflow.schema.errors import DataError
from crowdflow.trainer import input_fn

SIZE = 11


def test_a_splits_order_on_disk_does_not_matter(world, splits, tmp_path):
    read = tf.data.TFRecordDataset(tf.io.gfile.glob(world.files("train")[0]), "GZIP")
    records = [record.numpy() for record in read]
    order = np.random.default_rng(3).permutation(len(records))
    for part, rows in enumerate(np.array_split(order, 3)):
        with tf.io.TFRecordWriter(str(tmp_path / f"shard-{part}"), "GZIP") as writer:
            for row in rows:
                writer.write(records[row])
    again = input_fn.load_split([str(tmp_path / "*")], world.graph)
    assert sorted(again) == sorted(splits["train"])
    for name, values in splits["train"].items():
        np.testing.assert_array_equal(again[name], values)
    times = again[features.TARGET_TIME]
    np.testing.assert_array_equal(times, np.sort(world.raw["train"][features.TARGET_TIME]))


def test_a_split_without_windows_is_an_error_that_names_the_place(world, tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path}.*found none"):
        input_fn.load_split([str(tmp_path / "*")], world.graph)


def test_joined_splits_keep_their_order(splits):
    both = input_fn.join(splits["train"], splits["eval"])
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
    arrays = {"closeness": numbers[:, None], "target": 100 + numbers, "unused": numbers}
    data = input_fn.batches(arrays, ["closeness"], size, batch_size, steps, 7, 1, first_epoch)
    found = []
    for inputs, target in data.take(batches):
        assert list(inputs) == ["closeness"]
        np.testing.assert_array_equal(inputs["closeness"][:, 0] + 100, target)
        found.append(inputs["closeness"][:, 0].numpy().astype(int).tolist())
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
