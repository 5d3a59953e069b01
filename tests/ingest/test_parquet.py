"""Parquet files that cannot be read."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crowdflow.config import Config
from crowdflow.ingest.sources import inspect_sources
from crowdflow.schema.errors import DataError


def test_a_column_name_that_is_no_utf8(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"latitude": [1.0]}), path)
    path.write_bytes(path.read_bytes().replace(b"latitude", b"\x97atitude"))
    with pytest.raises(DataError, match=f"{path}: expected a whole Parquet file.*byte 0x97"):
        inspect_sources([str(path)], Config())
