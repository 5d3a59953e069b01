"""Files made to run code or to write elsewhere: each is refused in words, and nothing happens."""

import os
import subprocess
import sys

import pyarrow
import pytest

HOSTILE = """
import os, sys
import pyarrow as pa, pyarrow.parquet as pq

class Hostile(pa.PyExtensionType):
    def __init__(self):
        super().__init__(pa.float64())
    def __reduce__(self):
        return os.mkdir, (sys.argv[2],)

names = sys.argv[3].split(",")
columns = [pa.array([0.0]) for _ in names]
columns[-1] = pa.ExtensionArray.from_storage(Hostile(), columns[-1])
pq.write_table(pa.table(columns, names), sys.argv[1])
"""
FLOWS = "interval_start,row,col,inflow,outflow"
TRIPS = "start_time,end_time,start_lat,start_lon,end_lat,end_lon"
READERS = {
    "sources": "from crowdflow.ingest.sources import inspect_sources as read",
    "history": "from crowdflow.ingest.history import read_history as read",
    "grid": "from crowdflow.ingest.grid_proposal import read_positions as read",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("columns", [FLOWS, TRIPS], ids=["flows", "trips"])
def test_a_parquet_file_runs_no_code(reader, columns, tmp_path):
    file, mark = tmp_path / "hostile.parquet", tmp_path / "ran"
    subprocess.run([sys.executable, "-c", HOSTILE, file, mark, columns], check=True)
    code = "import sys; from crowdflow.config import Config;" + READERS[reader]
    code += "; read([sys.argv[1]], Config())"
    done = subprocess.run(
        [sys.executable, "-c", code, file], capture_output=True, text=True, env={**os.environ}
    )
    assert not mark.exists()
    assert done.returncode == 1
    assert f"DataError: {file}: expected columns of plain types" in done.stderr


@pytest.mark.skipif(
    tuple(map(int, pyarrow.__version__.split(".")[:3])) >= (14, 0, 1),
    reason="this pyarrow has the fix of its own",
)
def test_the_proof_runs_code_where_nothing_stops_it(tmp_path):
    file, mark = tmp_path / "hostile.parquet", tmp_path / "ran"
    subprocess.run([sys.executable, "-c", HOSTILE, file, mark, FLOWS], check=True)
    code = "import sys, pyarrow.parquet as pq; pq.ParquetFile(sys.argv[1]).schema_arrow"
    subprocess.run([sys.executable, "-c", code, file], capture_output=True)
    assert mark.exists(), (
        "the file no longer shows the fault: pyarrow is new enough, or the proof is broken"
    )
