"""Reading files without Beam gives the same as the data flow."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crowdflow.config import Config
from crowdflow.ingest import flow_table as ingest_files
from crowdflow.ingest.history import read_history
from crowdflow.schema import features
from crowdflow.schema.errors import DataError
from crowdflow.simulation.city import CitySpec
from crowdflow.simulation.files import ensure_city

REAL = Path(__file__).parents[3] / "shared/data/citibike_jc"


@pytest.mark.parametrize("form", ["csv", "h5", "parquet"])
def test_flow_records_are_the_nodes_frames(form, city, ingest, csv_file, weather_file, tmp_path):
    config = city.config(weather=True, holidays=True, max_reject_share=0.2)
    lines = city.table()
    np.random.default_rng(2).shuffle(lines)
    lines[7] = lines[7].replace("2014", "junk")
    if form == "h5":
        paths = [city.write_hdf5(tmp_path / "a.h5", 0, 20), city.write_hdf5(tmp_path / "b.h5", 20)]
    elif form == "csv":
        half = len(lines) // 2
        paths = [
            csv_file(tmp_path / "a.csv", lines[:half]),
            csv_file(tmp_path / "b.csv", lines[half:]),
        ]
    else:
        csv_file(tmp_path / "a.txt", lines)
        table = pd.read_csv(tmp_path / "a.txt")
        table.to_parquet(tmp_path / "a.parquet", row_group_size=100)
        paths = [str(tmp_path / "a.parquet")]
    slots = [city.slot(start) for start in city.starts[:30]]
    paths.append(weather_file(tmp_path / "weather.h5", slots, np.arange(30)))
    (tmp_path / "days.txt").write_text("20140402\n")
    paths.append(str(tmp_path / "days.txt"))

    expected = ingest(paths, config)
    history = read_history(paths, config)
    np.testing.assert_array_equal(history.frames.starts, expected.starts)
    np.testing.assert_array_equal(history.frames.maps, expected.maps)
    assert history.counters | {"weather_unknown": 0} == ingest.counters | {"weather_unknown": 0}
    known = history.covariates(expected.starts, config)
    assert known.keys() == expected.covariates.keys() and features.WEATHER in known
    for name, values in known.items():
        np.testing.assert_array_equal(values, expected.covariates[name])


def same_as_ingest(paths, config, out):
    counters = ingest_files.ingest(
        config.replace({"paths.data": paths}), out, (), (), lambda line: None
    )
    history = read_history(paths, config)
    found = ingest_files.as_table(history.frames).to_pandas()
    keys = ["interval_start", "row", "col"]
    expected = pd.read_parquet(out / "flows.parquet").sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(found.sort_values(keys, ignore_index=True), expected)
    assert history.counters | {"weather_unknown": 0} == counters | {"weather_unknown": 0}
    return history


def trips_config(**trips):
    box = {"south": 40.70, "west": -74.02, "north": 40.78, "east": -73.94}
    return Config.from_dict({"grid": {"rows": 5, "cols": 4, **box}, "trips": trips})


def test_trips_are_what_crowdflow_ingest_writes(tmp_path):
    paths = [
        str(path) for path in ensure_city(tmp_path, CitySpec(rows=4, cols=4, days=20), ["trips"])
    ]
    table = pd.concat(map(pd.read_csv, paths))
    config = Config.from_dict(
        {
            "grid": {
                "rows": 4,
                "cols": 4,
                "south": float(table["start_lat"].min()),
                "north": float(table["start_lat"].max()),
                "west": float(table["start_lon"].min()),
                "east": float(table["start_lon"].max()),
            }
        }
    )
    history = same_as_ingest(paths, config, tmp_path / "out")
    assert history.frames.maps.sum() > 1000


def test_trajectories_are_what_crowdflow_ingest_writes(tmp_path):
    random = np.random.default_rng(8)
    table = pd.DataFrame(
        {
            "id": random.integers(0, 40, 3000),
            "time": pd.Timestamp("2024-04-01")
            + pd.to_timedelta(random.integers(0, 4000, 3000), "min"),
            "latitude": random.uniform(40.69, 40.79, 3000),
            "longitude": random.uniform(-74.03, -73.93, 3000),
        }
    )
    table[:1000].to_csv(tmp_path / "a.csv", index=False)
    table[1000:].to_csv(tmp_path / "b.csv", index=False)
    paths = [str(tmp_path / name) for name in ("a.csv", "b.csv")]
    config = trips_config(max_gap_minutes=100)
    history = same_as_ingest(paths, config, tmp_path / "out")
    assert history.counters["crossings_in"] > 100 and history.counters["gaps"] > 100


@pytest.mark.skipif(not REAL.exists(), reason="Citi Bike's files are not next to the checkout")
def test_real_trips_are_what_crowdflow_ingest_writes(tmp_path):
    names = ["JC-201703-citibike-tripdata.csv.gz", "JC-202102-citibike-tripdata.csv.zip"]
    box = {"south": 40.711, "west": -74.084, "north": 40.749, "east": -74.032}
    config = Config.from_dict({"grid": {"rows": 8, "cols": 9, **box}})
    history = same_as_ingest([str(REAL / name) for name in names], config, tmp_path / "out")
    assert len(history.counters["missing_months"]) == 46


def test_what_stops_an_ingest_stops_this(city, csv_file, tmp_path):
    lines = city.table()
    lines[3] = lines[3].replace("2014", "junk")
    with pytest.raises(
        DataError, match=r"1 of 684 records rejected.*\n.*a.csv, line 5: unparsable"
    ):
        read_history([csv_file(tmp_path / "a.csv", lines)], city.config())
