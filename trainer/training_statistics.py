"""Statistics of a model's training data, stored with the model for later drift checks."""

from collections.abc import Mapping

import numpy as np

from crowdflow.evaluation.drift.statistics import write_training_statistics
from crowdflow.schema import features


def write_statistics(
    splits: list[Mapping[str, np.ndarray]], low: float, high: float, folder: str
) -> None:
    """Writes the statistics of the first targets, back in trips.

    Args:
      splits: transformed windows, all that the model was trained on.
      low: the flow that scales to -1.
      high: the flow that scales to 1.
      folder: of the SavedModel.
    """
    starts = np.concatenate([split[features.TARGET_TIME] for split in splits])
    scaled = np.concatenate([split[features.TARGET][:, 0] for split in splits])  # [n, H, W, 2]
    maps = (scaled + np.float32(1.0)) / np.float32(2.0) * np.float32(high - low) + np.float32(low)
    write_training_statistics(starts, maps, folder)
