"""What files of flow records hold."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from crowdflow.config import Config
from crowdflow.ingest.inspection.samples import first_values
from crowdflow.ingest.records import hdf5_reader, table_reader
from crowdflow.schema import intervals
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


def extent_of(paths: Sequence[str]) -> tuple[int, int, int]:
    """Rows and columns of the grid, and the interval in minutes, that records have.

    Values that cannot be read are left out.

    Raises:
      DataError: a file cannot be read, there are no records, or times are not the starts of intervals.
    """
    rows, cols, times = 0, 0, [np.empty(0, np.int64)]
    for path in paths:
        if path.lower().endswith((".csv", ".csv.gz", ".parquet", ".grid")):
            for table in table_reader.read_columns(path):
                height, width = (
                    pd.to_numeric(table[name], errors="coerce").max() for name in ("row", "col")
                )
                rows, cols = np.fmax([rows, cols], [height + 1, width + 1])
                found = pd.to_datetime(table["interval_start"], errors="coerce").dropna().unique()
                times.append(intervals.from_datetime64(found))
        else:
            with hdf5_reader.open_hdf5(path) as file:
                rows, cols = np.fmax([rows, cols], file["data"].shape[2:])
                slots = np.asarray(file["date"])
            most = max(int(slot[-2:]) for slot in slots) + 1 - intervals.first_slot(slots)
            times.append(np.array([0, intervals.MINUTES_PER_DAY // (24 * -(-most // 24))]))
    gaps = np.diff(np.unique(np.concatenate(times)))
    minutes = int(gaps.min()) if len(gaps) else 0
    if not minutes or intervals.MINUTES_PER_DAY % minutes:
        raise DataError(
            f"{', '.join(paths)}: expected records of at least two intervals, with a length that divides a day. "
            f"Received intervals {minutes} minutes apart."
        )
    return int(rows), int(cols), minutes


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
