"""Errors that are found before a record is read, and the side files; without TFX."""

import gzip
import os
import re

import h5py
import numpy as np
import pandas as pd
import pytest

from crowdflow.config import Config
from crowdflow.ingest import sources
from crowdflow.ingest.covariates import side_files, weather_files
from crowdflow.ingest.paths import ignored_names
from crowdflow.ingest.places.places import Places
from crowdflow.ingest.records.table_reader import read_csv
from crowdflow.schema.errors import DataError, DataNotFoundError


@pytest.fixture
def refused(tmp_path, city):
    """Asserts that an input raises an error with a matching message."""

    def check(path, match, config=None, error=DataError):
        with pytest.raises(error, match=match) as found:
            sources.inspect_sources([str(path)], config or city.config())
        assert str(path) in str(found.value)
        assert "\n" not in str(found.value)

    return check


def test_kinds_are_told_apart(tmp_path, city, csv_file, weather_file):
    city.write_hdf5(tmp_path / "flows.hdf5")
    os.rename(city.write_hdf5(tmp_path / "x.h5"), tmp_path / "no_ending")
    csv_file(tmp_path / "table.csv", city.table())
    with gzip.open(tmp_path / "more.csv.gz", "wt") as file:
        file.write((tmp_path / "table.csv").read_text())
    pd.read_csv(tmp_path / "table.csv").to_parquet(tmp_path / "t.parquet", row_group_size=300)
    weather_file(tmp_path / "weather.h5", [city.slot(city.starts[0])], [1])
    (tmp_path / "days.txt").write_text("20140402\n")
    (tmp_path / ".hidden").write_text("no data")
    (tmp_path / "folder").mkdir()
    found = sources.inspect_sources([str(tmp_path)], city.config())
    assert [(os.path.basename(s.path), s.kind, s.units) for s in found] == [
        ("days.txt", "holidays", 0),
        ("flows.hdf5", "flows_hdf5", 57),
        ("more.csv.gz", "table_csv", 1),
        ("no_ending", "flows_hdf5", 57),
        ("t.parquet", "table_parquet", 3),
        ("table.csv", "table_csv", 1),
        ("weather.h5", "weather_hdf5", 0),
    ]
    named = [str(tmp_path / "*.hdf5"), str(tmp_path / "flows.hdf5"), str(tmp_path / "table.csv")]
    assert len(sources.inspect_sources(named, city.config())) == 2
    ignored = sources.ignored_side_files(found, Places(), city.config(weather=True))
    assert ignored == [str(tmp_path / "days.txt")]
    skipped = ignored_names([str(tmp_path), str(tmp_path / "table.csv")])
    assert skipped == [str(tmp_path / ".hidden"), str(tmp_path / "folder")]


def test_files_that_are_not_there(tmp_path, refused):
    refused(tmp_path / "none.h5", "no such file or folder", error=DataNotFoundError)
    refused(tmp_path / "*.csv", "no such file or folder", error=DataNotFoundError)
    refused(tmp_path, "no file in this folder", error=DataNotFoundError)


@pytest.mark.parametrize("name", ["a.h5", "a.csv", "a.parquet", "a.txt"])
def test_empty_files(tmp_path, refused, name):
    (tmp_path / name).touch()
    refused(tmp_path / name, "is empty")


def test_unknown_kind(tmp_path, refused):
    (tmp_path / "a.xlsx").write_text("x")
    refused(tmp_path / "a.xlsx", r"unknown kind of file\. Expected .*\.parquet")


def test_hdf5_forms(tmp_path, city, refused):
    path = tmp_path / "a.h5"
    city.write_hdf5(path)
    wrong_grid = Config.from_dict({"grid": {"rows": 16, "cols": 8}})
    refused(path, r"expected shape \[57, 2, 16, 8\].*received \[57, 2, 3, 4\]", wrong_grid)
    two_hours = {"grid": {"rows": 3, "cols": 4}, "intervals": {"minutes": 120}}
    refused(path, "row 10: expected a slot.*01..12.*'2014040113'", Config.from_dict(two_hours))

    city.write_hdf5(path, slots=[*map(city.slot, city.starts[:-1]), b"2014040325"])
    refused(path, r"a\.h5, data set date, row 56: expected a slot.*'2014040325'")
    city.write_hdf5(path, slots=[*map(city.slot, city.starts[:-1])])
    refused(path, r"expected shape \[56, 2, 3, 4\].*received \[57, 2, 3, 4\]")
    with h5py.File(path, "w") as file:
        file["date"], file["flow"] = np.array([b"2014040101"]), np.zeros((1, 2, 3, 4))
    refused(path, "expected the data sets data, date; data missing. Found: date, flow")
    with h5py.File(path, "w") as file:
        file["date"], file["data"] = np.zeros(0, "S10"), np.zeros((0, 2, 3, 4))
    refused(path, r"data set date: expected a list of slots, received shape \(0,\)")
    with h5py.File(path, "w") as file:
        file["date"], file["data"] = np.zeros(1, "S10"), np.zeros((1, 2, 3, 4), "S3")
    refused(path, "expected numbers")


def test_truncated_hdf5(tmp_path, city, refused):
    path = tmp_path / "a.h5"
    city.write_hdf5(path)
    path.write_bytes(path.read_bytes()[:-2000])
    refused(path, "expected a whole HDF5 file.*truncated")
    path.write_text("no HDF5")
    refused(path, "expected a whole HDF5 file")


def test_table_forms(tmp_path, city, csv_file, refused):
    path = tmp_path / "a.csv"
    csv_file(path, [])
    refused(path, "expected rows below the header")
    path.write_text("interval_start,row,inflow,outflow\n2014-04-01,1,2,3\n")
    refused(path, "col missing. Found: interval_start, row, inflow, outflow")
    path.write_bytes(b"\xff\xfe\x00\x01")
    refused(path, "cannot be read as CSV")
    whole = gzip.compress(
        "\n".join(["interval_start,row,col,inflow,outflow", *city.table()]).encode()
    )
    (tmp_path / "a.csv.gz").write_bytes(whole[:-100])
    refused(tmp_path / "a.csv.gz", "cannot be read as CSV")

    parquet = tmp_path / "a.parquet"
    parquet.write_bytes(b"PAR1 and nothing more")
    refused(parquet, "expected a whole Parquet file")
    frame = pd.DataFrame(
        {"interval_start": pd.to_datetime(["2014-04-01"]), "row": 1, "col": 1, "inflow": 1.0, "outflow": 1.0}
    )  # fmt: skip
    frame[:0].to_parquet(parquet)
    refused(parquet, "expected rows, received none")
    frame.drop(columns="outflow").to_parquet(parquet)
    refused(parquet, "outflow missing. Found: interval_start, row, col, inflow")
    frame.assign(row=[True]).to_parquet(parquet)
    refused(parquet, "column row: expected numbers, received the type bool")
    frame["interval_start"] = frame["interval_start"].dt.tz_localize("UTC")
    frame.to_parquet(parquet)
    refused(parquet, "column interval_start: expected a local time without a zone")


def test_side_files_must_be_there_and_of_their_form(tmp_path, city, weather_file, refused):
    flows = city.write_hdf5(tmp_path / "a.h5")
    refused(flows, "ingest.weather is set: .*found none", city.config(weather=True))
    refused(flows, "ingest.holidays is set: .*found none", city.config(holidays=True))

    def both(path, match, **ingest):
        with pytest.raises(DataError, match=match):
            sources.inspect_sources([flows, str(path)], city.config(**ingest))

    days = tmp_path / "days.txt"
    days.write_text("20140101\n\n20140231\n")
    both(days, r"days\.txt, line 3: expected a date YYYYMMDD, received '20140231'", holidays=True)
    days.write_text("\n")
    both(days, "expected holidays", holidays=True)

    weather = tmp_path / "w.h5"
    weather_file(weather, [b"2014040125"], [1.0])
    both(weather, r"w\.h5, data set date, row 0: expected a slot", weather=True)
    with h5py.File(weather, "r+") as file:
        del file["Weather"]
        file["Weather"] = np.zeros((1, 16))
    both(weather, r"Weather: expected shape \[1, 17\].*received \[1, 16\]", weather=True)
    with h5py.File(weather, "r+") as file:
        del file["WindSpeed"]
    both(weather, "WindSpeed missing", weather=True)
    with pytest.raises(DataError, match="expected a file of flows, found none"):
        sources.inspect_sources([str(days)], city.config())


def test_lines_are_numbered_as_an_editor_does(tmp_path, city, csv_file, monkeypatch):
    monkeypatch.setattr("crowdflow.ingest.records.raw_lines.BLOCK_BYTES", 2000)
    lines = city.table()
    lines[100] += ",9"  # line 102
    lines[200] = ""  # an empty line is no record
    lines[300] = "2014-04-01 00:00,1"  # line 302
    lines[400] = lines[400].replace(",", ";", 1)  # line 402
    lines[-1] += ",9,9"
    path = csv_file(tmp_path / "a.csv", lines)
    rejects, read, taken = [], 0, []
    for blocks, tally in read_csv(path, 0, 0, 1, city.config()):
        rejects += tally.rejects
        read += tally.counts["records_read"]
        taken += [
            int(p) for _, block in blocks if hasattr(block, "positions") for p in block.positions
        ]
    assert sorted((r.row, r.reason) for r in rejects) == [
        (line, "unparsable") for line in (102, 302, 402, len(lines) + 1)
    ]
    assert read == len(lines) - 1
    assert sorted(taken) == sorted(set(range(2, len(lines) + 1)) - {102, 202, 302, 402})


def test_weather_is_known_once_its_slot_has_ended(tmp_path, city, weather_file):
    slots = [b"2014040105", b"2014040103", b"2014040103", b"2014040108", b"2014040109"]
    path = weather_file(tmp_path / "w.h5", slots, [5, 3, 33, np.nan, 9], [2, 1, 1, 1, 1])
    with h5py.File(path, "r+") as file:
        file["Weather"][4, 7] = 1  # two kinds at once
    weather = weather_files.read_meteorology([path], 60)
    assert weather.unused == 3
    hours = np.arange(12)
    starts = city.starts[0] + hours * 60
    found = side_files.covariates(starts, None, weather, max_age_hours=4)
    # Slot 03 ends at 03:00 and slot 05 at 05:00; at 10:00 the latter is five hours old.
    assert found["weather_known"].tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0]
    assert found["weather"].tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 0, 0]
    assert found["temperature"].tolist() == [0, 0, 0, 3, 3, 5, 5, 5, 5, 5, 0, 0]
    assert found["wind_speed"].tolist() == [0, 0, 0, 1.5, 1.5, *[2.5] * 5, 0, 0]
    assert found["weather"].dtype == np.int64 and found["temperature"].dtype == np.float32


def test_changing_the_weather_of_an_interval_changes_no_earlier_covariate(
    tmp_path, city, weather_file
):
    slots = [city.slot(s) for s in city.starts]
    values = np.arange(len(slots), dtype=float)
    before = weather_files.read_meteorology([weather_file(tmp_path / "a.h5", slots, values)], 60)
    values[20:] = -99
    after = weather_files.read_meteorology([weather_file(tmp_path / "b.h5", slots, values)], 60)
    for name in ("temperature", "wind_speed"):
        same = [side_files.covariates(city.starts, None, w, 24.0)[name] for w in (before, after)]
        np.testing.assert_array_equal(same[0][:21], same[1][:21])
        assert (same[0][21:] != same[1][21:]).all()


def test_holidays_of_several_files(tmp_path, city):
    (tmp_path / "a.txt").write_text("20140402\r\n20140401\r\n")
    (tmp_path / "b.txt").write_text("\ufeff20140402")
    days = side_files.read_holidays([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")])
    found = side_files.covariates(city.starts, days, None, 24.0)
    assert list(found) == ["holiday"]
    hour = (city.starts - city.starts[0]) // 60
    np.testing.assert_array_equal(found["holiday"], hour < 48)


def test_fingerprint_is_content_kind_and_name(tmp_path, city, csv_file):
    flows = city.write_hdf5(tmp_path / "a.h5")
    table = csv_file(tmp_path / "b.csv", city.table())
    days = tmp_path / "days.txt"
    days.write_text("20140401\n")
    paths = [flows, table, str(days)]

    def fingerprint(paths):
        return sources.fingerprint(sources.inspect_sources(paths, city.config()))

    first = fingerprint(paths)
    assert re.fullmatch("[0-9a-f]{64}", first)
    os.utime(flows, (1, 1))
    assert fingerprint(paths[::-1]) == first == fingerprint([str(tmp_path)])
    days.write_text("20140402\n")
    second = fingerprint(paths)
    csv_file(tmp_path / "b.csv", city.table()[::-1])
    third = fingerprint(paths)
    city.write_hdf5(flows, maps=city.maps + 1)
    fourth = fingerprint(paths)
    assert len({first, second, third, fourth, fingerprint(paths[:2])}) == 5
