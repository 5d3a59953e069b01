"""Which naive forecast a model has to beat."""

from collections.abc import Mapping

from crowdflow.flows.metrics import RMSE_ACTIVE
from crowdflow.schema.features import NAIVE_FORECASTS


def best_naive(metrics: Mapping[str, Mapping[str, float]]) -> str:
    """Name of the naive forecast with the smallest RMSE over active cells.

    Args:
      metrics: the metrics of each forecast by its name; forecasts that are not naive are ignored.

    Raises:
      KeyError: a naive forecast or its RMSE is missing.
    """
    return min(NAIVE_FORECASTS, key=lambda name: metrics[name][RMSE_ACTIVE])
