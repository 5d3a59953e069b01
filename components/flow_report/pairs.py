"""Pairs of true and predicted flows, counted in bins."""

import numpy as np


class Pairs:
    """How often each pair of true and predicted flow came, in square bins, whose number is fixed.

    Attributes:
      counts: int64 `[2, bins, bins]` by direction, true and predicted flow.
      top: the flow at the upper edge of the bins.
      largest: the largest flow, at least 1.
    """

    BINS = 512

    def __init__(self):
        self.counts = np.zeros((2, self.BINS, self.BINS), np.int64)
        self.top = self.largest = 1.0

    def add(self, true: np.ndarray, predicted: np.ndarray) -> None:
        """Counts the pairs of `true` and `predicted`, float `[k, 2]`, none below zero."""
        self.largest = max(self.largest, float(np.max([true, predicted], initial=0)))
        half = self.BINS // 2
        while self.largest > self.top:  # bins of twice the width
            merged = self.counts.reshape(2, half, 2, half, 2).sum(axis=(2, 4))
            self.counts = np.pad(merged, ((0, 0), (0, half), (0, half)))
            self.top *= 2
        bins = [
            np.minimum(v / self.top * self.BINS, self.BINS - 1).astype(int)
            for v in (true, predicted)
        ]
        for channel in range(2):
            flat = bins[0][:, channel] * self.BINS + bins[1][:, channel]
            added = np.bincount(flat, minlength=self.BINS**2)
            self.counts[channel] += added.reshape(self.BINS, self.BINS)

    def points(self, channel: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The true and the predicted flow at the middle of each bin with pairs, and their number, `[k]` each."""
        true, predicted = np.nonzero(self.counts[channel])
        middle = (np.stack([true, predicted]) + 0.5) * self.top / self.BINS
        return *middle, self.counts[channel][true, predicted]
