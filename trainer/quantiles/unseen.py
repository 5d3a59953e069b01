"""Forecasts of days that the forecasting networks have not been trained on, and what came."""

import dataclasses
import io
from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from crowdflow.schema import features
from crowdflow.trainer.quantiles.folds import FOLDS, fold_of_member, folds_of
from crowdflow.trainer.windows import Windows, in_order

# Windows that networks forecast at once, whichever is less.
_AT_ONCE, _BYTES_AT_ONCE = 256, 8 << 20


@dataclasses.dataclass(frozen=True, eq=False)
class Unseen:
    """Forecasts and flows, in trips per interval.

    Attributes:
      times: first target intervals, wall-clock minutes, int64 `[n]`.
      forecasts: float32 `[n, h, H, W, 2]`, not below zero.
      flows: what came, of the same shape.
    """

    times: np.ndarray
    forecasts: np.ndarray
    flows: np.ndarray

    def save(self, path: str) -> None:
        """Writes them as one `.npz` file, anywhere that TensorFlow writes."""
        content = io.BytesIO()  # a GFile is no place for a zip, which goes back in it
        np.savez_compressed(content, **vars(self))
        with tf.io.gfile.GFile(path, "wb") as file:
            file.write(content.getvalue())

    @classmethod
    def load(cls, path: str) -> "Unseen":
        """Reads what `save` has written."""
        with tf.io.gfile.GFile(path, "rb") as file:
            content = io.BytesIO(file.read())
        with np.load(content) as arrays:
            return cls(**arrays)


def join(parts: Iterable[Unseen]) -> Unseen:
    """All of them, one after the other."""
    columns = zip(*(vars(part).values() for part in parts))
    return Unseen(*(np.concatenate(column) for column in columns))


def forecast_unseen(
    members: Sequence[keras.Model],
    windows: Windows,
    low: float,
    high: float,
    left_out: bool,
) -> Unseen:
    """The forecasts of `eval` by the members that have not been trained on the window's day.

    Args:
      members: of the ensemble, in order, in float32.
      windows: transformed windows of `eval`.
      low: the flow that scales to -1.
      high: the flow that scales to 1.
      left_out: whether each member has left out its fold; else none has been trained on any of the windows.
    """
    if not left_out:
        return _forecast(members, windows, low, high)
    folds = folds_of(windows[features.TARGET_TIME])
    found = []
    for fold in range(min(len(members), FOLDS)):
        chosen = [m for number, m in enumerate(members, 1) if fold_of_member(number) == fold]
        part = windows.part(np.flatnonzero(folds == fold))
        if part.count:
            found.append(_forecast(chosen, part, low, high))
    return join(found)


def mean_forecast(members: Sequence[keras.Model], windows: Windows) -> np.ndarray:
    """The mean of networks' forecasts of transformed windows, in [-1, 1] units, float32 `[n, h, H, W, 2]`."""
    size = max(1, min(_AT_ONCE, _BYTES_AT_ONCE // windows.bytes_of_each()))
    inputs = in_order(windows, list(members[0].input), size)
    for member in members:
        member.steps_per_execution = 1  # `predict` would hold as many batches as a call trained on
    return np.mean([member.predict(inputs, verbose=0) for member in members], axis=0)


def _forecast(members: Sequence[keras.Model], windows: Windows, low: float, high: float) -> Unseen:
    mean = mean_forecast(members, windows)
    half = np.float32((high - low) / 2)
    forecasts, flows = (
        (part + 1) * half + np.float32(low) for part in (mean, windows[features.TARGET])
    )
    # Scaling there and back moves a count by a rounding error.
    return Unseen(windows[features.TARGET_TIME], np.maximum(forecasts, 0), np.round(flows, 3))
