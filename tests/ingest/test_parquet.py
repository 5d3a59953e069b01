"""Parquet files that cannot be read."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crowdflow.config import Config
from crowdflow.ingest.inspection.samples import first_values
from crowdflow.ingest.parquet import batches, open_parquet
from crowdflow.ingest.sources import inspect_sources
from crowdflow.schema.errors import DataError


def test_a_column_name_that_is_no_utf8(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"latitude": [1.0]}), path)
    path.write_bytes(path.read_bytes().replace(b"latitude", b"\x97atitude"))
    with pytest.raises(DataError, match=f"{path}: expected a whole Parquet file.*byte 0x97"):
        inspect_sources([str(path)], Config())


def test_a_column_that_is_shorter_than_the_others(tmp_path):
    """With pyarrow alone, reading it ends the process or gives rows from outside of the file."""
    path = tmp_path / "points.parquet"
    columns = {name: np.arange(40.0) for name in ("id", "time", "latitude", "longitude")}
    pq.write_table(pa.table(columns), path, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    of_column = pq.ParquetFile(path).metadata.row_group(0).column(2)
    # The page's header says how many values follow: 40, as Thrift's compact protocol writes it.
    at = content.index(b"\x2c\x15\x50", of_column.data_page_offset)
    content[at + 2] = 2 * 29
    path.write_bytes(content)
    for groups in (None, [0]):
        with pytest.raises(DataError, match="columns of different lengths after row 0"):
            with open_parquet(str(path)) as file:
                list(batches(file, 1000, list(columns), groups))


def test_fewer_rows_than_the_file_says(tmp_path):
    path = tmp_path / "points.parquet"
    pq.write_table(pa.table({"id": np.arange(40)}), path, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    at = content.index(b"\x2c\x15\x50")
    content[at + 2] = 2 * 29
    path.write_bytes(content)
    with pytest.raises(DataError, match="29 rows in place of 40"):
        with open_parquet(str(path)) as file:
            list(batches(file, 1000, ["id"]))


def test_both_columns_of_one_name_are_shown(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table([pa.array([1, 2]), pa.array([3, 4]), pa.array([5, 6])], names=["a", "b", "a"])
    pq.write_table(table, path)
    assert first_values(str(path)) == [("a", ["1", "2"]), ("a", ["5", "6"]), ("b", ["3", "4"])]
