"""The simulated city as files: in the published forms, with the same bytes, written once."""

import datetime as dt
import json

import h5py
import numpy as np
import pandas as pd
import pytest

from crowdflow.schema.errors import ConfigError, DataError
from crowdflow.schema.intervals import parse_slots
from crowdflow.simulation import files as simulated_files
from crowdflow.simulation.city import CitySpec, simulate
from crowdflow.simulation.files import city_records, ensure_city, write_city

SMALL = CitySpec(rows=4, cols=5, days=21, demand=6.0)
TINY = CitySpec(rows=2, cols=3, days=8, demand=2.0)
EVERY_FORMAT = ("parquet", "csv", "h5", "weather", "holidays", "trips")


@pytest.fixture(scope="module")
def small():
    return simulate(SMALL)


def _bytes(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_spec_gives_the_same_bytes(tmp_path, small):
    write_city(small, tmp_path / "a", EVERY_FORMAT)
    write_city(simulate(SMALL), tmp_path / "b", EVERY_FORMAT)
    first = _bytes(tmp_path / "a")
    assert len(first) == 8
    assert first == _bytes(tmp_path / "b")


def test_parquet_and_csv_hold_every_flow(tmp_path, small):
    parquet, *csv = write_city(small, tmp_path, ("parquet", "csv"))
    tables = [
        pd.read_parquet(parquet),
        pd.concat([pd.read_csv(path, parse_dates=["interval_start"]) for path in csv]),
    ]
    for table in tables:
        assert list(table.columns) == ["interval_start", "row", "col", "inflow", "outflow"]
        assert table["interval_start"].dt.tz is None
        maps = np.zeros_like(small.frames)
        hour = (
            (table["interval_start"] - pd.Timestamp("2024-04-01")) / pd.Timedelta(hours=1)
        ).astype(int)
        maps[hour, table["row"], table["col"]] = table[["inflow", "outflow"]]
        np.testing.assert_array_equal(maps, small.frames)
        assert hour.nunique() == len(small.starts)
        assert len(table) < small.frames[..., 0].size


def test_an_interval_without_trips_keeps_a_row():
    quiet = simulate(CitySpec(rows=2, cols=2, days=8, demand=0.5))
    empty = ~quiet.frames.any(axis=(1, 2, 3))
    assert empty.any()
    records = city_records(quiet)
    assert records["interval_start"].nunique() == len(quiet.starts)
    zeros = records[(records["inflow"] == 0) & (records["outflow"] == 0)]
    assert len(zeros) == empty.sum()


def test_hdf5_files_hold_the_published_forms(tmp_path):
    city = simulate(CitySpec(rows=3, cols=2, days=8, minutes=30))
    flows, weather = write_city(city, tmp_path, ("h5", "weather"))
    with h5py.File(flows) as file:
        assert file["date"][0] == b"2024040101" and file["date"][-1] == b"2024040848"
        np.testing.assert_array_equal(parse_slots(file["date"][:], 30, "flows.h5"), city.starts)
        assert file["data"].dtype == np.float64 and file["data"].shape == (8 * 48, 2, 3, 2)
        np.testing.assert_array_equal(file["data"][:, 0], city.frames[..., 0])
        np.testing.assert_array_equal(file["data"][:, 1], city.frames[..., 1])
    with h5py.File(weather) as file:
        np.testing.assert_array_equal(parse_slots(file["date"][:], 30, "weather.h5"), city.starts)
        assert file["Weather"].shape == (8 * 48, 17)
        np.testing.assert_array_equal(file["Weather"][:].sum(axis=1), 1)
        np.testing.assert_array_equal(file["Weather"][:].argmax(axis=1), city.weather["weather"])
        np.testing.assert_array_equal(file["Temperature"][:], city.weather["temperature"])
        np.testing.assert_array_equal(file["WindSpeed"][:], city.weather["wind_speed"])


def test_slots_of_two_digits_cannot_number_short_intervals(tmp_path):
    city = simulate(CitySpec(rows=2, cols=2, days=8, minutes=10, demand=1.0))
    with pytest.raises(ConfigError, match="city.minutes: expected 15 or more"):
        write_city(city, tmp_path, ("h5",))


def test_holidays_and_trips_files(tmp_path, small):
    holidays, trips = write_city(small, tmp_path, ("holidays", "trips"))
    lines = holidays.read_text().splitlines()
    assert [dt.datetime.strptime(line, "%Y%m%d").date() for line in lines] == small.holidays
    assert lines
    table = pd.read_csv(trips, parse_dates=["start_time", "end_time"])
    pd.testing.assert_frame_equal(table, small.trips)


def test_an_unknown_format_is_named(tmp_path, small):
    with pytest.raises(ConfigError, match="expected any of parquet, .* Received: 'xlsx'"):
        write_city(small, tmp_path, ("xlsx",))


def _state(paths):
    return [(path.name, path.stat().st_mtime_ns) for path in paths]


def test_a_city_is_written_once(tmp_path):
    out = tmp_path / "deep" / "city"
    paths = ensure_city(out, TINY)
    assert [path.name for path in paths] == ["flows.parquet", "weather.h5", "holidays.txt"]
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [".city.json", "flows.parquet", "weather.h5", "holidays.txt"]
    )
    before = _state([*paths, out / ".city.json"])
    assert ensure_city(out, TINY) == paths
    assert _state([*paths, out / ".city.json"]) == before


def test_another_spec_or_a_lost_file_writes_the_city_anew(tmp_path):
    paths = ensure_city(tmp_path, TINY)
    old = _bytes(tmp_path)
    ensure_city(tmp_path, CitySpec(rows=2, cols=3, days=8, demand=2.0, seed=7))
    assert paths[0].read_bytes() != old["flows.parquet"]
    ensure_city(tmp_path, TINY)
    assert _bytes(tmp_path) == old
    paths[1].unlink()
    ensure_city(tmp_path, TINY)
    assert _bytes(tmp_path) == old


def test_changed_code_writes_the_city_anew_and_leaves_equal_files_untouched(tmp_path, monkeypatch):
    paths = ensure_city(tmp_path, TINY)
    before = _state(paths)
    paths[2].write_text("20240101\n")  # as if the old code had drawn another holiday
    monkeypatch.setattr(simulated_files, "_code", lambda: "changed")
    ensure_city(tmp_path, TINY)
    assert json.loads((tmp_path / ".city.json").read_text())["code"] == "changed"
    assert _state(paths[:2]) == before[:2]
    assert paths[2].read_text() != "20240101\n"


def test_an_interrupted_writing_is_made_good(tmp_path):
    paths = ensure_city(tmp_path, TINY)
    whole = _bytes(tmp_path)
    (tmp_path / ".city.json").unlink()
    paths[0].unlink()
    (tmp_path / ".partial").mkdir()
    (tmp_path / ".partial" / "flows.parquet").write_bytes(b"half")
    ensure_city(tmp_path, TINY)
    assert _bytes(tmp_path) == whole


def test_other_formats_replace_the_city_and_spare_foreign_files(tmp_path):
    ensure_city(tmp_path, TINY)
    (tmp_path / "notes.txt").write_text("mine")
    paths = ensure_city(tmp_path, TINY, ("h5", "csv"))
    names = ["flows.h5", "flows-1.csv", "flows-2.csv", "flows-3.csv"]
    assert [path.name for path in paths] == names
    assert {path.name for path in tmp_path.iterdir()} == {*names, ".city.json", "notes.txt"}


def test_a_file_in_the_folder_s_place_is_named(tmp_path):
    (tmp_path / "city").write_text("")
    with pytest.raises(DataError, match="city: expected a folder"):
        ensure_city(tmp_path / "city", TINY)
