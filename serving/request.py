"""Builds requests from recent flows, by the same definition of a window as training."""

from collections.abc import Sequence

import numpy as np

from crowdflow.config import Config
from crowdflow.flows import windows as pure
from crowdflow.flows.usual import holiday_days
from crowdflow.ingest.history import History
from crowdflow.schema import features
from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import MINUTES_PER_DAY, format_start
from crowdflow.trainer.inputs import inputs_of


def build(
    history: History, targets: np.ndarray, config: Config, holidays: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """The inputs of `serving_default`.

    Args:
      history: frames up to the times of the forecasts; later ones are not used.
      targets: starts of the first target intervals, wall-clock minutes, int64 `[m]`.
      config: of the model: intervals, ingest and windows are used.
      holidays: dates YYYY-MM-DD of the country's table in the model; a holidays file's are in the history.

    Returns:
      Arrays `[m, ...]` by name, as `trainer.inputs.raw_inputs` lists them.

    Raises:
      DataError: a time starts no interval, or a lag has no frame; names the forecast, the lag and its time.
    """
    targets = np.asarray(targets, np.int64)
    minutes, windows = config.intervals.minutes, config.windows
    for target in targets[targets % minutes != 0]:
        raise DataError(
            f"{format_start(target)}: expected the start of a {minutes}-minute interval."
        )
    starts = history.frames.starts
    for target, label, time in pure.missing_lags(starts, targets, windows, minutes):
        raise DataError(
            f"Forecast of {format_start(target)}: expected a frame at {format_start(time)} ({label}), found "
            f"none. Frames: {len(starts):,} from {format_start(starts[0])} to {format_start(starts[-1])}."
        )
    days_off = _days_off(history, targets, config, holidays)
    covariates = history.covariates(targets, config)
    return inputs_of(starts, history.frames.maps, targets, covariates, days_off, config)


def _days_off(
    history: History, targets: np.ndarray, config: Config, holidays: Sequence[str]
) -> np.ndarray:
    """The holidays of the frames and the targets, days since 1970-01-01."""
    if not config.ingest.holidays:
        return holiday_days(holidays)
    last = targets + (config.windows.horizon - 1) * config.intervals.minutes
    days = np.unique(np.concatenate([history.frames.starts, targets, last]) // MINUTES_PER_DAY)
    known = history.covariates(days * MINUTES_PER_DAY, config)
    return days[known[features.HOLIDAY] == 1]
