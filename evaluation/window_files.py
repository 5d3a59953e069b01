"""The targets of a split's windows, as the flows that they are."""

import os

import numpy as np
import tensorflow as tf

from crowdflow.config import Config
from crowdflow.schema import features
from crowdflow.schema.errors import DataError

_BATCH = 512


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
    shape = (config.windows.horizon, config.grid.rows, config.grid.cols, len(features.CHANNELS))
    spec = {
        features.TARGET: tf.io.FixedLenFeature(shape, tf.float32),
        features.TARGET_TIME: tf.io.FixedLenFeature([], tf.int64),
    }
    files = sorted(tf.io.gfile.glob(os.path.join(folder, "*")))
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_BATCH)
    batches = [tf.io.parse_example(batch, spec) for batch in records]
    if not batches:
        raise DataError(f"{folder}: expected windows, found none.")
    starts = np.concatenate([batch[features.TARGET_TIME].numpy() for batch in batches])
    maps = np.concatenate([batch[features.TARGET].numpy()[:, 0] for batch in batches])
    return starts, maps
