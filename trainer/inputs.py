"""The inputs of the pushed model."""

from collections.abc import Mapping

import numpy as np

from crowdflow.config import Config
from crowdflow.flows.windows import gather
from crowdflow.schema import features


def raw_inputs(config: Config) -> list[str]:
    """Names of the pushed model's raw inputs: lags, target time and covariates, in order."""
    ingest, lags = config.ingest, config.windows.lag_maps()
    known = features.covariates(ingest.holidays, ingest.weather, ingest.weather_columns)
    return [*lags, features.TARGET_TIME, *(covariate.name for covariate in known)]


def inputs_of(
    starts: np.ndarray,
    maps: np.ndarray,
    targets: np.ndarray,
    covariates: Mapping[str, np.ndarray],
    holidays: np.ndarray,
    config: Config,
) -> dict[str, np.ndarray]:
    """The inputs of `serving_default` for forecasts whose lags all have a frame.

    Args:
      starts: the frames' starts, wall-clock minutes, int64 `[n]`, ascending.
      maps: float32 `[n, H, W, 2]`, trips per interval; those from a target on are not used for it.
      targets: first target intervals, int64 `[m]`.
      covariates: of the targets, `[m, ...]` by name.
      holidays: days since 1970-01-01, int64, that are averaged apart from working days.
      config: of the model: intervals, ingest and windows.

    Returns:
      Arrays `[m, ...]` by name, as `raw_inputs` lists them.

    Raises:
      DataError: a lag has no frame.
    """
    windows, minutes = config.windows, config.intervals.minutes
    found = gather(starts, maps, targets, windows, minutes, holidays, with_target=False)
    found |= {**covariates, features.TARGET_TIME: targets}
    return {name: found[name] for name in raw_inputs(config)}
