"""What a model's test promised: its errors on the test windows when it was approved."""

from typing import Any

import tensorflow_model_analysis as tfma

from crowdflow.evaluation.flow_errors import source_metric
from crowdflow.evaluation.naive import best_naive
from crowdflow.evaluation.thresholds import CANDIDATE
from crowdflow.flows.metrics import MAE_ACTIVE, RMSE_ACTIVE
from crowdflow.schema.features import NAIVE_FORECASTS


def promise(evaluation: str) -> dict[str, Any]:
    """Reads the Evaluator's output in a folder.

    Returns:
      RMSE and MAE over active cells, trips per interval, `best_naive` and `best_naive_rmse` on the same windows.
    """
    loaded = tfma.load_eval_result(evaluation, model_name=CANDIDATE)
    [values] = [outputs[""][""] for key, outputs in loaded.slicing_metrics if not key]

    def of(source: str, name: str) -> float:
        return float(values[source_metric(source, name) if source else name]["doubleValue"])

    best = best_naive({s: {RMSE_ACTIVE: of(s, RMSE_ACTIVE)} for s in NAIVE_FORECASTS})
    return {
        RMSE_ACTIVE: of("", RMSE_ACTIVE),
        MAE_ACTIVE: of("", MAE_ACTIVE),
        "best_naive": best,
        "best_naive_rmse": of(best, RMSE_ACTIVE),
    }
