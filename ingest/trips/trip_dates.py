"""The order of day and month in the dates of a file of trips, from all of its rows."""

import functools
import os
from collections.abc import Iterator

import pyarrow as pa

from crowdflow.config import Config
from crowdflow.ingest.times import clock
from crowdflow.ingest.times.date_order import Dates, find_dates, merge_dates, settle
from crowdflow.ingest.trips import trip_files, trip_parquet
from crowdflow.ingest.trips.trip_layouts import DATES, TIMES
from crowdflow.storage import files


def date_order(path: str, unit: int, parquet: bool, config: Config) -> str:
    """The order set in `trips.date_order`, or settled by reading the times of the whole file, once in a process.

    Args:
      path: of the file.
      unit: of the file, which names a file in a zip.
      parquet: whether the file is Parquet.
      config: for trips.

    Raises:
      DataError: the file cannot be read, or its dates do not settle the order.
    """
    if config.trips.date_order != "auto":
        return config.trips.date_order
    unit = unit if path.lower().endswith(".zip") else 0
    return _settled(path, unit, parquet, os.stat(files.local(path)).st_mtime_ns, config)


@functools.lru_cache
def _settled(path: str, unit: int, parquet: bool, changed: int, config: Config) -> str:
    name = path if parquet else trip_files.unit_name(path, unit, config)
    return settle(merge_dates(_dates(path, unit, parquet, config)), name)


def _dates(path: str, unit: int, parquet: bool, config: Config) -> Iterator[Dates]:
    read = trip_parquet.read_parquet if parquet else trip_files.read_csv
    inspect = trip_parquet.inspect_parquet if parquet else trip_files.inspect_csv
    units = [unit] if path.lower().endswith(".zip") else range(inspect(path, config))
    for each in units:
        for rows in read(path, each, config):
            columns = dict(zip(rows.layout.roles, rows.columns))
            yield find_dates(
                _texts([columns[role] for role in (*TIMES, *DATES) if role in columns])
            )


def _texts(columns: list[pa.Array]) -> Iterator[pa.Array]:
    """The columns that hold texts; the others hold times already."""
    for column in columns:
        if pa.types.is_binary(column.type):
            column = clock.decode(column)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            yield column
