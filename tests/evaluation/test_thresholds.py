"""The Evaluator's configuration and metric in a real TFMA run, against numpy, and the reasons it leads to."""

import math

import numpy as np
import pytest
from worlds.evaluations import ACTIVE, BEST, CASES, COUNT, NOISE, make_config

from crowdflow.schema import features

RATIO, RMSE = "rmse_active_cells_to_best_naive", "rmse_active_cells"
MAE_RATIO, MAE = "mae_active_cells_to_best_naive", "mae_active_cells"
FAILURES = {
    "equal_to_naive": {RATIO, MAE_RATIO},
    "misses_margin": {RATIO},
    "beyond_tolerance": {RMSE},
    "not_a_number": {RATIO, MAE_RATIO, RMSE},
}


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
