"""Windows in a device's memory: all of them once, or block by block where they take too much of it."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from crowdflow.schema import features
from crowdflow.trainer.windows import Windows, shared_tensor

# One that trains, one that is copied, one that is not yet given back.
_BLOCKS = 3


class Placed(NamedTuple):
    """Windows on a device, in the form of `Windows`.

    Attributes:
      maps: float32 `[maps, H, W, 2]`, as the linear parts of the network need them.
      rows: int64 `[m, k]` by feature; TensorFlow keeps int32 in the host's memory.
      values: `[m, ...]` by feature.
    """

    maps: tf.Tensor
    rows: Mapping[str, tf.Tensor]
    values: Mapping[str, tf.Tensor]

    def take(self, chosen: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """The inputs and targets of the windows of these numbers, int64 `[...]`: each `[..., k, H, W, 2]`."""
        found = {
            name: tf.gather(self.maps, tf.gather(rows, chosen)) for name, rows in self.rows.items()
        }
        found |= {name: tf.gather(part, chosen) for name, part in self.values.items()}
        return found, found.pop(features.TARGET)


class Feed:
    """Gives a device the windows of an epoch.

    Args:
      windows: all of them.
      inputs: names of the model's inputs.
      device: TensorFlow's name of the device.
      most: bytes that windows may take there; None is any number.
    """

    def __init__(self, windows: Windows, inputs: Sequence[str], device: str, most: int | None):
        names = {*inputs, features.TARGET}
        self._windows = Windows(
            windows.maps,
            {name: rows.astype(np.int64) for name, rows in windows.rows.items() if name in names},
            {name: part for name, part in windows.values.items() if name in names},
        )
        self.device = device
        parts = self._windows.references()
        self._each = sum(part[:1].nbytes for _, part in parts)  # bytes of a window without maps
        size = self._windows.maps.nbytes + self._each * self._windows.count
        self._most = None if most is None or size <= most else most
        self._whole = self._place(self._windows) if self._most is None else None

    def blocks(self, order: np.ndarray) -> Iterator[tuple[Placed, np.ndarray]]:
        """Windows on the device, and which of them to take: in all, the windows of the order, step after step.

        Args:
          order: numbers of windows, int64 `[steps, ...]`.
        """
        if self._whole is not None:
            yield self._whole, order
            return
        steps = self._steps(order[:1].size)
        # It copies a block while the caller trains on the one before.
        with ThreadPoolExecutor(1) as other:
            following = other.submit(self._block, order[:steps])
            for start in range(steps, len(order) + steps, steps):
                ready = following.result()
                if start < len(order):
                    following = other.submit(self._block, order[start : start + steps])
                yield ready

    def _steps(self, width: int) -> int:
        """The steps of a block, by the windows of a step, each with maps that no other has."""
        maps = self._windows.maps
        each = self._each + self._maps_of_each() * maps[:1].nbytes
        return max(1, self._most // _BLOCKS // (width * each))

    def _maps_of_each(self) -> int:
        return sum(rows.shape[1] for rows in self._windows.rows.values())

    def _block(self, order: np.ndarray) -> tuple[Placed, np.ndarray]:
        """The windows of some steps; shapes depend on the number of steps alone, so that one graph fits."""
        numbers, inverse = np.unique(order, return_inverse=True)
        part = self._windows.part(np.resize(numbers, order.size))
        used = np.unique(np.concatenate([rows.ravel() for rows in part.rows.values()]))
        rows = {name: np.searchsorted(used, rows) for name, rows in part.rows.items()}
        count = min(order.size * self._maps_of_each(), len(part.maps))
        maps = part.maps[np.resize(used, count)]
        block = dataclasses.replace(part, maps=maps, rows=rows)
        return self._place(block), inverse.reshape(order.shape)

    def _place(self, windows: Windows) -> Placed:
        with tf.device("CPU:0"):
            here = Placed(
                shared_tensor(windows.maps),
                {name: tf.constant(rows) for name, rows in windows.rows.items()},
                {name: tf.constant(part) for name, part in windows.values.items()},
            )
        with tf.device(self.device):
            return tf.nest.map_structure(tf.identity, here)
