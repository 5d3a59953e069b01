"""Forecasts that were made against what then came: errors by day, hour, step and cell, beside the naive ones."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from crowdflow.flows.frames import FrameBlock
from crowdflow.flows.metrics import MAE_ACTIVE, RMSE_ACTIVE
from crowdflow.flows.naive import naive_flows
from crowdflow.schema.errors import DataError
from crowdflow.schema.features import CHANNELS, NAIVE_FORECASTS
from crowdflow.schema.intervals import MINUTES_PER_DAY, format_start, minutes_to_date

MODEL, BIAS, SCORED = "model", "bias_active_cells", "scored"
SOURCES = (MODEL, *NAIVE_FORECASTS)
NO_RECORD, NO_HISTORY, MISSING_CELLS = (
    "no record of the interval",
    "no earlier interval",
    "missing cells",
)
_METRICS = (RMSE_ACTIVE, MAE_ACTIVE, BIAS)
_WINDOWS_AT_ONCE = 48


@dataclasses.dataclass(frozen=True)
class Forecasts:
    """Forecasts as they were made.

    Attributes:
      origins: first target intervals, wall-clock minutes, int64 `[m]`, ascending.
      flows: trips per interval, float32 `[m, h, H, W, 2]`; NaN where a cell has no forecast.
      quantiles: of the same, float32 `[m, h, H, W, 2, Q]`, or None.
      levels: of the quantiles, ascending.
    """

    origins: np.ndarray
    flows: np.ndarray
    quantiles: np.ndarray | None = None
    levels: tuple[float, ...] = ()


def score(
    forecasts: Forecasts, frames: FrameBlock, minutes: int, holidays: np.ndarray
) -> dict[str, Any]:
    """Scores every step of every forecast whose interval has a frame.

    As in a run's evaluation, the errors of all cells are divided by the number of active cells, those with any
    flow before the first forecast. Left out, and counted by reason, is a step whose interval has no frame, that
    lacks cells, or before which there is no frame for a naive forecast.

    Args:
      forecasts: what was forecast.
      frames: what came, with the weeks before for the naive forecasts; int64 starts ascending.
      minutes: length of an interval.
      holidays: days since 1970-01-01, int64.

    Returns:
      `first` and `last` (local times of the scored intervals), `active_cells`, `scored` and `left_out` (steps),
      `intervals_without_record` (day -> count), `metrics` (source -> RMSE, MAE and bias, trips per interval), the
      same `by_day`, `by_hour` and `by_step`, and `by_cell` (of the model: metric -> `[H][W]`).

    Raises:
      DataError: no step can be scored.
    """
    active = int((frames.maps[frames.starts < forecasts.origins.min()] > 0).any(axis=(0, 3)).sum())
    left_out, unknown = Counter[str](), Counter[str]()
    scored = []
    for origins, flows in _parts(forecasts):
        targets = origins[:, None] + np.arange(flows.shape[1]) * minutes
        kept = _kept(targets, origins, flows, frames.starts, left_out, unknown)
        if kept.any():
            scored.append(_score_part(origins, targets, flows, kept, frames, minutes, holidays))
    if not scored:
        raise DataError(f"No step of the forecasts can be scored: {dict(left_out)}.")
    sums, times, numbers = (np.concatenate([part[i] for part in scored]) for i in range(3))
    by_cell = np.sum([part[3] for part in scored], axis=0) / (len(times) * len(CHANNELS))
    by_cell[0] = np.sqrt(by_cell[0])
    days = np.array([str(minutes_to_date(time)) for time in times])
    return {
        "first": format_start(times.min()),
        "last": format_start(times.max()),
        "active_cells": active,
        SCORED: len(times),
        "left_out": dict(left_out),
        "intervals_without_record": dict(sorted(unknown.items())),
        "metrics": _metrics(sums, active),
        "by_day": _grouped(sums, days, active),
        "by_hour": _grouped(sums, times % MINUTES_PER_DAY // 60, active),
        "by_step": _grouped(sums, numbers, active),
        "by_cell": dict(zip(_METRICS, by_cell.tolist(), strict=True)),
    }


def _score_part(
    origins: np.ndarray,
    targets: np.ndarray,
    flows: np.ndarray,
    kept: np.ndarray,
    frames: FrameBlock,
    minutes: int,
    holidays: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The k scored steps of some forecasts.

    Returns:
      Sums of squared, absolute and plain errors by source, float64 `[k, sources, 3]`; the intervals and the
      numbers of the steps, int64 `[k]`; and the model's sums by cell, float64 `[3, H, W]`.
    """
    rows, steps = kept.any(axis=1), flows.shape[1]
    naive = naive_flows(frames.starts, frames.maps, origins[rows], steps, minutes, holidays)
    kept, times, numbers = kept[rows], targets[kept], np.nonzero(kept)[1] + 1
    truth = frames.maps[np.searchsorted(frames.starts, times)].astype(np.float64)  # [k, H, W, 2]
    sums = []
    for source in SOURCES:
        made = flows[rows] if source == MODEL else naive[source]
        errors = made[kept] - truth
        powers = np.stack([np.square(errors), np.abs(errors), errors])
        sums.append(powers.sum(axis=(2, 3, 4)).T)
        if source == MODEL:
            by_cell = powers.sum(axis=(1, 4))
    return np.stack(sums, axis=1), times, numbers, by_cell


def _parts(forecasts: Forecasts) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for first in range(0, len(forecasts.origins), _WINDOWS_AT_ONCE):
        rows = slice(first, first + _WINDOWS_AT_ONCE)
        yield forecasts.origins[rows], forecasts.flows[rows]


def _kept(
    targets: np.ndarray,
    origins: np.ndarray,
    flows: np.ndarray,
    starts: np.ndarray,
    left_out: Counter[str],
    unknown: Counter[str],
) -> np.ndarray:
    """Which steps are scored, bool `[m, h]`; counts the others by their first reason."""
    recorded = np.isin(targets, starts)
    earlier = np.broadcast_to((origins > starts[0])[:, None], targets.shape)
    whole = np.isfinite(flows).all(axis=(2, 3, 4))
    kept = np.ones(targets.shape, bool)
    for reason, ok in ((NO_RECORD, recorded), (NO_HISTORY, earlier), (MISSING_CELLS, whole)):
        lost = int((kept & ~ok).sum())
        if lost:
            left_out[reason] += lost
        kept &= ok
    for time in targets[:, 0][~recorded[:, 0]]:
        unknown[str(minutes_to_date(time))] += 1
    return kept


def _metrics(sums: np.ndarray, active: int) -> dict[str, dict[str, float]]:
    """Errors by source; `sums` are `[k, sources, 3]`."""
    means = sums.sum(axis=0) / (len(sums) * max(active, 1) * len(CHANNELS))
    names = (RMSE_ACTIVE, MAE_ACTIVE, BIAS)
    return {
        source: dict(
            zip(names, (float(np.sqrt(row[0])), float(row[1]), float(row[2])), strict=True)
        )
        for source, row in zip(SOURCES, means, strict=True)
    }


def _grouped(sums: np.ndarray, keys: np.ndarray, active: int) -> dict[str, Any]:
    return {
        str(key): {**_metrics(sums[keys == key], active), SCORED: int((keys == key).sum())}
        for key in np.unique(keys)
    }
