"""`crowdflow grid`: proposes a box and a number of cells from trips, in numbers, as YAML and as a map."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from crowdflow.config import Config, GridConfig
from crowdflow.flows import grids
from crowdflow.ingest import sources
from crowdflow.ingest.trips import clock, trip_files, trip_layouts
from crowdflow.schema.errors import DataError

ROUNDED_DEGREES = 1e-4  # positions are counted in steps of about 10 m, so that memory stays bounded
_SIDES = {
    "starts": (trip_layouts.START_LAT, trip_layouts.START_LON),
    "ends": (trip_layouts.END_LAT, trip_layouts.END_LON),
}


@dataclasses.dataclass(frozen=True)
class Positions:
    """Where trips start and end.

    Attributes:
      latitude: degrees, rounded to `ROUNDED_DEGREES`, float64 `[n]`.
      longitude: as latitude.
      starts: number of trips that start there, int64 `[n]`.
      ends: number of trips that end there, int64 `[n]`.
      trips: number of trips read, including those without a position.
      files: the files read.
      left_out: the files without a layout of trips.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    trips: int
    files: list[str]
    left_out: list[str]


def read_positions(paths: Sequence[str], config: Config) -> Positions:
    """Counts the positions in files of trips; the points of trajectories count as starts.

    Leaves out files without a layout of trips, and positions that are absent or 0, 0.

    Args:
      paths: files, folders and glob patterns.
      config: for trips.

    Raises:
      DataNotFoundError: a path does not exist.
      DataError: a file cannot be read, or no file has trips with a position.
    """
    counts, trips = pd.DataFrame(), 0
    files, left_out = [], []
    for path in sources.expand(paths):
        blocks = _blocks(path, config)
        (left_out if blocks is None else files).append(path)
        for rows in blocks or ():
            counts = _sum(counts, _count(rows))
            trips += len(rows.numbers)
    if counts.empty:
        raise DataError(
            f"{', '.join(paths)}: expected trips with positions, received none in {trips:,} rows. "
            "crowdflow grid reads the same files of trips as crowdflow run."
        )
    latitude, longitude = (
        counts.index.get_level_values(level).to_numpy() * ROUNDED_DEGREES for level in (0, 1)
    )
    found = (counts[side].to_numpy(np.int64) for side in _SIDES)
    return Positions(latitude, longitude, *found, trips, files, left_out)


def describe(positions: Positions, grid: GridConfig) -> list[str]:
    """Describes a grid and what it covers, in lines."""
    height, width = grids.cell_metres(grid)
    maps = [trips_by_cell(positions, side, grid) for side in _SIDES]  # [H, W] each
    active = int((sum(maps) > 0).sum())
    lines = [f"left out, no trips: {path}" for path in positions.left_out]
    lines += [
        f"{positions.trips:,} trips in {len(positions.files)} files",
        f"box {grid.south:g}..{grid.north:g} N, {grid.west:g}..{grid.east:g} E: {grid.rows} x "
        f"{grid.cols} cells of {height:.0f} m (north to south) by {width:.0f} m",
    ]
    for side, counts in zip(_SIDES, maps):
        inside = int(counts.sum())
        lines.append(
            f"{side} inside: {inside:,} of {positions.trips:,} ({inside / positions.trips:.2%})"
        )
    cells = grid.rows * grid.cols
    return [*lines, f"active cells: {active} of {cells} ({active / cells:.0%})"]


def as_yaml(grid: GridConfig) -> str:
    """The section `grid` of a configuration, as YAML."""
    return yaml.safe_dump({"grid": dataclasses.asdict(grid)}, sort_keys=False)


def trips_by_cell(positions: Positions, side: str, grid: GridConfig) -> np.ndarray:
    """The number of trips whose `side` (`starts` or `ends`) is in each cell, `[H, W]`."""
    weights = getattr(positions, side)
    return grids.count_by_cell(positions.latitude, positions.longitude, weights, grid)


def _sum(counts: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([counts, more]).groupby(level=[0, 1]).sum()


def _blocks(path: str, config: Config) -> Iterator[trip_files.TripRows] | None:
    """The rows of a file, block by block, or None for a file without trips."""
    name = path.lower()
    if name.endswith(".parquet"):
        names = trip_files.parquet_names(path)
        inspect, read = trip_files.inspect_parquet, trip_files.read_parquet
    elif name.endswith((".csv", ".csv.gz", ".zip")):
        names = trip_files.csv_header(path, config)
        inspect, read = trip_files.inspect_csv, trip_files.read_csv
    else:
        return None
    if trip_layouts.find_layout(names, config) is None:
        return None
    units = range(inspect(path, config))
    return itertools.chain.from_iterable(read(path, unit, config) for unit in units)


def _count(rows: trip_files.TripRows) -> pd.DataFrame:
    """Counts starts and ends by rounded latitude and longitude."""
    columns = dict(zip(rows.layout.roles, rows.columns))
    if trip_layouts.POINT_LAT in columns:
        sides = {"starts": (trip_layouts.POINT_LAT, trip_layouts.POINT_LON)}
    else:
        sides = _SIDES
    counts = pd.DataFrame()
    for side, names in sides.items():
        latitude, longitude = (_degrees(columns[name]) for name in names)
        good = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 180)
        good &= (latitude != 0) | (longitude != 0)
        steps = [np.rint(a[good] / ROUNDED_DEGREES).astype(np.int64) for a in (latitude, longitude)]
        found = pd.DataFrame(dict.fromkeys(_SIDES, 0), index=pd.MultiIndex.from_arrays(steps))
        found[side] = 1
        counts = _sum(counts, found)
    return counts


def _degrees(column: pa.Array) -> np.ndarray:
    """Degrees, float64 `[n]`; NaN where the value is not a number."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        return column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    if pa.types.is_binary(column.type):
        column = clock.decode(column)
    return pd.to_numeric(column.to_pandas(), errors="coerce").to_numpy(np.float64)
