"""A column that is there twice is refused by name: which of the two to take is not ours to guess."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crowdflow.config import Config
from crowdflow.ingest.sources import inspect_sources
from crowdflow.schema.errors import DataError

BOX = {"rows": 2, "cols": 2, "south": 0.0, "west": 0.0, "north": 2.0, "east": 2.0}
HEADERS = {
    "inflow": "interval_start,row,col,inflow,outflow,inflow",
    "start_lat": "start_time,end_time,start_lat,start_lon,end_lat,end_lon,Start_Lat",
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_doubled_column_is_named(name, ending, tmp_path):
    path, names = tmp_path / f"data.{ending}", HEADERS[name].split(",")
    if ending == "csv":
        path.write_text("\n".join([HEADERS[name], ",".join("0" for _ in names), ""]))
    else:
        pq.write_table(pa.table([pa.array(["0"])] * len(names), names), path)
    with pytest.raises(DataError, match=f"{path}: expected one column {name}. Received 2"):
        inspect_sources(
            [str(path)],
            Config.from_dict({"intervals": {"timezone": "America/New_York"}, "grid": BOX}),
        )


def test_other_columns_may_be_there_twice(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("interval_start,row,col,inflow,outflow,note,note\n2024-04-01,0,0,1,2,a,b\n")
    assert len(inspect_sources([str(path)], Config())) == 1
