"""What files of flow records hold."""

from collections.abc import Iterator

import numpy as np

from crowdflow.config import Config
from crowdflow.ingest.inspection.samples import first_values
from crowdflow.ingest.records import hdf5_reader
from crowdflow.schema.errors import DataError


def describe_table(path: str) -> Iterator[str]:
    """The columns of a table of flow records, with a value of each.

    Raises:
      DataError: it cannot be read.
    """
    yield f"{path}: flow records, a row for each cell and interval"
    for name, values in first_values(path):
        yield f"  {name}: {values[0][:60] if values else '(empty)'}"


def shape_of(path: str, config: Config) -> dict[str, int]:
    """The settings that HDF5 frames need: `grid.rows` and `grid.cols`, if they differ from the configuration.

    Raises:
      DataError: it has no data set `data` of the form `[n, 2, H, W]`.
    """
    with hdf5_reader.open_hdf5(path) as file:
        shape = file["data"].shape if "data" in file else ()
    if len(shape) != 4:
        raise DataError(f"{path}: expected a data set `data`, [n, 2, H, W]. Received: {shape}.")
    found = {"grid.rows": int(shape[2]), "grid.cols": int(shape[3])}
    grid = config.grid
    return {} if (grid.rows, grid.cols) == shape[2:] else found


def describe_frames(path: str) -> Iterator[str]:
    """The number of frames, the grid, and the first and last slot of an HDF5 file.

    Raises:
      DataError: it cannot be read.
    """
    with hdf5_reader.open_hdf5(path) as file:
        frames, _, rows, cols = file["data"].shape
        slots = np.asarray(file["date"]).astype(str).tolist()
    yield f"{path}: flow records, {frames:,} frames of {rows} x {cols} cells in HDF5"
    yield f"  date: {min(slots)} to {max(slots)} (YYYYMMDD and the interval of the day)"
