"""Tables of cells for GIS programs: every row with its cell's outline, and times with their zone."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Optional

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crowdflow.config import Config, GridConfig
from crowdflow.flows.cells import polygons, well_known_binary
from crowdflow.storage import geo_files

log = logging.getLogger("crowdflow.map")

ENDINGS = (geo_files.GEOPARQUET, geo_files.GEOJSON)


def write_on_map(parts: Iterable[pa.Table], config: Config, path: Path) -> None:
    """Writes GeoParquet or GeoJSON, by the name's ending, atomically and part by part.

    Args:
      parts: tables with `row` and `col`, and times of the city's clock without a zone.
      config: for the grid and the time zone; without a zone, times stay without one.
      path: ends in one of `ENDINGS`.

    Raises:
      ConfigError: the grid has no box.
    """
    rings = polygons(config.grid).reshape(-1, 5, 2)
    located = (locate(part, config.grid, config.intervals.timezone) for part in parts)
    if path.suffix.lower() == geo_files.GEOJSON:
        geo_files.write_geojson(located, rings, path)
    else:
        box = config.grid
        bounds = (box.west, box.south, box.east, box.north)
        geo_files.write_geoparquet(located, well_known_binary(rings), bounds, path)


def write_on_maps(
    tables: Sequence[Path], formats: Sequence[str], config: Config, stem: Path
) -> list[Path]:
    """Writes Parquet files once more as one file in each asked format of `ENDINGS`.

    Args:
      tables: as `write_on_map` has the parts.
      formats: endings without their dot; others are passed over.
      config: as `write_on_map` has it.
      stem: path of the new files without the ending.

    Returns:
      The new files; none where the grid has no box, which is logged.
    """
    endings = [ending for ending in ENDINGS if ending[1:] in formats]
    if endings and config.grid.south is None:
        log.warning("no %s: the grid has no box, so its cells have no place", " and ".join(formats))
        return []
    made = [stem.with_name(stem.name + ending) for ending in endings]
    for path in made:
        write_on_map(parts_of(tables), config, path)
    return made


def locate(table: pa.Table, grid: GridConfig, zone: Optional[str]) -> pa.Table:
    """A table with the number of each row's cell, `cell`, int64, and times in the zone.

    Of an hour that the end of daylight saving repeats, the earlier one is meant; the counts of both are in it.
    """
    cell = pc.add(pc.multiply(table["row"].cast(pa.int64()), grid.cols), table["col"])
    for number, field in enumerate(table.schema if zone else ()):
        if pa.types.is_timestamp(field.type):
            times = table[field.name].cast(pa.timestamp("us"))
            times = pc.assume_timezone(times, zone, ambiguous="earliest", nonexistent="latest")
            table = table.set_column(number, field.name, times)
    return table.append_column("cell", cell)


def parts_of(paths: Iterable[Path]) -> Iterator[pa.Table]:
    """The tables of Parquet files, a part at a time."""
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield pa.Table.from_batches([batch])
