"""Parquet files, opened so that none of them can run code."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Optional

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401  (pyarrow before 14.0.1 unpickles what a file's schema holds, CVE-2023-47248)

from crowdflow.ingest.times.clock import decode
from crowdflow.schema.errors import DataError
from crowdflow.storage import files


def valid_text(column: pa.Array) -> pa.Array:
    """The column, without a dictionary, and with invalid UTF-8 replaced in columns of text."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    try:
        column.validate(full=True)
        return column
    except pa.ArrowInvalid:
        return decode(column.cast(pa.large_binary()))


@contextlib.contextmanager
def open_parquet(path: str) -> Iterator[pq.ParquetFile]:
    """Opens a file, here or in an object store.

    Raises:
      DataError: it cannot be read, then or while it is open, or its schema holds a pickled Python type.
    """
    try:
        with pq.ParquetFile(files.local(path)) as file:
            yield file
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:  # of a column's name
        raise DataError(
            f"{path}: expected a whole Parquet file, but it cannot be read ({error})."
        ) from None
    except RuntimeError as error:
        if "Disallowed deserialization" not in str(error):
            raise
        raise DataError(
            f"{path}: expected columns of plain types. Received a pickled Python type in the schema, which could "
            "run code; it was not opened. Write the file again without extension types."
        ) from None


def batches(
    file: pq.ParquetFile,
    rows: int,
    columns: Sequence[str],
    groups: Optional[Sequence[int]] = None,
) -> Iterator[pa.RecordBatch]:
    """Reads some columns batch by batch, within `open_parquet`.

    Every column is read by itself: where a damaged file has one that is shorter than the others, pyarrow would
    read past its end and take the process down.

    Args:
      file: the open file.
      rows: most rows of a batch.
      columns: distinct names, in the order of the batches; one that the file has twice comes twice.
      groups: row groups; None is all of them.

    Raises:
      ArrowException: the file cannot be read, or a column has not as many rows as the file says.
    """
    groups = range(file.num_row_groups) if groups is None else groups
    expected = sum(file.metadata.row_group(group).num_rows for group in groups)
    readers = [file.iter_batches(rows, list(groups), [column]) for column in columns]
    found = 0
    for parts in itertools.zip_longest(*readers):
        lengths = {part.num_rows if part else 0 for part in parts}
        if len(lengths) > 1:
            raise pa.ArrowInvalid(f"columns of different lengths after row {found}")
        names = [name for part in parts for name in part.schema.names]
        yield pa.RecordBatch.from_arrays([a for part in parts for a in part.columns], names)
        found += lengths.pop()
    if found != expected:
        raise pa.ArrowInvalid(f"{found} rows in place of {expected}")
