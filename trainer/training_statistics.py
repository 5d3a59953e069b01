"""Statistics of a model's training data, stored with the model for later drift checks."""

from collections.abc import Sequence

import numpy as np

from crowdflow.evaluation.drift.profile import Profile, merge, profile
from crowdflow.evaluation.drift.statistics import write_training_statistics
from crowdflow.schema import features
from crowdflow.trainer.windows import Windows

_BATCH = 1024


def write_statistics(splits: Sequence[Windows], low: float, high: float, folder: str) -> None:
    """Writes the statistics of the first targets, back in trips.

    Args:
      splits: all windows that the model was trained on.
      low: the flow that scales to -1.
      high: the flow that scales to 1.
      folder: of the SavedModel.
    """
    parts = (part for split in splits for part in split.parts(_BATCH))
    write_training_statistics(merge(_profile(part, low, high) for part in parts), folder)


def _profile(windows: Windows, low: float, high: float) -> Profile:
    scaled = windows.maps[windows.rows[features.TARGET][:, 0]]  # [n, H, W, 2]
    maps = (scaled + np.float32(1.0)) / np.float32(2.0) * np.float32(high - low) + np.float32(low)
    return profile(windows[features.TARGET_TIME], maps)
