"""`crowdflow grid`: proposes a box and a number of cells from trips, in numbers, as YAML and as a map."""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Optional

import numpy as np
import pandas as pd
import yaml

from crowdflow.config import Config, GridConfig
from crowdflow.flows import grids
from crowdflow.ingest import date_range
from crowdflow.ingest.chunks import parts
from crowdflow.ingest.places import unknown
from crowdflow.ingest.places.places import Located, Places
from crowdflow.ingest.sources import TRIPS, Source, inspect_sources, read_places
from crowdflow.ingest.trips import trip_rows
from crowdflow.ingest.trips.trip_counts import read_part
from crowdflow.schema.errors import DataError

_SIDES = ("starts", "ends")
_NAMED = 5  # positions outside the box that are named


@dataclasses.dataclass(frozen=True)
class Positions:
    """Where trips start and end.

    Attributes:
      latitude: degrees, rounded to `grids.POSITION_STEP`, so that memory stays bounded, float64 `[n]`.
      longitude: as latitude.
      starts: number of trips that start there, int64 `[n]`.
      ends: number of trips that end there, int64 `[n]`.
      trips: number of trips read, including those without a position.
      files: the files read.
      left_out: the files that have no trips.
      unknown: how often each id is named that no table of places has.
      rings: the outlines of the places that trips name, see `PlaceTable`.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    trips: int
    files: list[str]
    left_out: list[str]
    unknown: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    rings: Sequence[np.ndarray] = ()


def read_positions(paths: Sequence[str], config: Config) -> Positions:
    """Counts the positions in files of trips, as an ingest reads them; the points of trajectories count as starts.

    Leaves out positions that are absent or 0, 0.

    Args:
      paths: files, folders and glob patterns.
      config: for trips, ingest and range; the grid may be without a box.

    Raises:
      DataNotFoundError: a path does not exist.
      DataError: as an ingest does; or there are no trips with a position.
    """
    resolved = date_range.resolve(paths, config)
    config = resolved.config
    sources = inspect_sources(resolved.paths, config, side_files_needed=False, box_needed=False)
    if not any(source.kind in TRIPS for source in sources):
        raise DataError(f"{', '.join(paths)}: expected raw trips, received flow records.")
    return count_positions(sources, read_places(sources, config), config)


def count_positions(sources: Sequence[Source], places: Places, config: Config) -> Positions:
    """As `read_positions`, of sources that are known.

    Args:
      sources: of trips, and others.
      places: where the places of the trips are.
      config: for trips.

    Raises:
      DataError: a file cannot be read, or there are no trips with a position.
    """
    files = [source.path for source in sources if source.kind in TRIPS]
    counts, trips, strange = pd.DataFrame(), 0, collections.Counter()
    for part in parts(sources):
        here = places.of_file(part.path)
        for rows, _ in read_part(part, config):
            found = trip_rows.positions(rows, config, here)
            for side, located in zip(_SIDES, found):
                if located is not None:
                    counts = _sum(counts, _count(located, side))
            strange.update(trip_rows.unknown_ids(rows, found))
            trips += len(rows.numbers)
    if counts.empty:
        raise DataError(
            f"{', '.join(files)}: expected trips with positions, received none in {trips:,} rows."
            f"{unknown.in_words(strange)}"
        )
    latitude, longitude = (
        counts.index.get_level_values(level).to_numpy() * grids.POSITION_STEP for level in (0, 1)
    )
    weights = (counts[side].to_numpy(np.int64) for side in _SIDES)
    left_out = [source.path for source in sources if source.kind not in TRIPS]
    rings = [ring for table in places.tables for ring in table.rings]
    return Positions(latitude, longitude, *weights, trips, files, left_out, strange, rings)


def describe(positions: Positions, grid: GridConfig) -> list[str]:
    """Describes a grid and what it covers, in lines."""
    height, width = grids.cell_metres(grid)
    maps = [trips_by_cell(positions, side, grid) for side in _SIDES]  # [H, W] each
    active = int((sum(maps) > 0).sum())
    lines = [f"no trips: {path}" for path in positions.left_out]
    lines += [
        f"{positions.trips:,} trips in {len(positions.files)} files",
        f"box {grid.south:g}..{grid.north:g} N, {grid.west:g}..{grid.east:g} E: {grid.rows} x "
        f"{grid.cols} cells of {height:.0f} m (north to south) by {width:.0f} m",
    ]
    for side, counts in zip(_SIDES, maps):
        inside = int(counts.sum())
        if not getattr(positions, side).any():
            lines.append(f"no {side} in these files")
            continue
        lines.append(
            f"{side} inside: {inside:,} of {positions.trips:,} ({inside / positions.trips:.2%})"
        )
    lines += unknown.in_words(positions.unknown).split("\n")[1:]
    lines += _outside(positions, grid)
    cells = grid.rows * grid.cols
    return [*lines, f"active cells: {active} of {cells} ({active / cells:.0%})"]


def _outside(positions: Positions, grid: GridConfig) -> list[str]:
    """Names the positions outside the box, the farthest first."""
    latitude, longitude = positions.latitude, positions.longitude
    outside = np.flatnonzero(~grids.cell_of(latitude, longitude, grid)[2])
    if not len(outside):
        return []
    weights = positions.starts + positions.ends
    beyond = np.maximum(
        np.abs(latitude - np.clip(latitude, grid.south, grid.north)),
        np.abs(longitude - np.clip(longitude, grid.west, grid.east)),
    )
    lines = [
        f"outside the box: {weights[outside].sum():,} of {weights.sum():,} starts and ends, in "
        f"{len(outside):,} {'place' if len(outside) == 1 else 'places'}, the farthest first"
    ]
    for place in outside[np.argsort(-beyond[outside], kind="stable")][:_NAMED]:
        swapped = grids.cell_of(longitude[[place]], latitude[[place]], grid)[2][0]
        lines.append(
            f"  {latitude[place]:.4f} N, {longitude[place]:.4f} E: {weights[place]:,}"
            f"{' (latitude and longitude swapped?)' if swapped else ''}"
        )
    if len(outside) > _NAMED:
        lines.append(f"  and {len(outside) - _NAMED:,} more")
    return lines


def as_yaml(grid: GridConfig, zone: Optional[str], config: Config) -> str:
    """Settings as YAML: how `config` reads trips, the section `grid`, and the time zone unless it is None."""
    usual = Config().to_dict()["trips"]
    trips = {k: v for k, v in config.to_dict()["trips"].items() if v != usual[k]}
    settings: dict = {"trips": trips} if trips else {}
    settings["grid"] = dataclasses.asdict(grid)
    if zone is not None:
        settings["intervals"] = {"timezone": zone}
    return yaml.safe_dump(settings, sort_keys=False)


def trips_by_cell(positions: Positions, side: str, grid: GridConfig) -> np.ndarray:
    """The number of trips whose `side` (`starts` or `ends`) is in each cell, `[H, W]`."""
    weights = getattr(positions, side)
    return grids.count_by_cell(positions.latitude, positions.longitude, weights, grid)


def _sum(counts: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([counts, more]).groupby(level=[0, 1]).sum()


def _count(located: Located, side: str) -> pd.DataFrame:
    """Counts starts or ends by rounded latitude and longitude."""
    latitude, longitude = located.latitude, located.longitude
    good = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 180)
    good &= (latitude != 0) | (longitude != 0)
    steps = [np.rint(a[good] / grids.POSITION_STEP).astype(np.int64) for a in (latitude, longitude)]
    found = pd.DataFrame(dict.fromkeys(_SIDES, 0), index=pd.MultiIndex.from_arrays(steps))
    found[side] = 1
    return found.groupby(level=[0, 1]).sum()
