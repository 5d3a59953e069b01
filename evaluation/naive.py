"""Which naive forecast a model has to beat."""

from collections.abc import Mapping

from crowdflow.flows.metrics import RMSE_ACTIVE
from crowdflow.schema.features import NAIVE_FORECASTS


def best_naive(metrics: Mapping[str, Mapping[str, float]], by: str = RMSE_ACTIVE) -> str:
    """Name of the naive forecast with the smallest error.

    Args:
      metrics: the metrics of each forecast by its name; forecasts that are not naive are ignored.
      by: the metric that is compared.

    Raises:
      KeyError: a naive forecast or its metric is missing.
    """
    return min(NAIVE_FORECASTS, key=lambda name: metrics[name][by])
