"""Quantiles inside the served graph, from the mean forecast and a spread."""

import numpy as np
import tensorflow as tf

from crowdflow.flows.quantiles import part_of_day
from crowdflow.trainer.quantiles.spread import Spread


class Quantiles:
    """Adds quantiles to mean forecasts, as `spread.quantiles` does.

    Args:
      spread: learnt; its tables become constants of the graph.
      minutes: length of an interval.
    """

    def __init__(self, spread: Spread, minutes: int):
        self._gap, self._minutes = spread.gap, minutes
        self._shape = spread.table.shape  # [h, G, K, Q]
        self._rows = spread.table.reshape(-1, self._shape[-1])
        self._groups = np.maximum(spread.groups, 0)
        self._alive = (spread.groups[0] >= 0)[..., None].astype(np.float32)

    def __call__(self, flow: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
        """The quantiles, trips per interval, float32 `[batch, h, H, W, 2, Q]`.

        Args:
          flow: mean forecasts, float32 `[batch, h, H, W, 2]`, not below zero.
          times: first target intervals, wall-clock minutes, int64 `[batch]`.
        """
        horizon, groups, knots, _ = self._shape
        steps = np.arange(horizon)
        part = part_of_day(times[:, None] + steps * self._minutes)  # [batch, h]
        position = tf.minimum(tf.sqrt(flow) / self._gap, knots - 1.0)
        knot = tf.minimum(tf.cast(position, tf.int32), knots - 2)
        share = (position - tf.cast(knot, tf.float32))[..., None]
        table = tf.constant((steps * groups).astype(np.int32)[:, None, None, None])
        row = (table + tf.gather(self._groups, part)) * knots + knot
        below, above = tf.gather(self._rows, row), tf.gather(self._rows, row + 1)
        distance = below * (1.0 - share) + above * share
        found = flow[..., None] + tf.sqrt(flow + 1.0)[..., None] * distance
        return tf.maximum(found, 0.0) * self._alive
