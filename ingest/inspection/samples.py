"""The first values of each column of a table, as text."""

import csv
import io
import itertools
from typing import Optional

from crowdflow.ingest.parquet import open_parquet
from crowdflow.ingest.trips import trip_files
from crowdflow.schema.errors import DataError

_BYTES, _ROWS = 1 << 16, 100


def first_values(path: str, member: Optional[str] = None) -> list[tuple[str, list[str]]]:
    """The first values of each column of a CSV or Parquet file, in the order of the columns.

    Args:
      path: of the file.
      member: name of a CSV file in it, if it is a zip.

    Returns:
      Of each column the name and up to 100 texts, empty ones left out.

    Raises:
      DataError: the file cannot be read.
    """
    if path.lower().endswith(".parquet"):
        with open_parquet(path) as file:
            batch = next(file.iter_batches(_ROWS), None)
            if batch is None:
                return [(name, []) for name in file.schema_arrow.names]
            columns = zip(batch.schema.names, (column.to_pylist() for column in batch.columns))
        return [(name, [str(v) for v in found if v is not None]) for name, found in columns]
    try:
        with trip_files.open_member(path, member) as stream:
            text = stream.read(_BYTES).decode("utf-8-sig", "replace")
        lines = io.StringIO(text, newline="")
        first = lines.readline()
        lines.seek(0)
        rows = list(
            itertools.islice(csv.reader(lines, delimiter=max(",;\t", key=first.count)), _ROWS)
        )
    except (*trip_files.UNREADABLE, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV ({error}).") from None
    header = [name.strip() for name in rows[0]] if rows else []
    cut = rows[1:-1] if len(text) >= _BYTES else rows[1:]  # the last line may not be whole
    return [
        (name, [row[place] for row in cut if len(row) > place and row[place].strip()])
        for place, name in enumerate(header)
    ]
