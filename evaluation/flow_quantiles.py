"""How a model's quantiles are judged inside the Evaluator, beside those of a Poisson distribution."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from crowdflow.flows.metrics import ErrorSums
from crowdflow.flows.metrics import names as error_names
from crowdflow.flows.quantiles import MEDIAN, POISSON, QuantileSums, median_of, metric_names

MEDIAN_SOURCE = "median"  # as a forecast, beside the mean


def source_metric(source: str, name: str) -> str:
    """The name of another forecast's metric."""
    return f"{source}/{name}"


def names(levels: Sequence[float], horizon: int) -> list[str]:
    """The names of all metrics of quantiles."""
    found = [*metric_names(levels)]
    found += [source_metric(POISSON, name) for name in metric_names(levels)]
    if MEDIAN in levels:
        found += [source_metric(MEDIAN_SOURCE, name) for name in error_names(horizon)]
    return found


class Judged:
    """Sums over windows, of a model's quantiles and of those around the historical average.

    Args:
      levels: of the quantiles.
      horizon: steps h.
    """

    def __init__(self, levels: Sequence[float], horizon: int):
        self.model, self.poisson = QuantileSums.zero(levels), QuantileSums.zero(levels)
        self.median = ErrorSums.zero(horizon)

    def add(
        self, truth: np.ndarray, quantiles: np.ndarray, average: np.ndarray, active: np.ndarray
    ) -> None:
        """Adds a window.

        Args:
          truth: trips per interval, `[h, H, W, 2]`.
          quantiles: `[h, H, W, 2, Q]`.
          average: the historical average, `[h, H, W, 2]`.
          active: bool `[H, W]`.
        """
        levels = self.model.levels
        self.model.add(truth[:, active], quantiles[:, active])
        self.poisson.add(truth[:, active], poisson_quantiles(average[:, active], levels))
        middle = median_of(quantiles, levels)
        if middle is not None:
            self.median.add(truth, middle, int(active.sum()))

    def merge(self, other: "Judged") -> None:
        """Adds other sums to these."""
        self.model.merge(other.model)
        self.poisson.merge(other.poisson)
        self.median.merge(other.median)

    def metrics(self) -> dict[str, float]:
        """The metrics by name; NaN where nothing was summed."""
        found = self.model.metrics()
        others = [(POISSON, self.poisson)]
        if MEDIAN in self.model.levels:
            others.append((MEDIAN_SOURCE, self.median))
        for source, sums in others:
            found |= {source_metric(source, name): v for name, v in sums.metrics().items()}
        return found


def poisson_quantiles(means: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """The quantiles of Poisson distributions, `[..., Q]`, of means `[...]`."""
    # A mean of 0 has no distribution in SciPy.
    return stats.poisson.ppf(np.array(levels), np.maximum(means, 1e-9)[..., None])
