"""Reads the metrics that the Evaluator wrote."""

import tensorflow_model_analysis as tfma

from crowdflow.evaluation.flow_errors import source_metric
from crowdflow.schema.features import NAIVE_FORECASTS

OWN = "model"  # beside the names of the naive forecasts


def measured(evaluation: str, model: str) -> dict[tuple, dict[str, dict[str, float]]]:
    """Reads the Evaluator's output.

    Args:
      evaluation: its folder.
      model: `thresholds.CANDIDATE` or `BASELINE`.

    Returns:
      By slice, `()` for all windows: `OWN` and each name of `NAIVE_FORECASTS` -> metric -> value; those that are
      not a number are left out.
    """
    found = {}
    for key, outputs in tfma.load_eval_result(evaluation, model_name=model).slicing_metrics:
        given = outputs[""][""].items()  # NaN comes as the text "NaN", not as a `doubleValue`
        values = {name: float(v["doubleValue"]) for name, v in given if "doubleValue" in v}
        found[key] = {OWN: values}
        for source in NAIVE_FORECASTS:
            prefix = source_metric(source, "")
            found[key][source] = {
                name.removeprefix(prefix): value
                for name, value in values.items()
                if name.startswith(prefix)
            }
    return found
