"""Trajectories as flows: crossings between cells, as in Definition 2 of the ST-ResNet paper."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd


@dataclasses.dataclass(frozen=True)
class PointBlock:
    """Points of any trajectories.

    Attributes:
      names: the distinct ids, object `[k]`.
      codes: index of each point's id in `names`, int32 `[n]`.
      elapsed: microseconds, int64 `[n]`.
      order: order of reading, which decides between points with the same time, int64 `[n]`.
      starts: wall-clock minutes of each point's interval, int64 `[n]`.
      cells: row * W + column, int64 `[n]`; -1 outside the grid.
    """

    names: np.ndarray
    codes: np.ndarray
    elapsed: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    cells: np.ndarray


class Crossings(NamedTuple):
    """Pairs of points (g_{k-1}, g_k) in different cells; each belongs to the interval of g_k.

    Attributes:
      starts: wall-clock minutes of the interval, int64 `[m]`.
      left: the cell of g_{k-1}, which gets an outflow, int64 `[m]`; -1 outside the grid.
      entered: the cell of g_k, which gets an inflow.
      gaps: number of pairs that are too far apart in time to count as a crossing.
    """

    starts: np.ndarray
    left: np.ndarray
    entered: np.ndarray
    gaps: int


def find_crossings(blocks: Iterable[PointBlock], max_gap_minutes: float) -> Crossings:
    """Finds where trajectories cross from cell to cell.

    In Definition 2 (Zhang, Zheng, Qi, AAAI 2017) the inflow of a cell counts the pairs with g_{k-1} outside it and
    g_k inside, the outflow those with g_{k-1} inside and g_k outside. Both are known, and counted, in the interval
    of g_k.

    Args:
      blocks: all points of these trajectories, in any order.
      max_gap_minutes: pairs further apart are not crossings.

    Returns:
      The crossings, in no particular order.
    """
    blocks = list(blocks)
    names = np.concatenate([np.zeros(0, object), *(block.names for block in blocks)])
    shared, _ = pd.factorize(names)
    offsets = np.cumsum([0, *(len(block.names) for block in blocks)])
    ids = [shared[block.codes + offset] for block, offset in zip(blocks, offsets)]
    ids, elapsed, order, starts, cells = (
        np.concatenate([np.zeros(0, np.int64), *parts])
        for parts in (ids, *([getattr(b, n) for b in blocks] for n in _COLUMNS))
    )
    by = np.lexsort((order, elapsed, ids))
    ids, elapsed, starts, cells = ids[by], elapsed[by], starts[by], cells[by]
    same = ids[1:] == ids[:-1]
    near = np.diff(elapsed) <= max_gap_minutes * 60e6
    crossed = np.flatnonzero(same & near & (cells[1:] != cells[:-1]))
    gaps = int((same & ~near).sum())
    return Crossings(starts[crossed + 1], cells[crossed], cells[crossed + 1], gaps)


_COLUMNS = ("elapsed", "order", "starts", "cells")


def by_bucket(
    ids: np.ndarray,
    elapsed: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    cells: np.ndarray,
    buckets: int,
) -> Iterator[tuple[int, PointBlock]]:
    """Splits points so that all points of a trajectory are in the same bucket, whatever file they come from.

    Args:
      ids: strings, object `[n]`; for the others see `PointBlock`.
      elapsed: int64 `[n]`.
      order: int64 `[n]`.
      starts: int64 `[n]`.
      cells: int64 `[n]`.
      buckets: number of buckets.

    Yields:
      A bucket and its points.
    """
    codes, names = pd.factorize(ids)
    bucket_of = pd.util.hash_array(names, categorize=False) % np.uint64(buckets)
    buckets_found = bucket_of[codes]
    for bucket in np.unique(buckets_found):
        index = np.flatnonzero(buckets_found == bucket)
        kept, local = np.unique(codes[index], return_inverse=True)
        yield (
            int(bucket),
            PointBlock(
                names[kept],
                local.astype(np.int32),
                elapsed[index],
                order[index],
                starts[index],
                cells[index],
            ),
        )
