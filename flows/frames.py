"""Flow frames as arrays."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np


@dataclasses.dataclass(frozen=True)
class FrameBlock:
    """Some flow frames, one an interval.

    Attributes:
      starts: wall-clock minutes of each interval's start, int64 `[n]`.
      maps: flows in trips per interval, float32 `[n, H, W, 2]`, inflow then outflow.
      covariates: what is known before each interval, int64 or float32 `[n, ...]` by name, as
        `schema.features.covariates` lists them.
    """

    starts: np.ndarray
    maps: np.ndarray
    covariates: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


def merge_blocks(blocks: Iterable[FrameBlock]) -> FrameBlock:
    """One block of many, in order of time."""
    blocks = list(blocks)
    starts = np.concatenate([block.starts for block in blocks])
    order = np.argsort(starts)
    return FrameBlock(
        starts=starts[order],
        maps=np.concatenate([block.maps for block in blocks])[order],
        covariates={
            name: np.concatenate([block.covariates[name] for block in blocks])[order]
            for name in blocks[0].covariates
        },
    )
