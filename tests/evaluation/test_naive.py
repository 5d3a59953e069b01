"""Which naive forecast a model has to beat."""

import pytest

from crowdflow.evaluation.naive import best_naive
from crowdflow.schema.features import NAIVE_FORECASTS


@pytest.mark.parametrize("best", NAIVE_FORECASTS)
def test_the_smallest_rmse_over_active_cells_wins(best):
    metrics = {
        name: {"rmse_active_cells": 3.0, "mae_active_cells": 1.0} for name in NAIVE_FORECASTS
    }
    metrics[best] = {"rmse_active_cells": 2.9, "mae_active_cells": 9.0}
    metrics["model"] = {"rmse_active_cells": 0.1}
    assert best_naive(metrics) == best


def test_a_missing_naive_forecast_is_an_error():
    with pytest.raises(KeyError):
        best_naive({"last_week": {"rmse_active_cells": 1.0}})
