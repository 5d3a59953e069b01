"""The metrics inside the Evaluator: one array operation per window, not one per cell as in stock metrics."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from crowdflow.evaluation import flow_quantiles
from crowdflow.evaluation.flow_quantiles import Judged, source_metric
from crowdflow.evaluation.naive import best_naive
from crowdflow.flows.metrics import MAE_ACTIVE, RMSE_ACTIVE, ErrorSums, add_forecasts, names
from crowdflow.schema import features

# The model's error over the smallest of the naive forecasts', by RMSE and by MAE: below 1, the model is better.
RATIO_TO_NAIVE, MAE_RATIO_TO_NAIVE = (f"{name}_to_best_naive" for name in (RMSE_ACTIVE, MAE_ACTIVE))

_NAIVE_FEATURES = [features.naive_feature(source) for source in features.NAIVE_FORECASTS]


class FlowErrors(tfma.metrics.Metric):
    """RMSE and MAE of the model and of the naive forecasts, on the same windows; and how its quantiles hold.

    Args:
      horizon: steps h.
      levels: of the model's quantiles; their metrics are NaN for a model that has none.
      code_fingerprint: not used; it puts our code into the Evaluator's cache key.
      name: of the metric.
    """

    def __init__(
        self,
        horizon: int = 1,
        levels: Sequence[float] = (),
        code_fingerprint: str = "",
        name: str = "flow_errors",
    ):
        super().__init__(
            _computations,
            horizon=horizon,
            levels=tuple(levels),
            code_fingerprint=code_fingerprint,
            name=name,
        )


def _computations(
    horizon: int = 1,
    levels: Sequence[float] = (),
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
                for metric in _metric_names(horizon, levels)
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
                    combiner=_Combiner(keys, horizon, levels, eval_config, model, output),
                )
            )
    return computations


def _metric_names(horizon: int, levels: Sequence[float]) -> list[str]:
    own = names(horizon)
    naive = [source_metric(s, name) for s in features.NAIVE_FORECASTS for name in own]
    found = [*own, *naive, RATIO_TO_NAIVE, MAE_RATIO_TO_NAIVE]
    return found + (flow_quantiles.names(levels, horizon) if levels else [])


@dataclasses.dataclass
class _Sums:
    """Of the model (by the name "") and each naive forecast; and of the model's quantiles."""

    errors: dict[str, ErrorSums]
    quantiles: Judged


class _Combiner(beam.CombineFn):
    """Sums errors of the model and of each naive forecast."""

    def __init__(self, keys, horizon, levels, eval_config, model, output):
        self._keys = keys
        self._horizon = horizon
        self._levels = levels
        self._eval_config = eval_config
        self._model = model
        self._output = output

    def create_accumulator(self) -> _Sums:
        errors = {
            source: ErrorSums.zero(self._horizon) for source in ("", *features.NAIVE_FORECASTS)
        }
        return _Sums(errors, Judged(self._levels, self._horizon))

    def add_input(self, accumulator: _Sums, element) -> _Sums:
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
        active = np.asarray(given[features.ACTIVE_CELLS]).reshape(label.shape[1:3]) > 0
        naive = {name: given[name].reshape(label.shape) for name in _NAIVE_FEATURES}
        forecasts = np.stack([prediction.reshape(label.shape), *naive.values()])
        add_forecasts(list(accumulator.errors.values()), label, forecasts, int(active.sum()))
        quantiles = self._quantiles(element)
        if quantiles is not None:
            average = naive[features.naive_feature("historical_average")]
            quantiles = quantiles.reshape(*label.shape, len(self._levels))
            accumulator.quantiles.add(label, quantiles, average, active)
        return accumulator

    def _quantiles(self, element) -> Optional[np.ndarray]:
        """The model's quantiles, or None where it has none or other ones."""
        found = element.predictions
        if isinstance(found, Mapping) and self._model in found:
            found = found[self._model]
        if not isinstance(found, Mapping) or features.QUANTILES not in found:
            return None
        quantiles = found[features.QUANTILES]
        return quantiles if quantiles.shape[-1] == len(self._levels) else None

    def merge_accumulators(self, accumulators: Iterable[_Sums]) -> _Sums:
        merged = self.create_accumulator()
        for accumulator in accumulators:
            for source, sums in accumulator.errors.items():
                merged.errors[source].merge(sums)
            merged.quantiles.merge(accumulator.quantiles)
        return merged

    def extract_output(self, accumulator: _Sums):
        own = accumulator.errors[""].metrics()
        naive = {
            source: accumulator.errors[source].metrics() for source in features.NAIVE_FORECASTS
        }
        found = dict(own)
        for ratio, name in ((RATIO_TO_NAIVE, RMSE_ACTIVE), (MAE_RATIO_TO_NAIVE, MAE_ACTIVE)):
            best = naive[best_naive(naive, name)][name]
            found[ratio] = own[name] / best if best else float("inf")
        for source, metrics in naive.items():
            found |= {source_metric(source, name): value for name, value in metrics.items()}
        if self._levels:
            found |= accumulator.quantiles.metrics()
        return {self._keys[name]: value for name, value in found.items()}
