"""How pushed models did on the days after their push: a line a day, and what was promised. Pure numpy."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

import numpy as np

from crowdflow.config import Config
from crowdflow.evaluation.naive import best_naive
from crowdflow.evaluation.score import BIAS, MODEL, NO_RECORD, SCORED, SOURCES, Forecasts, score
from crowdflow.flows.frames import FrameBlock
from crowdflow.flows.metrics import MAE_ACTIVE, RMSE_ACTIVE
from crowdflow.flows.quantiles import QuantileSums, shown_interval
from crowdflow.schema.errors import DataError
from crowdflow.schema.features import CHANNELS
from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY, minutes_to_date

# Why a day has no figures.
FEW_STEPS, FEW_RECORDS = "too few steps can be scored", "too little flow for a whole feed"
# A day has figures if this share of its steps is scored, and its flow is this share of the four weeks' before.
_SCORED_SHARE, _FLOW_SHARE, _WEEKS = 0.8, 0.1, 4
# The last days of a model that count against its promise.
_DAYS = 7


def day_line(
    day: int,
    version: str,
    forecasts: Forecasts,
    lost: Sequence[tuple[int, str]],
    frames: FrameBlock,
    config: Config,
    holidays: np.ndarray,
) -> dict[str, Any]:
    """The live record's line of one day, with the errors that `score` finds for the forecasts of that day.

    Args:
      day: since 1970-01-01.
      version: of the model.
      forecasts: those that could be made at the day's intervals; may be none.
      lost: origins of the others, wall-clock minutes, with the reason.
      frames: all, ascending; what came, and the weeks before.
      config: of the model.
      holidays: days since 1970-01-01, int64.

    Returns:
      `day`, `version`, `windows` (forecasts that were made), `due` (steps up to the end of the last day of the
      frames), `scored` and `left_out` (steps), `gap` (why there are no figures, or None), `active_cells`,
      `metrics` by source, `best_naive`, and `quantiles`: their `levels` and the share of flows `below` each; the
      last four are None in a gap, and `quantiles` of a model that has none.
    """
    end = (int(frames.starts[-1]) // MINUTES_PER_DAY + 1) * MINUTES_PER_DAY
    left_out = Counter[str]()
    for origin, reason in lost:
        left_out[reason] += int(_due(np.array([origin]), end, config))
    made = int(_due(forecasts.origins, end, config))
    found, due = None, made + left_out.total()
    if made:
        try:
            found = score(forecasts, frames, config.intervals.minutes, holidays)
            left_out.update(found["left_out"])
            left_out[NO_RECORD] -= forecasts.flows.shape[0] * forecasts.flows.shape[1] - made
        except DataError:  # none of them has a record
            left_out[NO_RECORD] += made
    scored, gap = found[SCORED] if found else 0, None
    if scored < _SCORED_SHARE * due:
        gap = FEW_STEPS
    elif _flow_share(day, frames) < _FLOW_SHARE:
        gap = FEW_RECORDS
    kept = None if gap else found
    return {
        "day": str(minutes_to_date(day * MINUTES_PER_DAY)),
        "version": version,
        "windows": len(forecasts.origins),
        "due": due,
        SCORED: scored,
        "left_out": {reason: count for reason, count in left_out.items() if count},
        "gap": gap,
        "active_cells": kept and kept["active_cells"],
        "metrics": kept and kept["metrics"],
        "best_naive": kept and best_naive(kept["metrics"]),
        "quantiles": kept and _held(forecasts, frames, config.intervals.minutes),
    }


def _held(forecasts: Forecasts, frames: FrameBlock, minutes: int) -> Optional[dict[str, Any]]:
    """The share of flows below each quantile, over active cells and all steps that have a record."""
    if not forecasts.levels:
        return None
    steps = np.arange(forecasts.flows.shape[1])
    targets = forecasts.origins[:, None] + steps * minutes
    recorded = np.isin(targets, frames.starts)
    active = (frames.maps[frames.starts < forecasts.origins.min()] > 0).any(axis=(0, 3))
    truth = frames.maps[np.searchsorted(frames.starts, targets[recorded])]
    sums = QuantileSums.zero(forecasts.levels)
    sums.add(truth[:, active], forecasts.quantiles[recorded][:, active])
    return {"levels": list(forecasts.levels), "below": sums.calibration()}


def followed_levels(
    days: Iterable[Mapping[str, Any]], levels: Sequence[float], rate: float
) -> list[float]:
    """The levels at which a new model's quantiles are read off, so that they hold as the last days' should have.

    Adaptive conformal inference (Gibbs and Candès, NeurIPS 2021): after each day every level moves by the rate
    times what its share of flows fell short. It moves at most half-way to 0 or 1, whichever is nearer.

    Args:
      days: the record's lines.
      levels: of the quantiles, ascending.
      rate: `evaluation.quantile_rate`.

    Returns:
      Ascending; the levels themselves where no day has the figures.
    """
    nominal = np.array(levels)
    reach = np.minimum(nominal, 1 - nominal) / 2
    found = nominal.copy()
    for line in newest(days):
        held = line.get("quantiles")
        if held and held["levels"] == list(levels):
            found += rate * (nominal - held["below"])
            found = np.clip(found, nominal - reach, nominal + reach)
    return np.maximum.accumulate(found).tolist()


def _due(origins: np.ndarray, end: int, config: Config) -> int:
    """The steps before `end`, wall-clock minutes, of forecasts that begin at `origins`, int64 `[m]`."""
    ahead = (end - origins) // config.intervals.minutes
    return np.minimum(ahead, config.windows.horizon).sum()


def _flow_share(day: int, frames: FrameBlock) -> float:
    """A day's flow as a share of the mean of the same day in the weeks before, of those that have frames."""

    def flow(which: int) -> Optional[float]:
        first, last = np.searchsorted(frames.starts, MINUTES_PER_DAY * np.array([which, which + 1]))
        return float(frames.maps[first:last].sum(dtype=np.float64)) if first < last else None

    before = [flow(day - DAYS_PER_WEEK * week) for week in range(1, _WEEKS + 1)]
    known = [total for total in before if total is not None]
    usual = float(np.mean(known)) if known else 0.0
    return (flow(day) or 0.0) / usual if usual else 1.0


def add(days: Sequence[Mapping[str, Any]], lines: Iterable[Mapping[str, Any]]) -> list[dict]:
    """The record's lines with those of a run, in order of day and version.

    A line stays as it was first written, so that a later run with other weeks changes nothing. It gives way to one
    that closes a gap or has more steps.
    """
    found = {(line["day"], int(line["version"])): dict(line) for line in days}
    for line in lines:
        key = line["day"], int(line["version"])
        if key not in found or _is_fuller(line, found[key]):
            found[key] = dict(line)
    return [found[key] for key in sorted(found)]


def _is_fuller(line: Mapping[str, Any], than: Mapping[str, Any]) -> bool:
    if (line["gap"] is None) != (than["gap"] is None):
        return line["gap"] is None
    return line[SCORED] > than[SCORED]


def verdict(
    days: Iterable[Mapping[str, Any]], version: str, slack: float
) -> Optional[dict[str, Any]]:
    """How a model did on its last seven days with figures, against what its test promised.

    Args:
      days: the record's lines.
      version: of the model.
      slack: `evaluation.live_slack`.

    Returns:
      `version`, `first` and `last` (days), `days` (their number), `scored` and `left_out` (steps), `metrics` by
      source, `best_naive`, `promise` as the line has it, `allowed` (RMSE, None without a promise) and `worse`;
      None if no day of it has figures.
    """
    lines = [line for line in days if line["version"] == version and line["gap"] is None][-_DAYS:]
    if not lines:
        return None
    metrics = pooled(lines)
    best, promise = best_naive(metrics), lines[-1]["promise"]
    allowed = None
    if promise:
        harder = metrics[best][RMSE_ACTIVE] / max(promise["best_naive_rmse"], 1e-9)
        allowed = promise[RMSE_ACTIVE] * max(harder, 1) * (1 + slack)
    return {
        "version": version,
        "first": lines[0]["day"],
        "last": lines[-1]["day"],
        "days": len(lines),
        SCORED: sum(line[SCORED] for line in lines),
        "left_out": sum(sum(line["left_out"].values()) for line in lines),
        "metrics": metrics,
        "best_naive": best,
        "promise": promise,
        "allowed": allowed,
        "worse": allowed is not None and metrics[MODEL][RMSE_ACTIVE] > allowed,
    }


def pooled(lines: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """The errors over several days, by source: of sums, not means of the days' means."""
    values = np.array([line[SCORED] * line["active_cells"] * len(CHANNELS) for line in lines])
    weights = values / max(values.sum(), 1)

    def mean(source: str, name: str, power: int = 1) -> float:
        each = np.array([line["metrics"][source][name] for line in lines])
        return (
            float((weights * each**power).sum() ** (1 / power))
            if power > 1
            else float(weights @ each)
        )

    return {
        source: {
            RMSE_ACTIVE: mean(source, RMSE_ACTIVE, 2),
            MAE_ACTIVE: mean(source, MAE_ACTIVE),
            BIAS: mean(source, BIAS),
        }
        for source in SOURCES
    }


def newest(days: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The record with one line a day, that of the version that was pushed last; lines as `add` orders them."""
    return list({line["day"]: line for line in days}.values())


def in_words(live: Mapping[str, Any]) -> str:
    """One line of what a run found, from the section `live` of `metrics.json` and `summary.json`."""
    version, found = live["version"], live["verdict"]
    if live["skipped"]:
        return f"live: {f'version {version} is not scored, ' if version else ''}{live['skipped']}"
    gaps = [line["day"] for line in live["days"] if line["gap"]]
    tail = f"; no figures for {', '.join(gaps)}" if gaps else ""
    if not found:
        return f"live: no day of version {version} has figures yet{tail}"
    promise, errors = found["promise"], found["metrics"]
    tail = f"{_band_in_words(live['days'])}{tail}"
    span = found["first"] if found["days"] == 1 else f"{found['first']} to {found['last']}"
    text = f"RMSE {errors[MODEL][RMSE_ACTIVE]:.3f} on {span}"
    if promise:
        text += f", {promise[RMSE_ACTIVE]:.3f} promised, up to {found['allowed']:.3f} allowed"
    best = found["best_naive"]
    text += f"; best naive forecast {errors[best][RMSE_ACTIVE]:.3f} ({best}){tail}"
    worse = " DOES WORSE THAN ITS TEST PROMISED" if found["worse"] else ""
    return f"live: version {version}{worse}, {text}"


def _band_in_words(days: Sequence[Mapping[str, Any]]) -> str:
    held = [line["quantiles"] for line in days if line.get("quantiles")]
    interval = shown_interval(held[-1]["levels"]) if held else None
    if not interval:
        return ""
    percent, low, high = interval
    same = [one["below"] for one in held if one["levels"] == held[-1]["levels"]][-_DAYS:]
    share = np.mean([below[high] - below[low] for below in same])
    return f"; {100 * share:.0f}% of flows within its {percent}% band"


def candidate_in_words(live: Mapping[str, Any]) -> Optional[str]:
    """How the candidate and the last pushed model do on the days that neither has seen; None without such days."""
    found = live["candidate"]
    if not found:
        return None
    days, newer = f"{found['first']} to {found['last']}", found["newer_days"]
    learnt = f", which has learnt {newer} newer days" if newer > 0 else ""
    return (
        f"On {days}, which neither has seen, the new model's RMSE is {found['rmse']:.3f} and that of version "
        f"{live['version']}{learnt}, {found['served_rmse']:.3f}"
    )
