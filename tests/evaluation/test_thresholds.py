"""The Evaluator's configuration and metric in a real TFMA run, against numpy, and the reasons it leads to."""

import math

import numpy as np
import pytest

from crowdflow.components.flow_schema.render import render
from crowdflow.config import Config, ModelConfig
from crowdflow.schema import features, templates

SHAPE = (2, 3, 2, 2)  # [h, H, W, 2]
ACTIVE = 4
AROUND = (-3.0, -2.0, -1.0, 0.0, 0.5, 1.0, 4.0)  # quantiles less the flow
COUNT = 11
BEST = "last_week"
NOISE = {
    "last_interval": 3.0,
    "last_week": 1.0,
    "historical_average": 2.0,
    "four_weeks": 2.5,
    "weeks_and_days": 1.5,
}
# name: (candidate, baseline, naive margin, tolerance). A number f is a model whose every error is f times
# the best naive forecast's, None is that forecast's own SavedModel: there was no last pushed model.
CASES = {
    "better": (0.9, None, 0.0, 0.02),
    "equal_to_naive": (None, None, 0.0, 0.02),
    "misses_margin": (0.9, None, 0.15, 0.02),
    "within_tolerance": (0.9, 0.8825, 0.0, 0.02),
    "beyond_tolerance": (0.9, 0.8820, 0.0, 0.02),
    "same_as_pushed": (0.9, 0.9, 0.05, 0.0),
    "not_a_number": (math.nan, 0.9, 0.0, 0.02),
}
RATIO, RMSE = "rmse_active_cells_to_best_naive", "rmse_active_cells"
MAE_RATIO, MAE = "mae_active_cells_to_best_naive", "mae_active_cells"
FAILURES = {
    "equal_to_naive": {RATIO, MAE_RATIO},
    "misses_margin": {RATIO},
    "beyond_tolerance": {RMSE},
    "not_a_number": {RATIO, MAE_RATIO, RMSE},
}


def make_config(case):
    _, _, margin, tolerance = CASES[case]
    return Config.from_dict(
        {
            "grid": {"rows": 3, "cols": 2},
            "windows": {
                "closeness": 1,
                "period": 0,
                "trend": 0,
                "horizon": 2,
                "average": 0,
                "average_days": 0,
            },
            "evaluation": {"naive_margin": margin, "pushed_tolerance": tolerance},
        }
    )


def make_columns():
    random = np.random.default_rng(8)
    truth = random.uniform(5, 30, (COUNT, *SHAPE)).astype(np.float32)
    columns = {
        features.TARGET: truth,
        features.CLOSENESS: truth[:, :1],
        features.TARGET_TIME: 16_335 * 1440 + 60 * np.arange(COUNT),
        features.HOUR: np.arange(COUNT) % 3 + 7,
        features.WEEKEND: (np.arange(COUNT) > 6).astype(np.int64),
        features.ACTIVE_CELLS: np.tile(np.arange(6).reshape(3, 2) < ACTIVE, (COUNT, 1, 1)).astype(
            np.int64
        ),
    }
    for name, noise in NOISE.items():
        forecast = truth + random.normal(0, noise, truth.shape)
        columns[features.naive_feature(name)] = forecast.astype(np.float32)
    return columns


def save_model(factor, folder):
    import tensorflow as tf

    from crowdflow.components.last_pushed_model.models import write_naive_model

    if factor is None:
        write_naive_model(BEST, SHAPE, folder)
        return
    naive = features.naive_feature(BEST)
    spec = {name: tf.io.FixedLenFeature(SHAPE, tf.float32) for name in (features.TARGET, naive)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def answer(examples):
        parsed = tf.io.parse_example(examples, spec)
        truth = parsed[features.TARGET]
        flow = truth + factor * (parsed[naive] - truth)
        spread = tf.constant(AROUND, tf.float32)
        return {features.FLOW: flow, features.QUANTILES: tf.maximum(flow[..., None] + spread, 0)}

    signatures = {features.EXAMPLES_SIGNATURE: answer}
    tf.saved_model.save(tf.Module(), folder, signatures=signatures)


@pytest.fixture(scope="module")
def columns():
    return make_columns()


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory, columns):
    """Case -> folder of TFMA's output. One Beam pipeline runs them all, as the Evaluator runs one."""
    import apache_beam as beam
    import tensorflow_model_analysis as tfma
    from tfx_bsl.public import tfxio

    from crowdflow.components.tf_examples import encode_columns
    from crowdflow.config.beam_runner import LocalRunner
    from crowdflow.evaluation.thresholds import BASELINE, CANDIDATE, eval_config

    folder = tmp_path_factory.mktemp("evaluation")
    for factor in {factor for case in CASES.values() for factor in case[:2]}:
        save_model(factor, str(folder / f"model-{factor}"))
    described = templates.parse(render(templates.WINDOWS, make_config("better")))
    source = tfxio.TFExampleBeamRecord(
        "tfrecord", schema=described, raw_record_column_name=tfma.ARROW_INPUT_COLUMN
    )
    with beam.Pipeline(LocalRunner()) as pipeline:
        windows = pipeline | beam.Create(encode_columns(columns)) | source.BeamSource()
        for case, factors in CASES.items():
            config = eval_config(make_config(case), "code")
            models = [
                tfma.default_eval_shared_model(
                    str(folder / f"model-{factor}"), model_name=name, eval_config=config
                )
                for name, factor in zip((CANDIDATE, BASELINE), factors)
            ]
            _ = windows | case >> tfma.ExtractEvaluateAndWriteResults(
                eval_shared_model=models,
                eval_config=config,
                output_path=str(folder / case),
                schema=described,
                tensor_adapter_config=source.TensorAdapterConfig(),
            )
    return {case: str(folder / case) for case in CASES}


def reference(columns, forecast, rows):
    """Plain numpy over some windows: all cells' errors, divided by the active cells."""
    error = (forecast.astype(np.float64) - columns["target"])[rows]
    squared, share = error**2, 6 / ACTIVE
    return {
        "rmse_active_cells": math.sqrt(squared.mean() * share),
        "rmse_all_cells": math.sqrt(squared.mean()),
        "mae_active_cells": np.abs(error).mean() * share,
        "mae_all_cells": np.abs(error).mean(),
        "inflow_rmse_active_cells": math.sqrt(squared[..., 0].mean() * share),
        "outflow_rmse_active_cells": math.sqrt(squared[..., 1].mean() * share),
        "rmse_active_cells_step_1": math.sqrt(squared[:, 0].mean() * share),
        "rmse_active_cells_step_2": math.sqrt(squared[:, 1].mean() * share),
    }


def outcome(evaluations, case, blessed=True):
    from crowdflow.components.flow_report.results import read_outcome

    fallback = CASES[case][1] is None
    return read_outcome(evaluations[case], make_config(case), fallback, blessed)


def test_metrics_equal_numpy_in_every_slice(evaluations, columns):
    import tensorflow_model_analysis as tfma

    naive = {name: columns[features.naive_feature(name)] for name in NOISE}
    truth = columns["target"]
    for model, factor in (("candidate", 0.9), ("baseline", 0.8825)):
        forecast = truth + factor * (naive[BEST] - truth)
        loaded = tfma.load_eval_result(evaluations["within_tolerance"], model_name=model)
        seen = set()
        for key, outputs in loaded.slicing_metrics:
            rows = np.ones(COUNT, bool)
            for feature, value in key:
                rows &= columns[feature] == int(value)
            found = {name: value.get("doubleValue") for name, value in outputs[""][""].items()}
            expected = reference(columns, forecast, rows)
            for source, values in naive.items():
                part = reference(columns, values, rows)
                expected |= {f"{source}/{name}": value for name, value in part.items()}
            best = min(expected[f"{source}/{RMSE}"] for source in naive)
            expected[RATIO] = expected[RMSE] / best
            found = {name: value for name, value in found.items() if name in expected}
            assert found == pytest.approx(expected, rel=1e-6)
            seen.add(key)
        hours = {(("hour", hour),) for hour in (7, 8, 9)}
        assert {tuple((f, int(v)) for f, v in key) for key in seen} == {
            (),
            (("weekend", 0),),
            (("weekend", 1),),
            *hours,
        }


def test_metrics_of_quantiles_are_those_of_active_flows_one_by_one(evaluations, columns):
    import tensorflow_model_analysis as tfma
    from scipy import stats

    levels = ModelConfig().quantiles
    truth, best = columns["target"], columns[features.naive_feature(BEST)]
    means = columns[features.naive_feature("historical_average")]
    loaded = tfma.load_eval_result(evaluations["within_tolerance"], model_name="candidate")
    [whole] = [outputs[""][""] for key, outputs in loaded.slicing_metrics if not key]
    by_key = {tuple((f, int(v)) for f, v in key): o[""][""] for key, o in loaded.slicing_metrics}
    hour = by_key[("hour", 8),]
    for given, rows in ((whole, np.arange(COUNT)), (hour, np.flatnonzero(columns["hour"] == 8))):
        losses, shares, widths, poisson, absolute = [], [], [], [], []
        for index in np.ndindex(truth.shape):
            if index[0] not in rows:
                continue
            flow = float(truth[index])
            forecast = flow + 0.9 * (float(best[index]) - flow)
            quantiles = [max(forecast + around, 0) for around in AROUND]
            absolute.append(abs(flow - round(quantiles[3])))
            if 2 * index[2] + index[3] >= ACTIVE:
                continue
            naive = stats.poisson.ppf(levels, float(means[index]))
            for level, own, other in zip(levels, quantiles, naive, strict=True):
                for found, count in ((losses, round(own)), (poisson, other)):
                    found.append((level if flow > count else level - 1) * (flow - count))
            low, high = quantiles[1], quantiles[5]
            widths.append(high - low)
            inside = min(high, flow + 0.5) - max(low, flow - 0.5)  # no flow here is below 1
            shares.append(max(inside, 0.0))
        expected = {
            "pinball": np.mean(losses),
            "poisson/pinball": np.mean(poisson),
            "coverage_80": np.mean(shares),
            "width_80": np.mean(widths),
            "median/mae_active_cells": np.sum(absolute) / (len(absolute) * ACTIVE / 6),
        }
        found = {name: given[name]["doubleValue"] for name in expected}
        assert found == pytest.approx(expected, rel=1e-5)


def test_a_model_without_quantiles_is_judged_by_its_mean_alone(evaluations):
    import tensorflow_model_analysis as tfma

    loaded = tfma.load_eval_result(evaluations["better"], model_name="baseline")
    [whole] = [outputs[""][""] for key, outputs in loaded.slicing_metrics if not key]
    assert "doubleValue" in whole[RMSE]
    for name in ("pinball", "coverage_80", "median/mae_active_cells"):
        assert whole[name] == {"doubleValue": "NaN"}


@pytest.mark.parametrize("case", CASES)
def test_thresholds_judge_the_whole_test_split(evaluations, case):
    import tensorflow_model_analysis as tfma
    from tensorflow_model_analysis.proto import config_pb2

    result = tfma.load_validation_result(evaluations[case])
    failures = {
        failure.metric_key.name
        for a_slice in result.metric_validations_per_slice
        for failure in a_slice.failures
    }
    assert failures - ({RMSE} if CASES[case][1] is None else set()) == FAILURES.get(case, set())
    assert result.validation_ok == (case not in FAILURES)
    # All thresholds met the one slice they are for.
    assert not result.missing_thresholds and not result.missing_slices
    details = result.validation_details.slicing_details
    assert details and all(d.slicing_spec == config_pb2.SlicingSpec() for d in details)


OVER_NAIVE = "{model:.4f} is not below {naive:.4f}, the best naive forecast (last_week)"
UNDER_NAIVE = OVER_NAIVE.replace("not ", "")
OVER_PUSHED = (
    "{model:.4f} is above {limit:.4f} = 1.02 x {pushed:.4f}, the best of the last pushed models"
)
UNDER_MAE = "{model_mae:.4f} is below {best_mae:.4f}, the best naive forecast (last_week)"
OVER_MAE = UNDER_MAE.replace("is below", "is not below")


@pytest.mark.parametrize(
    "case, lines",
    [
        ("better", [UNDER_NAIVE, UNDER_MAE]),
        ("equal_to_naive", [OVER_NAIVE, OVER_MAE]),
        ("misses_margin", [OVER_NAIVE.replace(",", " = 0.85 x {best:.4f},"), UNDER_MAE]),
        ("within_tolerance", [UNDER_NAIVE, UNDER_MAE, OVER_PUSHED.replace("above", "at most")]),
        ("beyond_tolerance", [UNDER_NAIVE, UNDER_MAE, OVER_PUSHED]),
        ("not_a_number", [OVER_NAIVE, OVER_MAE, OVER_PUSHED]),
    ],
)
def test_the_reasons_say_which_number_failed_against_which(evaluations, columns, case, lines):
    whole = reference(columns, columns[features.naive_feature(BEST)], np.s_[:])
    best, best_mae = whole[RMSE], whole[MAE]
    candidate, baseline, margin, tolerance = CASES[case]
    pushed = (baseline or 0) * best
    numbers = {"best": best, "naive": (1 - margin) * best, "model": (candidate or 1) * best}
    numbers |= {"pushed": pushed, "limit": (1 + tolerance) * pushed}
    numbers |= {"best_mae": best_mae, "model_mae": (candidate or 1) * best_mae}
    found = outcome(evaluations, case, blessed=case not in FAILURES)
    names = [MAE if line in (UNDER_MAE, OVER_MAE) else RMSE for line in lines]
    expected = [f"{name} {line}".format(**numbers) for name, line in zip(names, lines)]
    assert found["reasons"] == expected


def test_an_outcome_has_every_source_and_slice(evaluations, columns):
    found = outcome(evaluations, "within_tolerance")
    sources = {"model", "last_pushed", *NOISE}
    assert set(found["by_hour"]) == set(found["by_day"]) == sources
    assert set(found["metrics"]) == sources | {"median"}
    assert set(found["quantiles"]["sources"]) == {"model", "poisson"}
    forecast = columns[features.naive_feature("historical_average")]
    whole = reference(columns, forecast, np.s_[:])
    assert found["metrics"]["historical_average"] == pytest.approx(whole, rel=1e-6)
    at_eight = reference(columns, forecast, columns["hour"] == 8)[RMSE]
    assert found["by_hour"]["historical_average"][8] == pytest.approx(at_eight, rel=1e-6)
    weekend = reference(columns, forecast, columns["weekend"] == 1)[RMSE]
    assert found["by_day"]["historical_average"]["weekend"] == pytest.approx(weekend, rel=1e-6)
    assert found["blessed"] is True
    assert len(found["reasons"]) == 3


def test_a_naive_stand_in_is_no_last_pushed_model(evaluations):
    found = outcome(evaluations, "better")
    assert found["metrics"]["last_pushed"] is None
    assert "last_pushed" not in found["by_hour"]


def test_a_refusal_without_a_failed_metric_is_not_silent(evaluations):
    assert "without naming a metric" in outcome(evaluations, "better", blessed=False)["reasons"][-1]
