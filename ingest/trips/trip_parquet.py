"""Reads Parquet files of trips as blocks of rows."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from crowdflow.config import Config
from crowdflow.ingest.parquet import batches, open_parquet, valid_text
from crowdflow.ingest.trips.trip_layouts import (
    DATES,
    DURATION,
    PLACES,
    POINT_ID,
    RIDE_ID,
    TIMES,
    require_layout,
)
from crowdflow.ingest.trips.trip_lines import TripRows
from crowdflow.schema.errors import DataError

BATCH_ROWS = 131_072


def inspect_parquet(path: str, config: Config) -> int:
    """Checks the columns of a Parquet file.

    Returns:
      The number of row groups.

    Raises:
      DataError: it is not Parquet, has no known layout, or a column has the wrong type.
    """
    schema, groups = _parquet_schema(path)
    layout = require_layout(path, schema.names, config)
    for role, place in zip(layout.roles, layout.columns):
        _require_type(path, role, schema.field(place))
    return groups


def parquet_names(path: str) -> list[str]:
    """The column names of a Parquet file.

    Raises:
      DataError: it is not Parquet.
    """
    return _parquet_schema(path)[0].names


def read_parquet(
    path: str, unit: int, config: Config, batch_rows: int = BATCH_ROWS
) -> Iterator[TripRows]:
    """Reads a row group batch by batch.

    Raises:
      DataError: the file cannot be read.
    """
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        layout = require_layout(path, names, config)
        wanted = [names[place] for place in layout.columns]
        first, none = 0, np.zeros(0, np.int64)
        for batch in batches(file, batch_rows, sorted(set(wanted)), [unit]):
            places = map(batch.schema.get_field_index, wanted)
            columns = [valid_text(batch.column(place)) for place in places]
            numbers = np.arange(first, first + batch.num_rows)
            yield TripRows(layout, columns, numbers, none, (), batch.num_rows)
            first += batch.num_rows


def _parquet_schema(path: str) -> tuple[pa.Schema, int]:
    with open_parquet(path) as file:
        return file.schema_arrow, file.num_row_groups


def _require_type(path: str, role: str, field: pa.Field) -> None:
    value = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    ok = any(
        kind(value) for kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_null)
    )
    number = pa.types.is_integer(value) or pa.types.is_floating(value)
    if role in TIMES:
        fits = pa.types.is_timestamp(value) or pa.types.is_date(value) or number
        expected = "timestamps, or numbers since 1970"
    elif role in DATES:
        expected, fits = "dates", pa.types.is_date(value) or pa.types.is_timestamp(value)
    elif role in PLACES or role in (POINT_ID, RIDE_ID):
        expected, fits = "a text or a whole number", pa.types.is_integer(value)
    else:
        expected = "numbers"
        fits = number or (role == DURATION and pa.types.is_duration(value))
    if not (ok or fits):
        raise DataError(
            f"{path}, column {field.name}: expected {expected}, received the type {field.type}."
        )
