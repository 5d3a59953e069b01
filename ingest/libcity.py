"""Writes flows as LibCity's atomic files: the cells in `.geo`, the flows of each cell over time in `.grid`."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crowdflow.config import Config
from crowdflow.flows import grids

_CELLS_AT_ONCE = 64


def write(flows: Path, config: Config, out: Path) -> list[Path]:
    """Writes `crowdflow.geo` and `crowdflow.grid` in the form of LibCity's grid data sets.

    A `.grid` file has a line for each cell and interval, including zeros, grouped by cell. Missing intervals have
    no line.

    Args:
      flows: a table with at least one flow record for each interval, as `crowdflow ingest` writes it.
      config: for the grid.
      out: the output folder.

    Returns:
      The two files.
    """
    grid = config.grid
    geo, path = out / "crowdflow.geo", out / "crowdflow.grid"
    _cells(config).to_csv(geo, index=False)
    starts = np.unique(pq.read_table(flows, columns=["interval_start"])[0].to_numpy())
    times = np.char.add(np.datetime_as_string(starts, "s"), "Z")
    shape = grid.rows * grid.cols, len(starts), 2
    with (
        tempfile.TemporaryFile(dir=out) as scratch,
        open(path, "w", encoding="utf-8", newline="") as file,
    ):
        maps = np.memmap(scratch, np.float32, "w+", shape=shape)  # zero where nothing is written
        for interval, cell, values in _records(flows, starts, grid.cols):
            maps[cell, interval] = values
        for begin in range(0, shape[0], _CELLS_AT_ONCE):
            cells = np.arange(begin, min(begin + _CELLS_AT_ONCE, shape[0]))
            first, count = begin * len(starts), len(cells) * len(starts)
            table = {
                "dyna_id": np.arange(first, first + count),
                "type": "state",
                "time": np.tile(times, len(cells)),
                "row_id": np.repeat(cells // grid.cols, len(starts)),
                "column_id": np.repeat(cells % grid.cols, len(starts)),
                "inflow": maps[cells, :, 0].ravel(),
                "outflow": maps[cells, :, 1].ravel(),
            }
            pd.DataFrame(table).to_csv(file, index=False, header=not begin)
    return [geo, path]


def _cells(config: Config) -> pd.DataFrame:
    """A table with one row per cell: its polygon, longitude before latitude; empty if the grid has no box."""
    row, col = np.divmod(np.arange(config.grid.rows * config.grid.cols), config.grid.cols)
    polygons = ["[]"] * len(row)
    if config.grid.south is not None:
        polygons = [
            f"[[[{w}, {s}], [{e}, {s}], [{e}, {n}], [{w}, {n}], [{w}, {s}]]]"
            for s, w, n, e in grids.cell_bounds(row, col, config.grid).round(9).tolist()
        ]
    table = {"geo_id": np.arange(len(row)), "type": "Polygon", "coordinates": polygons}
    return pd.DataFrame({**table, "row_id": row, "column_id": col})


def _records(
    flows: Path, starts: np.ndarray, cols: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields interval and cell, int64 `[n]`, and flows, float32 `[n, 2]`, batch by batch."""
    with pq.ParquetFile(flows) as file:
        for batch in file.iter_batches(1 << 20):
            start, row, col, inflow, outflow = (column.to_numpy() for column in batch.columns)
            cell = row.astype(np.int64) * cols + col
            values = np.stack([inflow, outflow], axis=-1)
            yield np.searchsorted(starts, start), cell, values
