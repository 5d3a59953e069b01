"""The metrics of quantiles in a real TFMA run, against plain loops."""

import numpy as np
import pytest
from worlds.evaluations import ACTIVE, AROUND, BEST, COUNT

from crowdflow.config import ModelConfig
from crowdflow.schema import features

RMSE = "rmse_active_cells"


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
