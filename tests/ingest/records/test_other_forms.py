"""Flow records of other programs: LibCity's .grid files, and slots that count from 00."""

import h5py
import numpy as np
import pytest

from crowdflow.config import Config
from crowdflow.ingest.flow_table import ingest
from crowdflow.ingest.history import read_history
from crowdflow.ingest.sources import inspect_sources
from crowdflow.schema.errors import DataError


def config(*paths, rows=2, cols=2):
    return Config.from_dict(
        {"grid": {"rows": rows, "cols": cols}, "paths": {"data": [str(path) for path in paths]}}
    )


def write(path, slots, maps):
    with h5py.File(path, "w") as file:
        file["date"], file["data"] = np.array(slots, "S10"), maps
    return path


def test_libcitys_files_come_back_in(tmp_path):
    slots = [f"20140401{hour:02d}" for hour in range(1, 25)]
    maps = np.random.default_rng(3).integers(0, 9, (24, 2, 2, 2)).astype(float)
    first = config(write(tmp_path / "a.h5", slots, maps))
    ingest(first, tmp_path / "out", ["libcity"], (), lambda line: None)
    path = tmp_path / "out/crowdflow.grid"
    assert path.read_text().splitlines()[1].count("Z,") == 1
    there, back = (read_history([str(one)], first).frames for one in (tmp_path / "a.h5", path))
    np.testing.assert_array_equal(back.starts, there.starts)
    np.testing.assert_array_equal(back.maps, there.maps)


def test_a_bad_row_of_a_grid_file_has_its_line(tmp_path):
    rows = [
        "0,state,2014-04-01T00:00:00Z,0,0,1,2",
        "1,state,2014-04-01T00:00:00Z,0,1",
        "2,state,x,0,1,1,2",
    ]
    path = tmp_path / "a.grid"
    path.write_text("\n".join(["dyna_id,type,time,row_id,column_id,inflow,outflow", *rows]))
    with pytest.raises(
        DataError, match="2 of 3 records rejected.*\n.*line 3: unparsable.*\n.*line 4: unparsable"
    ):
        read_history([str(path)], config(path))


def test_slots_from_00_are_the_hours_themselves(tmp_path):
    days = ("20140401", "20140402", "20140403")
    maps = np.arange(72 * 8).reshape(72, 2, 2, 2).astype(float)
    from_0 = write(
        tmp_path / "0.h5", [f"{day}{hour:02d}" for day in days for hour in range(24)], maps
    )
    from_1 = write(
        tmp_path / "1.h5", [f"{day}{hour + 1:02d}" for day in days for hour in range(24)], maps
    )
    found, same = (read_history([str(path)], config(path)).frames for path in (from_0, from_1))
    np.testing.assert_array_equal(found.starts, same.starts)
    np.testing.assert_array_equal(found.maps, same.maps)


def test_slots_from_00_to_24_are_neither(tmp_path):
    path = write(tmp_path / "a.h5", ["2014040100", "2014040124"], np.zeros((2, 2, 2, 2)))
    with pytest.raises(DataError, match="row 1: expected a slot YYYYMMDDSS with SS in 00..23"):
        inspect_sources([str(path)], config(path))
