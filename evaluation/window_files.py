"""Reads the windows of a split."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from crowdflow.config import Config
from crowdflow.schema import features
from crowdflow.schema.errors import DataError

_BATCH = 512


def read_windows(folder: str) -> list[bytes]:
    """Reads a split's windows as serialized tf.Examples, in the order of the file names.

    Args:
      folder: of the split, with gzipped TFRecords.
    """
    return [record.numpy() for record in _records(folder)]


def parse_windows(serialized: Sequence[bytes], spec: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Parses windows into one array per feature.

    Args:
      serialized: n windows as tf.Examples.
      spec: the parsing specification of each feature by its name.

    Returns:
      Arrays `[n, ...]` by feature, shaped and typed as in `spec`.
    """
    return {name: v.numpy() for name, v in tf.io.parse_example(list(serialized), spec).items()}


def target_shape(config: Config) -> tuple[int, int, int, int]:
    """The shape of a window's target, and of a forecast of it: `(h, H, W, 2)`."""
    grid = config.grid
    return config.windows.horizon, grid.rows, grid.cols, len(features.CHANNELS)


def read_targets(folder: str, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Reads each window's first target.

    Args:
      folder: of a split, with gzipped TFRecords.
      config: for grid and horizon.

    Returns:
      Wall-clock minutes of the targets, int64 `[n]`, and their maps, trips per interval, float32 `[n, H, W, 2]`.

    Raises:
      DataError: there are no windows.
    """
    spec = {
        features.TARGET: tf.io.FixedLenFeature(target_shape(config), tf.float32),
        features.TARGET_TIME: tf.io.FixedLenFeature([], tf.int64),
    }
    batches = [parse_windows(b.numpy(), spec) for b in _records(folder).batch(_BATCH)]
    if not batches:
        raise DataError(f"{folder}: expected windows, found none.")
    starts = np.concatenate([batch[features.TARGET_TIME] for batch in batches])
    maps = np.concatenate([batch[features.TARGET][:, 0] for batch in batches])
    return starts, maps


def _records(folder: str) -> tf.data.Dataset:
    files = sorted(tf.io.gfile.glob(os.path.join(folder, "*")))
    return tf.data.TFRecordDataset(files, compression_type="GZIP")
