"""What the Evaluator measures, and when a model is blessed."""

import json

from tensorflow_model_analysis.proto import config_pb2
from tfx.utils import proto_utils

from crowdflow.config import Config
from crowdflow.evaluation.flow_errors import MAE_RATIO_TO_NAIVE, RATIO_TO_NAIVE
from crowdflow.flows.metrics import RMSE_ACTIVE
from crowdflow.schema import features

CANDIDATE, BASELINE = "candidate", "baseline"

# A threshold is inclusive; a model that only equals the naive forecast is not better.
_STRICTLY = 1e-9


def eval_config(config: Config, code_fingerprint: str) -> config_pb2.EvalConfig:
    """The Evaluator's configuration.

    Thresholds on the whole test split: the model's RMSE and MAE against the best naive forecast's, and its RMSE
    against the baseline's. Slices by hour of day and by weekday or weekend are measured, not judged.
    """

    def model_spec(name: str, is_baseline: bool) -> config_pb2.ModelSpec:
        return config_pb2.ModelSpec(
            name=name,
            is_baseline=is_baseline,
            model_type="tf_generic",
            signature_name=features.EXAMPLES_SIGNATURE,
            label_key=features.TARGET,
            prediction_key=features.FLOW,
        )

    rules = config.evaluation
    by_mae = {MAE_RATIO_TO_NAIVE: _below(1)} if rules.naive_mae else {}
    metric = {
        "horizon": config.windows.horizon,
        "levels": config.model.quantiles,
        "code_fingerprint": code_fingerprint,
    }
    return config_pb2.EvalConfig(
        model_specs=[model_spec(CANDIDATE, False), model_spec(BASELINE, True)],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            config_pb2.SlicingSpec(feature_keys=[features.HOUR]),
            config_pb2.SlicingSpec(feature_keys=[features.WEEKEND]),
        ],
        metrics_specs=[
            config_pb2.MetricsSpec(
                metrics=[
                    config_pb2.MetricConfig(
                        module="crowdflow.evaluation.flow_errors",
                        class_name="FlowErrors",
                        config=json.dumps(metric),
                    )
                ],
                per_slice_thresholds={
                    RATIO_TO_NAIVE: _below(1 - rules.naive_margin),
                    **by_mae,
                    RMSE_ACTIVE: _overall(
                        change_threshold=config_pb2.GenericChangeThreshold(
                            direction=config_pb2.MetricDirection.LOWER_IS_BETTER,
                            relative={"value": rules.pushed_tolerance},
                        )
                    ),
                },
            )
        ],
    )


def with_thresholds(text: str, naive_margin: float, pushed_tolerance: float) -> str:
    """Changes the thresholds in an Evaluator's configuration, as JSON; see `EvaluationConfig`.

    Raises:
      ValueError: it lacks the thresholds that `eval_config` writes.
    """
    found = proto_utils.json_to_proto(text, config_pb2.EvalConfig())
    changed = 0
    for spec in found.metrics_specs:
        naive = spec.per_slice_thresholds.get(RATIO_TO_NAIVE)
        pushed = spec.per_slice_thresholds.get(RMSE_ACTIVE)
        for one in naive.thresholds if naive else ():
            one.threshold.value_threshold.upper_bound.value = 1 - naive_margin - _STRICTLY
            changed += 1
        for one in pushed.thresholds if pushed else ():
            one.threshold.change_threshold.relative.value = pushed_tolerance
            changed += 1
    if changed != 2:
        raise ValueError(f"Expected the two thresholds of eval_config. Received {changed}: {text}")
    return proto_utils.proto_to_json(found)


def _below(bound: float) -> config_pb2.PerSliceMetricThresholds:
    upper = {"value": bound - _STRICTLY}
    return _overall(value_threshold=config_pb2.GenericValueThreshold(upper_bound=upper))


def _overall(**threshold) -> config_pb2.PerSliceMetricThresholds:
    """A threshold on the whole split, not on its slices."""
    return config_pb2.PerSliceMetricThresholds(
        thresholds=[
            config_pb2.PerSliceMetricThreshold(
                slicing_specs=[config_pb2.SlicingSpec()],
                threshold=config_pb2.MetricThreshold(**threshold),
            )
        ]
    )
