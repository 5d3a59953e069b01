"""The first values of each column of a table, as text."""

import csv
import io
import itertools
from typing import Optional

from crowdflow.ingest.archives import clear_errors
from crowdflow.ingest.parquet import batches, open_parquet
from crowdflow.ingest.trips import trip_files
from crowdflow.ingest.trips.trip_files import Head
from crowdflow.ingest.trips.trip_lines import delimiter_of

_BYTES, _ROWS = 1 << 16, 100


def first_values(
    path: str, member: Optional[str] = None, head: Optional[Head] = None
) -> list[tuple[str, list[str]]]:
    """The first values of each column of a CSV or Parquet file, in the order of the columns.

    Args:
      path: of the file.
      member: name of a file in it, if it is a zip.
      head: how a CSV file begins; None for a header in the first line.

    Returns:
      Of each column the name and up to 100 texts, empty ones left out.

    Raises:
      DataError: the file cannot be read.
    """
    if path.lower().endswith(".parquet"):
        with open_parquet(path) as file:
            batch = next(batches(file, _ROWS, list(dict.fromkeys(file.schema_arrow.names))), None)
            if batch is None:
                return [(name, []) for name in file.schema_arrow.names]
            columns = zip(batch.schema.names, (column.to_pylist() for column in batch.columns))
        return [(name, [str(v) for v in found if v is not None]) for name, found in columns]
    with clear_errors(f"{path}: cannot be read as CSV", csv.Error):
        with trip_files.open_table(path, member) as stream:
            text = stream.read(_BYTES).decode("utf-8-sig", "replace")
        delimiter = head.delimiter if head else delimiter_of(text.split("\n", 1)[0])
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows = list(itertools.islice(lines, _ROWS))
    names = rows[0] if rows and (head is None or head.written) else (head.names if head else [])
    whole = rows[:-1] if len(text) >= _BYTES else rows  # the last line may be cut
    below = whole[1:] if head is None or head.written else whole
    return [
        (name.strip(), [row[place] for row in below if len(row) > place and row[place].strip()])
        for place, name in enumerate(names)
    ]
