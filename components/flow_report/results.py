"""Reads the outputs of Evaluator, Trainer and WindowGen into the form that a report needs."""

import os
from collections.abc import Iterator
from typing import Any, Optional

import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tfx.utils import path_utils

from crowdflow.components.flow_report.period import MODEL, Batch, Read, summarise
from crowdflow.components.flow_report.quantile_section import held
from crowdflow.components.flow_report.report_data import ReportData
from crowdflow.config import Config
from crowdflow.evaluation.flow_errors import MAE_RATIO_TO_NAIVE, RATIO_TO_NAIVE
from crowdflow.evaluation.flow_quantiles import MEDIAN_SOURCE
from crowdflow.evaluation.measured import measured
from crowdflow.evaluation.naive import best_naive
from crowdflow.evaluation.thresholds import BASELINE, CANDIDATE
from crowdflow.evaluation.usual_quantiles import hour_of_week
from crowdflow.evaluation.window_files import WindowFiles, parse_windows, target_shape
from crowdflow.flows import metrics
from crowdflow.flows.quantiles import POISSON, QuantileSums, metric_names
from crowdflow.schema import features
from crowdflow.storage.map_store import MapStore

_TEST = "Split-test"


def read_outcome(evaluation: str, config: Config, fallback: bool, blessed: bool) -> dict[str, Any]:
    """Reads the metrics, overall and by slice, and the blessing with its reasons.

    Args:
      evaluation: folder of the Evaluator's output.
      config: the run's configuration.
      fallback: the baseline was a naive forecast because there was no last pushed model.
      blessed: the Evaluator's verdict.

    Returns:
      `metrics`, `by_hour` and `by_day` by source, `quantiles` as of `_quantiles`, `blessed` and `reasons`.
    """
    candidate = measured(evaluation, CANDIDATE)
    slices = {
        key: {source: _own(values, config) for source, values in found.items() if source != POISSON}
        for key, found in candidate.items()
    }
    if not fallback:
        for key, found in measured(evaluation, BASELINE).items():
            slices[key]["last_pushed"] = _own(found[MODEL], config)
    overall = {"last_pushed": None, **slices[()]}
    by_hour: dict[str, dict[int, float]] = {}
    by_day: dict[str, dict[str, float]] = {}
    for key, found in slices.items():
        for source, values in found.items() if key else ():
            if source == MEDIAN_SOURCE:
                continue
            [(feature, value)] = key
            if feature == features.HOUR:
                by_hour.setdefault(source, {})[int(value)] = values[metrics.RMSE_ACTIVE]
            else:
                day = "weekend" if int(value) else "weekday"
                by_day.setdefault(source, {})[day] = values[metrics.RMSE_ACTIVE]
    return {
        "metrics": overall,
        "by_hour": by_hour,
        "by_day": by_day,
        "quantiles": _quantiles(candidate[()], config),
        "blessed": blessed,
        "reasons": reasons(evaluation, overall, config, blessed),
    }


def _quantiles(found: dict[str, dict[str, float]], config: Config) -> Optional[dict[str, Any]]:
    """The levels, and by source how its quantiles hold over active cells; None for a model without any."""
    if POISSON not in found:
        return None
    names = metric_names(config.model.quantiles)
    sources = {source: {name: found[source][name] for name in names} for source in (MODEL, POISSON)}
    return {"levels": list(config.model.quantiles), "sources": sources}


def _own(values: dict[str, float], config: Config) -> dict[str, float]:
    return {name: values[name] for name in metrics.names(config.windows.horizon)}


def reasons(evaluation: str, overall: dict[str, Any], config: Config, blessed: bool) -> list[str]:
    """Why the model was blessed or not, by the Evaluator's validation: one comparison per line."""
    rules, failed = config.evaluation, set()
    result = tfma.load_validation_result(evaluation)
    for a_slice in result.metric_validations_per_slice:
        failed |= {failure.metric_key.name for failure in a_slice.failures}
    lines = []

    def judge(name: str, verdict: str, share: float, other: str, against: str) -> None:
        own, error = overall["model"][name], overall[other][name]
        limit = f"{share * error:.4f}" + (f" = {share:g} x {error:.4f}" if share != 1 else "")
        lines.append(f"{name} {own:.4f} {verdict} {limit}, {against}")

    judged = [(metrics.RMSE_ACTIVE, RATIO_TO_NAIVE, 1 - rules.naive_margin)]
    judged += [(metrics.MAE_ACTIVE, MAE_RATIO_TO_NAIVE, 1)] if rules.naive_mae else []
    for name, ratio, share in judged:
        verdict = "is not below" if ratio in failed else "is below"
        best = best_naive(overall, name)
        judge(name, verdict, share, best, f"the best naive forecast ({best})")
    if overall["last_pushed"]:
        name, share = metrics.RMSE_ACTIVE, 1 + rules.pushed_tolerance
        verdict = "is above" if name in failed else "is at most"
        judge(name, verdict, share, "last_pushed", "the best of the last pushed models")
    if not blessed and not failed:
        lines.append(
            "the Evaluator refused the model without naming a metric; see its validation result"
        )
    return lines


def report_data(
    content: dict[str, Any], config: Config, windows: str, model: str, active: list[list[int]]
) -> ReportData:
    """Gathers a report's content: the test windows, their naive forecasts and the model's predictions.

    Args:
      content: the content of `metrics.json`.
      config: the run's configuration.
      windows: folder of WindowGen's output.
      model: folder of the Trainer's output.
      active: 1 for each cell that was active before the test period, `[H][W]`.
    """
    read = _reader(os.path.join(windows, _TEST), path_utils.serving_model_path(model), config)
    found, cells = content["quantiles"], np.array(active, bool)
    levels = found["levels"] if found else []
    tested = summarise(read, cells, levels)
    usual = QuantileSums.zero(levels)
    if found:
        frames = MapStore(os.path.join(windows, features.FRAMES_FOLDER))
        usual = hour_of_week(frames, tested.times, cells, levels)
    counters = content["counters"]
    return ReportData(
        title=config.preset,
        config=config.to_dict(),
        seed=config.seed,
        device=f"{content['training']['device']}, {content['training']['precision']}",
        versions=content["versions"],
        libraries=content["libraries"],
        windows=counters["windows"]["windows"],
        counters=counters,
        interval_minutes=config.intervals.minutes,
        tested=tested,
        metrics=content["metrics"],
        by_hour=content["by_hour"],
        by_day=content["by_day"],
        history=content["training"]["history"],
        blessed=content["blessed"],
        reasons=content["reasons"],
        pushed_model=content["pushed_version"],
        held_back=content["held_back"],
        refit=content["refit"],
        drift=content["drift"],
        grid=config.grid,
        live=content["live"],
        quantiles=held(found, tested, usual),
    )


def _reader(windows: str, model: str, config: Config) -> Read:
    """Reads windows with the naive forecasts and those of a SavedModel."""
    naive = {name: features.naive_feature(name) for name in features.NAIVE_FORECASTS}
    shape = target_shape(config)
    flows = (features.TARGET, *naive.values())
    spec = {name: tf.io.FixedLenFeature(shape, tf.float32) for name in flows}
    spec[features.TARGET_TIME] = tf.io.FixedLenFeature([], tf.int64)
    answer = tf.saved_model.load(model).signatures[features.EXAMPLES_SIGNATURE]

    def read(times: Optional[np.ndarray]) -> Iterator[Batch]:
        for batch in WindowFiles(windows):
            if times is not None:
                found = parse_windows(batch, {features.TARGET_TIME: spec[features.TARGET_TIME]})
                inside = np.isin(found[features.TARGET_TIME], times)
                batch = [window for window, wanted in zip(batch, inside) if wanted]
            if batch:
                parsed = parse_windows(batch, spec)
                own = {name: values.numpy() for name, values in answer(tf.constant(batch)).items()}
                forecasts = {MODEL: own[features.FLOW]}
                forecasts |= {name: parsed[feature] for name, feature in naive.items()}
                times, truth = parsed[features.TARGET_TIME], parsed[features.TARGET]
                yield Batch(times, truth, forecasts, own.get(features.QUANTILES))

    return read
