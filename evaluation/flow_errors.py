"""The metrics inside the Evaluator: one array operation per window, not one per cell as in stock metrics."""

from collections.abc import Iterable
from typing import Any, Optional

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from crowdflow.evaluation.naive import best_naive
from crowdflow.flows.metrics import MAE_ACTIVE, RMSE_ACTIVE, ErrorSums, add_forecasts, names
from crowdflow.schema import features

# The model's error over the smallest of the naive forecasts', by RMSE and by MAE: below 1, the model is better.
RATIO_TO_NAIVE, MAE_RATIO_TO_NAIVE = (f"{name}_to_best_naive" for name in (RMSE_ACTIVE, MAE_ACTIVE))

_NAIVE_FEATURES = [features.naive_feature(source) for source in features.NAIVE_FORECASTS]


def source_metric(source: str, name: str) -> str:
    """The name of a naive forecast's metric."""
    return f"{source}/{name}"


class FlowErrors(tfma.metrics.Metric):
    """RMSE and MAE of the model and of the naive forecasts, on the same windows.

    Args:
      horizon: steps h.
      code_fingerprint: not used; it puts our code into the Evaluator's cache key.
      name: of the metric.
    """

    def __init__(self, horizon: int = 1, code_fingerprint: str = "", name: str = "flow_errors"):
        super().__init__(
            _computations, horizon=horizon, code_fingerprint=code_fingerprint, name=name
        )


def _computations(
    horizon: int = 1,
    code_fingerprint: str = "",
    name: str = "flow_errors",
    eval_config: Optional[config_pb2.EvalConfig] = None,
    model_names: Optional[list[str]] = None,
    output_names: Optional[list[str]] = None,
    **_: Any,
) -> list[tfma.metrics.MetricComputation]:
    wanted = dict.fromkeys([*_NAIVE_FEATURES, features.ACTIVE_CELLS], {})
    computations = []
    for model in model_names or [""]:
        for output in output_names or [""]:
            keys = {
                metric: tfma.metrics.MetricKey(
                    name=metric,
                    model_name=model,
                    output_name=output,
                    example_weighted=None,  # as in thresholds by name
                )
                for metric in _metric_names(horizon)
            }
            computations.append(
                tfma.metrics.MetricComputation(
                    keys=list(keys.values()),
                    preprocessors=[
                        metric_types.StandardMetricInputsPreprocessor(
                            include_filter={"features": wanted},
                            model_names=[model] if model else None,
                            output_names=[output] if output else None,
                        )
                    ],
                    combiner=_Combiner(keys, horizon, eval_config, model, output),
                )
            )
    return computations


def _metric_names(horizon: int) -> list[str]:
    own = names(horizon)
    naive = [source_metric(s, name) for s in features.NAIVE_FORECASTS for name in own]
    return [*own, *naive, RATIO_TO_NAIVE, MAE_RATIO_TO_NAIVE]


class _Combiner(beam.CombineFn):
    """Sums errors of the model and of each naive forecast."""

    def __init__(self, keys, horizon, eval_config, model, output):
        self._keys = keys
        self._horizon = horizon
        self._eval_config = eval_config
        self._model = model
        self._output = output

    def create_accumulator(self) -> dict[str, ErrorSums]:
        sources = ("", *features.NAIVE_FORECASTS)
        return {source: ErrorSums.zero(self._horizon) for source in sources}

    def add_input(self, accumulator, element):
        label, prediction, _ = next(
            metric_util.to_label_prediction_example_weight(
                element,
                eval_config=self._eval_config,
                model_name=self._model,
                output_name=self._output,
                flatten=False,
                squeeze=False,
                allow_none=False,
            )
        )
        given = element.features
        active = int(np.asarray(given[features.ACTIVE_CELLS]).reshape(-1)[0])
        forecasts = [prediction, *(given[name] for name in _NAIVE_FEATURES)]
        forecasts = np.concatenate(forecasts).reshape(-1, *label.shape)
        add_forecasts(list(accumulator.values()), label, forecasts, active)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[dict[str, ErrorSums]]):
        merged = self.create_accumulator()
        for accumulator in accumulators:
            for source, sums in accumulator.items():
                merged[source].merge(sums)
        return merged

    def extract_output(self, accumulator):
        own = accumulator[""].metrics()
        naive = {source: accumulator[source].metrics() for source in features.NAIVE_FORECASTS}
        found = dict(own)
        for ratio, name in ((RATIO_TO_NAIVE, RMSE_ACTIVE), (MAE_RATIO_TO_NAIVE, MAE_ACTIVE)):
            best = naive[best_naive(naive, name)][name]
            found[ratio] = own[name] / best if best else float("inf")
        for source, metrics in naive.items():
            found |= {source_metric(source, name): value for name, value in metrics.items()}
        return {self._keys[name]: value for name, value in found.items()}
