"""What a model's test promised: its errors on the test windows when it was approved."""

from typing import Any

from crowdflow.evaluation.measured import measured
from crowdflow.evaluation.naive import best_naive
from crowdflow.evaluation.score import MODEL
from crowdflow.evaluation.thresholds import CANDIDATE
from crowdflow.flows.metrics import MAE_ACTIVE, RMSE_ACTIVE


def promise(evaluation: str) -> dict[str, Any]:
    """Reads the Evaluator's output in a folder.

    Returns:
      RMSE and MAE over active cells, trips per interval, `best_naive` and `best_naive_rmse` on the same windows.
    """
    found = measured(evaluation, CANDIDATE)[()]
    best = best_naive(found)
    return {
        RMSE_ACTIVE: found[MODEL][RMSE_ACTIVE],
        MAE_ACTIVE: found[MODEL][MAE_ACTIVE],
        "best_naive": best,
        "best_naive_rmse": found[best][RMSE_ACTIVE],
    }
