"""The days of `eval` that each member of an ensemble leaves out, and so forecasts as days it has not seen."""

import numpy as np

from crowdflow.schema.intervals import MINUTES_PER_DAY

FOLDS = 4


def fold_of_member(number: int) -> int:
    """The fold that a member, counted from 1, leaves out."""
    return (number - 1) % FOLDS


def folds_of(times: np.ndarray) -> np.ndarray:
    """The fold of each window: the days are dealt out in turn, so every fold has each day of the week.

    Args:
      times: first target intervals, wall-clock minutes, int64 `[m]`.

    Returns:
      int64 `[m]`, within 0..3.
    """
    _, day = np.unique(times // MINUTES_PER_DAY, return_inverse=True)
    return day % FOLDS
