"""Reads the metrics that the Evaluator wrote."""

import tensorflow_model_analysis as tfma

from crowdflow.evaluation.flow_quantiles import MEDIAN_SOURCE, source_metric
from crowdflow.evaluation.score import MODEL
from crowdflow.flows.quantiles import POISSON
from crowdflow.schema.features import NAIVE_FORECASTS


def measured(evaluation: str, model: str) -> dict[tuple, dict[str, dict[str, float]]]:
    """Reads the Evaluator's output.

    Args:
      evaluation: its folder.
      model: `thresholds.CANDIDATE` or `BASELINE`.

    Returns:
      By slice, `()` for all windows: `MODEL` and each name of `NAIVE_FORECASTS` -> metric -> value; of a model
      with quantiles also `MEDIAN_SOURCE` and `POISSON`.
    """
    found = {}
    for key, outputs in tfma.load_eval_result(evaluation, model_name=model).slicing_metrics:
        given = outputs[""][""].items()
        values = {name: float(v["doubleValue"]) for name, v in given if "doubleValue" in v}
        found[key] = {MODEL: values}
        for source in (*NAIVE_FORECASTS, MEDIAN_SOURCE, POISSON):
            prefix = source_metric(source, "")
            own = {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}
            if own:
                found[key][source] = own
    return found
