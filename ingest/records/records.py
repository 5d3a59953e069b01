"""Flow records as arrays, and assembling the complete maps of a day from them.

A record is a row of a table (one cell of one interval) or an HDF5 frame (one interval). Its position is an
int64 that combines file and row, so that the first of duplicates does not depend on the order of processing.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeVar, Union

import numpy as np

from crowdflow.flows.frames import FrameBlock
from crowdflow.ingest import tally as tallies
from crowdflow.schema import intervals

_ROW_BITS = 40


@dataclasses.dataclass(frozen=True)
class RowBlock:
    """Table rows that passed all checks of a single row.

    Attributes:
      positions: int64 `[n]`, see `positions`.
      starts: wall-clock minutes, int64 `[n]`.
      cells: row * W + column, int64 `[n]`.
      flows: trips per interval, float32 `[n, 2]`, inflow then outflow.
    """

    positions: np.ndarray
    starts: np.ndarray
    cells: np.ndarray
    flows: np.ndarray


@dataclasses.dataclass(frozen=True)
class FrameRecords:
    """HDF5 frames that passed all checks of a single frame.

    Attributes:
      positions: int64 `[n]`, see `positions`.
      starts: wall-clock minutes, int64 `[n]`.
      maps: trips per interval, float32 `[n, H, W, 2]`, inflow then outflow.
    """

    positions: np.ndarray
    starts: np.ndarray
    maps: np.ndarray


@dataclasses.dataclass(frozen=True)
class LostIntervals:
    """Intervals with a rejected row; `starts` are wall-clock minutes, int64 `[n]`."""

    starts: np.ndarray


Block = Union[RowBlock, FrameRecords, LostIntervals]
_B = TypeVar("_B", RowBlock, FrameRecords, LostIntervals)


def positions(file: int, rows: np.ndarray) -> np.ndarray:
    """Positions, int64 `[n]`, of rows `[n]` in the file with index `file`."""
    return (np.int64(file) << _ROW_BITS) + np.asarray(rows, np.int64)


def by_day(block: _B) -> Iterator[tuple[int, _B]]:
    """Splits a block by the day of its starts; yields (days since 1970-01-01, block)."""
    days = block.starts // intervals.MINUTES_PER_DAY
    order = np.argsort(days, kind="stable")
    found, begins = np.unique(days[order], return_index=True)
    for day, index in zip(found, np.split(order, begins[1:])):
        yield int(day), _take(block, index)


def assemble_day(
    blocks: Iterable[Block],
    rows: int,
    cols: int,
    absent_cells: Literal["zero", "missing"],
    files: Sequence[str],
) -> tuple[FrameBlock, tallies.Tally]:
    """Assembles the complete maps of one day.

    The first record of an interval decides: if it is a frame, all other records of the interval are
    duplicates; if it is a table row, all frames are, and all later rows of the same cell. An interval of rows
    is missing if one of its rows was rejected: the flow of that cell is unknown, not zero.

    Args:
      blocks: all blocks of the day, in any order.
      rows: H.
      cols: W.
      absent_cells: whether a cell without a row has zero flow, or makes the interval missing.
      files: names of the files by index, for the rejects.

    Returns:
      The frames in order of time, without covariates, and the tally.
    """
    blocks = list(blocks)
    frames = _join(FrameRecords, blocks, (0, rows, cols, 2))
    table = _join(RowBlock, blocks, (0, 2))
    first_frame, first_row = _first(frames), _first(table)
    never = np.iinfo(np.int64).max
    whole = {s for s, at in first_frame.items() if at < first_row.get(s, never)}

    pairs = zip(frames.starts.tolist(), frames.positions.tolist())
    keep_frame = np.array([s in whole and first_frame[s] == at for s, at in pairs], bool)
    keep_row = np.zeros(len(table.starts), bool)
    keep_row[np.unique(table.starts * rows * cols + table.cells, return_index=True)[1]] = True
    keep_row &= ~np.isin(table.starts, list(whole))

    lost = np.concatenate([b.starts for b in blocks if isinstance(b, LostIntervals)] + [[]])
    lost = set(lost.astype(np.int64).tolist()) - whole
    kept = _take(table, keep_row)
    starts, maps, counts = _fill(kept, rows * cols, lost, absent_cells)
    starts = np.concatenate([starts, frames.starts[keep_frame]])
    maps = np.concatenate([maps.reshape(-1, rows, cols, 2), frames.maps[keep_frame]])
    order = np.argsort(starts)

    tally = tallies.of_frames(starts)
    tally.counts.update(counts)
    _reject_duplicates(tally, frames, ~keep_frame, cols, files)
    _reject_duplicates(tally, table, ~keep_row, cols, files)
    return FrameBlock(starts[order], maps[order]), tally


def _fill(
    table: RowBlock, cells: int, lost: set[int], absent_cells: str
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """The starts `[n]` and maps `[n, cells, 2]` of the complete intervals, and counts; the rows are unique."""
    starts, index, found = np.unique(table.starts, return_inverse=True, return_counts=True)
    maps = np.zeros((len(starts), cells, 2), np.float32)
    maps[index, table.cells] = table.flows
    complete = ~np.isin(starts, list(lost))
    counts = {"interval_incomplete": len(lost)}
    if absent_cells == "missing":
        counts["interval_absent_cells"] = int((complete & (found < cells)).sum())
        complete &= found == cells
    counts["cells_filled"] = int((cells - found[complete]).sum())
    return starts[complete], maps[complete], counts


def _reject_duplicates(
    tally: tallies.Tally,
    block: Union[RowBlock, FrameRecords],
    rejected: np.ndarray,
    cols: int,
    files: Sequence[str],
) -> None:
    index = np.flatnonzero(rejected)
    if not len(index):
        return
    tally.rejected[tallies.DUPLICATE] += len(index)
    for i in index[: tallies.REJECTS_CAP]:
        position, value = int(block.positions[i]), intervals.format_start(block.starts[i])
        if isinstance(block, RowBlock):
            value += f", cell {block.cells[i] // cols},{block.cells[i] % cols}"
        file, row = files[position >> _ROW_BITS], position & ((1 << _ROW_BITS) - 1)
        tally.rejects.append(tallies.Reject(file, row, tallies.DUPLICATE, value))


def _take(block: _B, index: np.ndarray) -> _B:
    return type(block)(*(getattr(block, f.name)[index] for f in dataclasses.fields(block)))


def _join(kind: type[_B], blocks: list[Block], shape: tuple[int, ...]) -> _B:
    """Joins all blocks of a kind, in order of position; `shape` is the shape of the flows without any block."""
    names = [f.name for f in dataclasses.fields(kind)]
    empty = [np.zeros(0, np.int64)] * (len(names) - 1) + [np.zeros(shape, np.float32)]
    found = [[getattr(b, n) for n in names] for b in blocks if isinstance(b, kind)]
    joined = kind(*map(np.concatenate, zip(empty, *found)))
    return _take(joined, np.argsort(joined.positions))


def _first(block: Union[RowBlock, FrameRecords]) -> dict[int, int]:
    """The first position of each start; the block must be in order of position."""
    starts, index = np.unique(block.starts, return_index=True)
    return dict(zip(starts.tolist(), block.positions[index].tolist()))
