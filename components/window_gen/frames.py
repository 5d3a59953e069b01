"""Frames to a store of one file a day, and an index of all frames that holds everything but the maps."""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from crowdflow.config import Config
from crowdflow.flows.frames import FrameBlock
from crowdflow.schema import features
from crowdflow.schema.intervals import MINUTES_PER_DAY
from crowdflow.storage import map_store

NEVER = np.iinfo(np.int64).max
# A folder beside those of the maps, of which nothing is needed once the windows are complete.
PARKED = "parked"
_BATCH_BYTES, _BATCH = 32 << 20, 1024


def batch_size(config: Config) -> int:
    """How many frames are decoded at once: of a large grid fewer."""
    frame_bytes = 4 * len(features.CHANNELS) * config.grid.rows * config.grid.cols
    return min(max(_BATCH_BYTES // frame_bytes, 1), _BATCH)


class Piece(NamedTuple):
    """Frames of one day whose maps lie in a parked file.

    Attributes:
      path: the file.
      first: the number of the first map in it.
      starts: wall-clock minutes, int64 `[n]`, ascending.
      covariates: `[n, ...]` by name.
    """

    path: str
    first: int
    starts: np.ndarray
    covariates: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Index:
    """Everything of some frames but their maps.

    Attributes:
      starts: wall-clock minutes, int64 `[n]`, ascending.
      covariates: `[n, ...]` by name.
      bounds: the smallest and largest flow of each frame, float32 `[n, 2]`, trips per interval.
      first: when each cell first has any flow: a frame's start, or `NEVER`, int64 `[H, W]`.
    """

    starts: np.ndarray
    covariates: Mapping[str, np.ndarray]
    bounds: np.ndarray
    first: np.ndarray

    def holidays(self, otherwise: np.ndarray) -> np.ndarray:
        """The days off, since 1970-01-01: by the frames if they know, else `otherwise`."""
        if features.HOLIDAY not in self.covariates:
            return otherwise
        return np.unique(self.starts[self.covariates[features.HOLIDAY] == 1] // MINUTES_PER_DAY)


def park(block: FrameBlock, folder: str) -> Iterator[tuple[int, Piece]]:
    """Writes frames of any days to one file, and yields where those of each day lie in it.

    So only these references go through the shuffle, and a worker holds no more than a batch of maps.
    """
    order = np.argsort(block.starts)
    starts = block.starts[order]
    path = map_store.park(os.path.join(folder, PARKED), block.maps[order])
    days, firsts = np.unique(starts // MINUTES_PER_DAY, return_index=True)
    for day, first, last in zip(days.tolist(), firsts, [*firsts[1:], len(starts)]):
        rows = order[first:last]
        covariates = {name: values[rows] for name, values in block.covariates.items()}
        yield day, Piece(path, int(first), starts[first:last], covariates)


def assemble(day: int, pieces: Iterable[Piece], folder: str, shape: tuple[int, ...]) -> Index:
    """Writes a day's file of frames from its pieces; `shape` is a map's, `(H, W, 2)`."""
    pieces = list(pieces)
    starts = np.concatenate([piece.starts for piece in pieces])
    order = np.argsort(starts)
    read = (map_store.parked(p.path, p.first, len(p.starts), shape) for p in pieces)
    maps = np.concatenate(list(read))[order]
    map_store.write_day(os.path.join(folder, features.FRAMES_FOLDER), day, maps)
    starts = starts[order]
    covariates = _joined([piece.covariates for piece in pieces], order)
    return Index(starts, covariates, bounds(maps), first_flows(FrameBlock(starts, maps)))


def merge(indices: Iterable[Index], grid: tuple[int, int]) -> Index:
    """The index of all frames, of which there may be none."""
    indices = list(indices)
    if not indices:
        none = np.zeros(0, np.int64)
        return Index(none, {}, np.zeros((0, 2), np.float32), np.full(grid, NEVER))
    starts = np.concatenate([index.starts for index in indices])
    order = np.argsort(starts)
    return Index(
        starts[order],
        _joined([index.covariates for index in indices], order),
        np.concatenate([index.bounds for index in indices])[order],
        np.min([index.first for index in indices], axis=0),
    )


def bounds(maps: np.ndarray) -> np.ndarray:
    """The smallest and largest flow of each map: `[n, H, W, 2]` to float32 `[n, 2]`."""
    flat = maps.reshape(len(maps), -1)
    return np.stack([flat.min(axis=1), flat.max(axis=1)], axis=1)


def first_flows(block: FrameBlock) -> np.ndarray:
    """When each cell first has any flow: a frame's start, or `NEVER`, int64 `[H, W]`."""
    active = (block.maps > 0).any(axis=3)
    return np.where(active, block.starts[:, None, None], NEVER).min(axis=0)


def _joined(parts: list[Mapping[str, np.ndarray]], order: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]}
