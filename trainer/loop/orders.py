"""The order of the windows in an epoch, and its batches."""

from collections.abc import Sequence

import numpy as np


def epoch_order(size: int, seed: int, phase: int, epoch: int) -> np.ndarray:
    """The order of an epoch's windows, int64 `[size]`.

    It depends on seed, phase and epoch alone, so a resumed training sees the same order.
    """
    return np.random.default_rng([seed, phase, epoch]).permutation(size)


def batches(orders: Sequence[np.ndarray], size: int) -> list[np.ndarray]:
    """The steps of an epoch, by the shape of their batches: whole ones, and a smaller last one if there is any.

    Args:
      orders: of each network, int64 `[m]`.
      size: windows in a batch.

    Returns:
      int64 `[steps, n, size]` and `[1, n, rest]`, without those that are empty.
    """
    stacked = np.stack(orders)  # [n, m]
    whole = stacked.shape[1] // size * size
    steps = stacked[:, :whole].reshape(len(orders), -1, size).swapaxes(0, 1)
    return [part for part in (steps, stacked[None, :, whole:]) if part.size]
