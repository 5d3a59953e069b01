"""Reads the windows of a split, a batch at a time."""

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from crowdflow.config import Config
from crowdflow.schema import features
from crowdflow.schema.errors import DataError

# A batch ends with the window that fills either.
_BATCH, _BATCH_BYTES = 256, 8 << 20


@dataclasses.dataclass(frozen=True)
class WindowFiles:
    """A split's windows in full: every iteration reads them anew, as batches of serialized tf.Examples.

    Attributes:
      folder: of the split, with gzipped TFRecords, which are read in the order of their names.
    """

    folder: str

    def __iter__(self) -> Iterator[list[bytes]]:
        files = sorted(tf.io.gfile.glob(os.path.join(self.folder, "*")))
        batch, size = [], 0
        for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
            batch.append(record)
            size += len(record)
            if len(batch) == _BATCH or size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def parsed(self, spec: Mapping[str, Any]) -> Iterator[dict[str, np.ndarray]]:
        """The batches as `parse_windows` returns them."""
        return (parse_windows(batch, spec) for batch in self)

    def target_times(self) -> np.ndarray:
        """Starts of the windows' first target intervals, wall-clock minutes, int64 `[n]`, in the order of reading.

        Raises:
          DataError: there are no windows.
        """
        spec = {features.TARGET_TIME: tf.io.FixedLenFeature([], tf.int64)}
        times = [batch[features.TARGET_TIME] for batch in self.parsed(spec)]
        if not times:
            raise DataError(f"{self.folder}: expected windows, found none.")
        return np.concatenate(times)

    def targets(self, config: Config) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Reads each window's first target.

        Args:
          config: for grid and horizon.

        Yields:
          For each batch, wall-clock minutes int64 `[b]`, and maps, trips per interval, float32 `[b, H, W, 2]`.
        """
        spec = {
            features.TARGET: tf.io.FixedLenFeature(target_shape(config), tf.float32),
            features.TARGET_TIME: tf.io.FixedLenFeature([], tf.int64),
        }
        for batch in self.parsed(spec):
            yield batch[features.TARGET_TIME], batch[features.TARGET][:, 0]


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
