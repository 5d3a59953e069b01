"""How far flows lie from their forecasts, learnt on days that the forecasting networks have not seen. Pure numpy.

`n` is the number of windows, `h` the horizon, `Q` the number of levels. A flow's distance from its forecast is
measured in roots of the forecast, as a count's spread grows. Its quantiles are read off by the forecast's size,
smoothed over forecasts of nearly the same size, and then corrected in each part of the day and for each third of
the cells: the levels are moved until the share of flows below each quantile is right there, too.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from crowdflow.flows.quantiles import PARTS_OF_DAY, part_of_day, share_below, units

_SIZES = 3  # of cells, by their mean forecast
_KNOTS = 64  # roots of forecasts at which quantiles are read off
_LEAST = 400  # flows at a knot
_POINTS = 4  # that stand for a flow's unit
_MOST = 2_000_000  # flows of each step; of more, windows are drawn
_TRUST = 300  # flows in a group for which its own levels count half
_FINE = np.array(
    [0.002, 0.005, 0.01, 0.02, 0.035, *np.arange(0.05, 0.96, 0.05), 0.965, 0.98, 0.99, 0.995, 0.998]
)


@dataclasses.dataclass(frozen=True, eq=False)
class Spread:
    """Distances of flows from their forecasts.

    Attributes:
      gap: of the knots, in roots of a forecast.
      table: by step, group and knot, the quantiles' distances, float32 `[h, G, K, Q]`, ascending in Q.
      groups: by part of the day, the group of each cell and direction, int32 `[4, H, W, 2]`; -1 is one that never
        had flow, whose quantiles are zero.
    """

    gap: float
    table: np.ndarray
    groups: np.ndarray


def fit(
    forecasts: np.ndarray,
    flows: np.ndarray,
    times: np.ndarray,
    alive: np.ndarray,
    levels: Sequence[float],
    minutes: int,
) -> Spread:
    """Learns the spread.

    Args:
      forecasts: trips per interval, float `[n, h, H, W, 2]`, not below zero.
      flows: what came, of the same shape.
      times: first target intervals, wall-clock minutes, int64 `[n]`.
      alive: bool `[H, W, 2]`, cells and directions that ever had flow.
      levels: of the quantiles, ascending.
      minutes: length of an interval.
    """
    most = max(_MOST * len(times) // max(forecasts[:, 0].size, 1), 1)
    drawn = np.sort(np.random.default_rng(0).permutation(len(times))[:most])  # of every hour
    forecasts, flows, times = forecasts[drawn], flows[drawn], times[drawn]
    groups = _groups(forecasts, alive)
    gap = max(float(np.sqrt(forecasts.max(initial=0))), 1.0) / (_KNOTS - 1)
    tables = []
    for step in range(forecasts.shape[1]):
        group = groups[part_of_day(times + step * minutes)][:, alive]  # [n, a]
        tables.append(
            _fit_step(forecasts[:, step][:, alive], flows[:, step][:, alive], group, levels, gap)
        )
    return Spread(gap, np.stack(tables).astype(np.float32), groups)


def quantiles(spread: Spread, forecasts: np.ndarray, times: np.ndarray, minutes: int) -> np.ndarray:
    """The quantiles of forecasts `[n, h, H, W, 2]` from `times` on: trips per interval, `[n, h, H, W, 2, Q]`."""
    found = []
    for step in range(forecasts.shape[1]):
        group = spread.groups[part_of_day(times + step * minutes)]
        found.append(_read(spread.table[step], forecasts[:, step], group, spread.gap))
    return np.stack(found, axis=1)


def _groups(forecasts: np.ndarray, alive: np.ndarray) -> np.ndarray:
    size = forecasts.mean(axis=(0, 1))[alive]
    rank = np.empty(len(size), np.int64)
    rank[np.argsort(size, kind="stable")] = np.arange(len(size))
    groups = np.full((PARTS_OF_DAY, *alive.shape), -1, np.int32)
    third = rank * _SIZES // max(len(size), 1)
    groups[:, alive] = third + _SIZES * np.arange(PARTS_OF_DAY)[:, None]
    return groups


def _fit_step(forecasts, flows, group, levels: Sequence[float], gap: float) -> np.ndarray:
    """The table `[G, K, Q]` of a step from values `[n, a]`."""
    order = np.argsort(forecasts, axis=None)
    forecasts, flows, group = (values.reshape(-1)[order] for values in (forecasts, flows, group))
    found = np.zeros((PARTS_OF_DAY * _SIZES, _KNOTS, len(levels)))
    if not flows.size:
        return found
    common = _by_size(forecasts, flows, gap)  # [K, P]
    for number in range(len(found)):
        mine = group == number
        moved = np.array(levels)
        if mine.any():
            bounds = _read(common[None], forecasts[mine], np.zeros(mine.sum(), int), gap)
            share = share_below(flows[mine], bounds).mean(axis=0)
            share = np.maximum.accumulate(share) + np.arange(len(_FINE)) * 1e-9
            own = np.interp(levels, share, _FINE)
            trust = mine.sum() / (mine.sum() + _TRUST)
            moved = trust * own + (1 - trust) * moved
        found[number] = _at_levels(common, moved)
    return found


def _by_size(forecasts: np.ndarray, flows: np.ndarray, gap: float) -> np.ndarray:
    """Distances at the fine levels by root of the forecast, `[K, P]`, from values in order of the forecast."""
    roots = np.sqrt(forecasts)
    low, high = units(flows)
    points = (np.arange(_POINTS) + 0.5) / _POINTS
    distance = low[:, None] + (high - low)[:, None] * points - forecasts[:, None]
    distance /= np.sqrt(forecasts + 1)[:, None]
    found = np.empty((_KNOTS, len(_FINE)))
    least = min(_LEAST, len(roots))
    for knot in range(_KNOTS):
        at = knot * gap
        first, last = np.searchsorted(roots, [at - gap, at + gap])
        if last - first < least:
            first, last = _nearest(roots, at, least)
        reach = max(gap, at - roots[first], roots[last - 1] - at) * (1 + 1e-6)
        weight = np.repeat(1 - np.abs(roots[first:last] - at) / reach, _POINTS)
        found[knot] = _weighted_quantiles(distance[first:last].reshape(-1), weight)
    return found


def _nearest(roots: np.ndarray, at: float, count: int) -> tuple[int, int]:
    """The slice of the `count` values, of all in ascending order, that are nearest to one."""
    first = int(np.searchsorted(roots, at)) - count
    starts = np.arange(max(first, 0), min(first + count, len(roots) - count) + 1)
    reach = np.maximum(at - roots[starts], roots[starts + count - 1] - at)
    start = int(starts[np.argmin(reach)])
    return start, start + count


def _weighted_quantiles(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(values)
    weights = weights[order]
    return np.interp(_FINE, (np.cumsum(weights) - weights / 2) / weights.sum(), values[order])


def _at_levels(table: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """A table `[K, P]` at the fine levels, read at others: `[K, Q]`."""
    return np.stack([np.interp(levels, _FINE, row) for row in table])


def _read(table: np.ndarray, forecasts: np.ndarray, group: np.ndarray, gap: float) -> np.ndarray:
    """Quantiles `[..., Q]` of forecasts `[...]` of groups `[...]`, from a table `[G, K, Q]`."""
    position = np.minimum(np.sqrt(forecasts) / gap, _KNOTS - 1)
    knot = np.minimum(position.astype(np.int64), _KNOTS - 2)
    share = (position - knot)[..., None]
    distance = table[group, knot] * (1 - share) + table[group, knot + 1] * share
    found = np.maximum(forecasts[..., None] + np.sqrt(forecasts + 1)[..., None] * distance, 0)
    return np.where(group[..., None] < 0, 0, found)
