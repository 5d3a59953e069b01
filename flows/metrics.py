"""Errors of forecasts in real units: sums over whole arrays, never means of batch means. Pure numpy."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from crowdflow.schema import features

RMSE_ACTIVE, MAE_ACTIVE = "rmse_active_cells", "mae_active_cells"
NAMES = (
    RMSE_ACTIVE,
    "rmse_all_cells",
    MAE_ACTIVE,
    "mae_all_cells",
    "inflow_rmse_active_cells",
    "outflow_rmse_active_cells",
)


def step_name(step: int) -> str:
    """The name of the metric of one horizon step, counted from 1."""
    return f"{RMSE_ACTIVE}_step_{step}"


def names(horizon: int) -> tuple[str, ...]:
    """The names of all metrics; those of single steps only where the horizon has several."""
    steps = tuple(step_name(step) for step in range(1, horizon + 1)) if horizon > 1 else ()
    return NAMES + steps


@dataclasses.dataclass
class ErrorSums:
    """Summed errors of forecasts.

    "Active cells" follows the paper: the sums run over **all** cells and are divided by the number of cells
    that ever have flow (here: before the test period), so an error in an empty cell still counts.

    Attributes:
      squared: sum of squared errors by step and direction, float64 `[h, 2]`, trips squared.
      absolute: sum of absolute errors, float64 `[h, 2]`, trips.
      all_cells: windows times cells: the number of values in each sum.
      active_cells: windows times active cells.
    """

    squared: np.ndarray
    absolute: np.ndarray
    all_cells: int = 0
    active_cells: int = 0

    @classmethod
    def zero(cls, horizon: int) -> "ErrorSums":
        """Sums over no windows."""
        shape = (horizon, len(features.CHANNELS))
        return cls(np.zeros(shape), np.zeros(shape))

    def add(self, truth: np.ndarray, forecast: np.ndarray, active: int) -> "ErrorSums":
        """Adds the errors of windows.

        Args:
          truth: float `[..., h, H, W, 2]`, trips per interval.
          forecast: the same shape and unit.
          active: number of active cells in the grid.

        Raises:
          ValueError: the shapes differ.
        """
        if truth.shape != forecast.shape:
            raise ValueError(
                f"Expected a forecast of shape {truth.shape}. Received: {forecast.shape}."
            )
        horizon, rows, cols, flows = truth.shape[-4:]
        error = np.subtract(forecast, truth, dtype=np.float64)
        error = error.reshape(-1, horizon, rows * cols, flows)
        self.squared = self.squared + np.einsum("nhcf,nhcf->hf", error, error)
        self.absolute = self.absolute + np.abs(error).sum(axis=(0, 2))
        return self._count(len(error), rows * cols, active)

    def _count(self, windows: int, cells: int, active: int) -> "ErrorSums":
        self.all_cells += windows * cells
        self.active_cells += windows * active
        return self

    def merge(self, other: "ErrorSums") -> "ErrorSums":
        """Adds another forecast's sums to these."""
        self.squared = self.squared + other.squared
        self.absolute = self.absolute + other.absolute
        self.all_cells += other.all_cells
        self.active_cells += other.active_cells
        return self

    def metrics(self) -> dict[str, float]:
        """The metrics by name, in trips per interval; NaN where nothing was summed."""
        horizon, flows = self.squared.shape
        every, active = (max(n, 0) * horizon * flows for n in (self.all_cells, self.active_cells))
        found = {
            RMSE_ACTIVE: _root(self.squared.sum(), active),
            "rmse_all_cells": _root(self.squared.sum(), every),
            "mae_active_cells": _mean(self.absolute.sum(), active),
            "mae_all_cells": _mean(self.absolute.sum(), every),
        }
        for channel, name in enumerate(features.CHANNELS):
            found[f"{name}_{RMSE_ACTIVE}"] = _root(self.squared[:, channel].sum(), active // flows)
        if horizon > 1:
            for step in range(horizon):
                total = self.squared[step].sum()
                found[step_name(step + 1)] = _root(total, active // horizon)
        return found


def add_forecasts(
    sums: Sequence[ErrorSums], truth: np.ndarray, forecasts: np.ndarray, active: int
) -> None:
    """Adds several forecasts of one window, each to its own sums, in one pass.

    Args:
      sums: one per forecast.
      truth: float `[h, H, W, 2]`, trips per interval.
      forecasts: float `[n, h, H, W, 2]`.
      active: number of active cells in the grid.
    """
    error = np.subtract(forecasts, truth, dtype=np.float64)
    squared = np.einsum("nhrcf,nhrcf->nhf", error, error)
    absolute = np.abs(error).sum(axis=(2, 3))
    for each, its_squared, its_absolute in zip(sums, squared, absolute, strict=True):
        each.squared += its_squared
        each.absolute += its_absolute
        each._count(1, truth.shape[-3] * truth.shape[-2], active)


def _mean(total: float, count: int) -> float:
    return float(total / count) if count else float("nan")


def _root(total: float, count: int) -> float:
    return float(np.sqrt(_mean(total, count)))
