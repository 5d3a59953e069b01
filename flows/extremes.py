"""The few windows in which the extremes of many lie: scaling constants need no others. Pure numpy."""

from collections.abc import Mapping, Sequence

import numpy as np

from crowdflow.config import WindowConfig
from crowdflow.flows.windows import averaged_offsets, locate, window_offsets
from crowdflow.schema import features
from crowdflow.schema.intervals import MINUTES_PER_DAY

# Covariates that the model scales by their smallest and largest known value.
_SCALED = (features.TEMPERATURE, features.WIND_SPEED, features.WEATHER_VALUES)


def flow_extremes(
    origins: np.ndarray,
    frames: tuple[np.ndarray, np.ndarray],
    averages: tuple[np.ndarray, np.ndarray],
    windows: WindowConfig,
    minutes: int,
) -> np.ndarray:
    """The smallest and the largest flow of each window, in its lags, averages and targets.

    Args:
      origins: first target intervals, int64 `[m]`.
      frames: starts, int64 `[n]`, ascending, and the smallest and largest flow of each frame, float32 `[n, 2]`.
      averages: the same of the averages; not used where the windows have none.
      windows: lags and horizon.
      minutes: length of an interval.

    Returns:
      float32 `[m, 2]`, trips per interval.
    """
    found = []
    for name, offsets in window_offsets(windows, MINUTES_PER_DAY // minutes).items():
        starts, bounds = frames
        if name == features.AVERAGE:
            offsets, (starts, bounds) = averaged_offsets(windows), averages
        found.append(bounds[locate(starts, origins[:, None] + offsets * minutes)])  # [m, k, 2]
    every = np.concatenate(found, axis=1)
    return np.stack([every[..., 0].min(axis=1), every[..., 1].max(axis=1)], axis=1)


def extreme_windows(flows: np.ndarray, covariates: Mapping[str, np.ndarray]) -> np.ndarray:
    """The windows that hold the smallest and the largest flow, and those of each covariate that is scaled.

    Args:
      flows: as `flow_extremes`, float32 `[m, 2]`.
      covariates: of each window, `[m, ...]` by name.

    Returns:
      Rows, int64, ascending; of equal windows the first.
    """
    rows = {int(flows[:, 0].argmin()), int(flows[:, 1].argmax())}
    known = np.flatnonzero(covariates.get(features.WEATHER_KNOWN, np.zeros(len(flows))) == 1)
    for column in _columns(covariates, known) if len(known) else ():
        rows |= {int(known[column.argmin()]), int(known[column.argmax()])}
    return np.array(sorted(rows), np.int64)


def _columns(covariates: Mapping[str, np.ndarray], known: np.ndarray) -> Sequence[np.ndarray]:
    """The known values of each scaled column."""
    parts = [covariates[name][known] for name in _SCALED if name in covariates]
    return [column for part in parts for column in part.reshape(len(known), -1).T]
