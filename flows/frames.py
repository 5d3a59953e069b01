"""Flow frames as arrays."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from crowdflow.schema.intervals import to_datetime64

RECORD_COLUMNS = ("interval_start", "row", "col", "inflow", "outflow")


@dataclasses.dataclass(frozen=True)
class FrameBlock:
    """Flow frames, one per interval.

    Attributes:
      starts: wall-clock minutes of each interval's start, int64 `[n]`.
      maps: flows in trips per interval, float32 `[n, H, W, 2]`, inflow then outflow.
      covariates: values known before each interval starts, int64 or float32 `[n, ...]` by name, as
        `schema.features.covariates` lists them.
    """

    starts: np.ndarray
    maps: np.ndarray
    covariates: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


def merge_blocks(blocks: Iterable[FrameBlock]) -> FrameBlock:
    """Merges blocks into one, in order of time."""
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


def flow_records(frames: FrameBlock) -> dict[str, np.ndarray]:
    """Flow records: one for each interval and cell with flow, in the order of the frames, row and column.

    An interval without any flow keeps one record of zeros: without it, the interval would read as missing.

    Returns:
      `RECORD_COLUMNS` -> `[m]`: the interval's start datetime64, row and column int64, inflow and outflow float32
      in trips per interval.
    """
    kept = frames.maps.any(axis=-1)  # [n, H, W]
    kept[~kept.any(axis=(1, 2)), 0, 0] = True
    interval, row, col = np.nonzero(kept)
    flows = frames.maps[interval, row, col]  # [m, 2]
    starts = to_datetime64(frames.starts)[interval]
    return dict(zip(RECORD_COLUMNS, (starts, row, col, flows[:, 0], flows[:, 1]), strict=True))
