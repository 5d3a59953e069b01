"""Loads windows into memory once and batches them by index: nothing is decoded inside the training loop."""

import itertools
import re
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from crowdflow.flows.holiday_table import PAST_TABLE
from crowdflow.schema import features
from crowdflow.schema.errors import DataError

_READ_BATCH = 512


def load_split(patterns: Sequence[str], graph: tft.TFTransformOutput) -> dict[str, np.ndarray]:
    """Reads a split's windows and applies the Transform graph.

    Args:
      patterns: file patterns of gzipped TFRecords.
      graph: the Transform output.

    Returns:
      Transformed feature name -> array `[n, ...]`, in order of target time, whatever the order on disk.

    Raises:
      DataError: there are no windows, or one is past the end of the graph's table of holidays.
    """
    layer = graph.transform_features_layer()
    dataset = _raw_windows(patterns, graph).map(layer).prefetch(1)
    try:
        parts = [{name: values.numpy() for name, values in batch.items()} for batch in dataset]
    except tf.errors.InvalidArgumentError as error:
        past_table = re.search(PAST_TABLE.format(".*"), str(error))
        if past_table is None:
            raise
        raise DataError(f"{', '.join(patterns)}: {past_table[0]}.") from None
    if not parts:
        raise DataError(f"Expected windows in {', '.join(patterns)}, found none.")
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(arrays[features.TARGET_TIME], kind="stable")
    return {name: values[order] for name, values in arrays.items()}


def load_some(
    patterns: Sequence[str], graph: tft.TFTransformOutput, count: int
) -> dict[str, np.ndarray]:
    """The first `count` raw windows of a split by target time: `[n, ...]` by name."""
    found: dict[str, np.ndarray] = {}
    for batch in _raw_windows(patterns, graph):
        raw = {name: values.numpy() for name, values in batch.items()}
        both = join(found, raw) if found else raw
        first = np.argsort(both[features.TARGET_TIME], kind="stable")[:count]
        found = {name: values[first] for name, values in both.items()}
    return found


def _raw_windows(patterns: Sequence[str], graph: tft.TFTransformOutput) -> tf.data.Dataset:
    """Batches of raw windows, in the order of the files."""
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    spec = graph.raw_feature_spec()
    return (
        tf.data.TFRecordDataset(files, compression_type="GZIP", num_parallel_reads=1)
        .batch(_READ_BATCH)
        .map(lambda records: tf.io.parse_example(records, spec))
    )


def join(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Concatenates two splits."""
    return {name: np.concatenate([first[name], second[name]]) for name in first}


def epoch_order(size: int, seed: int, phase: int, epoch: int) -> np.ndarray:
    """The order of an epoch's windows, int64 `[size]`.

    It depends on seed, phase and epoch alone, so a resumed training sees the same order.
    """
    return np.random.default_rng([seed, phase, epoch]).permutation(size)


def batches(
    arrays: dict[str, np.ndarray],
    inputs: Sequence[str],
    size: int,
    batch_size: int,
    steps: int,
    seed: int,
    phase: int,
    first_epoch: int,
) -> tf.data.Dataset:
    """Endless training batches, with each window at most once per epoch.

    Args:
      arrays: transformed features, `[n, ...]` each.
      inputs: names of the model's inputs.
      size: train on the first `size` windows.
      batch_size: windows per batch; the last batch of an epoch may be smaller.
      steps: batches per epoch, from the start of its order.
      seed: seed of the order.
      phase: 1 or 2, part of the order's seed.
      first_epoch: the epoch at which a resumed training starts.

    Returns:
      Dataset of `(inputs, target)`.
    """

    def orders() -> Iterator[np.ndarray]:
        for epoch in itertools.count(first_epoch):
            yield epoch_order(size, seed, phase, epoch)[: steps * batch_size]

    with tf.device("CPU"):
        tensors = {name: tf.constant(arrays[name]) for name in (*inputs, features.TARGET)}

    def take(rows: tf.Tensor):
        found = {name: tf.gather(values, rows) for name, values in tensors.items()}
        return found, found.pop(features.TARGET)

    # Python runs once per epoch, never per batch.
    order = tf.TensorSpec([None], tf.int64)
    rows = tf.data.Dataset.from_generator(orders, output_signature=order).flat_map(
        lambda order: tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
    )
    return rows.map(take, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
