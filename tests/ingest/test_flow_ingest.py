"""The real executor on real files: the same flows in every form, rejects, side files."""

import gzip
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from crowdflow.config import Config
from crowdflow.schema.errors import DataError

BIKENYC = Path(__file__).parents[3] / "shared/data/bikenyc/NYC14_M16x8_T60_NewEnd.h5"


def test_every_form_gives_identical_frames(tmp_path, city, ingest, csv_file):
    config = city.config()
    whole = ingest([city.write_hdf5(tmp_path / "a.h5")], config)
    expected = ingest.serialized
    np.testing.assert_array_equal(whole.starts, city.starts)
    np.testing.assert_array_equal(whole.maps, city.maps)
    assert ingest.counters == {
        "files": 1,
        "ignored_side_files": [],
        "ignored_names": [],
        "weather_observations_unused": 0,
        "records_read": 57,
        "frames": 57,
        "rejected": dict.fromkeys(ingest.counters["rejected"], 0),
        "rejects_listed": 0,
        "rejects_cap": 10_000,
        "missing_intervals": 3,
        "interval_incomplete": 0,
        "interval_absent_cells": 0,
        "cells_filled": 0,
        "weather_unknown": 0,
        "first_interval": "2014-04-01 00:00",
        "last_interval": "2014-04-03 11:00",
    }

    halves = [
        city.write_hdf5(tmp_path / "z.h5", end=20),
        city.write_hdf5(tmp_path / "b.hdf5", begin=20),
    ]
    ingest(halves, config)
    assert ingest.serialized == expected

    folder = tmp_path / "tables"
    folder.mkdir()
    lines = np.random.default_rng(0).permutation(city.table())
    csv_file(folder / "one.csv", lines[:100])
    csv_file(folder / "two.csv", lines[100:250])
    with gzip.open(folder / "three.csv.gz", "wt") as file:
        file.write("\r\n".join(["outflow,inflow,note,col,row,interval_start", ""]))
        for line in lines[250:]:
            time, row, col, inflow, outflow = line.split(",")
            file.write(f'{outflow},{inflow},x,{col},{row},"{time.replace(" ", "T")}"\r\n')
    ingest([str(folder)], config)
    assert ingest.serialized == expected
    assert ingest.counters["records_read"] == 57 * 12

    table = pd.concat([pd.read_csv(folder / "one.csv"), pd.read_csv(folder / "two.csv")])
    table["interval_start"] = pd.to_datetime(table["interval_start"])
    table.to_parquet(tmp_path / "p.parquet", row_group_size=40, index=False)
    text = pd.DataFrame([line.split(",") for line in lines[250:]], columns=table.columns)
    text.to_parquet(tmp_path / "q.parquet", index=False)
    ingest([str(tmp_path / "*.parquet")], config)
    assert ingest.serialized == expected


def test_hdf5_and_tables_mix(tmp_path, city, ingest, csv_file):
    flows = city.write_hdf5(tmp_path / "a.h5", end=10)
    table = csv_file(tmp_path / "b.csv", city.table(lambda start, *_: start >= city.starts[10]))
    found = ingest([flows, table], city.config())
    np.testing.assert_array_equal(found.maps, city.maps)
    assert ingest.counters["files"] == 2


def test_rejects_are_counted_and_listed(tmp_path, city, ingest, csv_file):
    lines = city.table()
    lines[0] = lines[0].replace(",0,0,", ",0,0,x")  # line 2: 2014-04-01 00:00 is lost
    lines.insert(3, lines[3])  # line 5, its first, and 6, the duplicate
    lines.append("2014-04-01 01:00:00,9,0,1,1")  # outside: 01:00 stays
    path = csv_file(tmp_path / "a.csv", lines)
    found = ingest([path], city.config(max_reject_share=0.01))
    np.testing.assert_array_equal(found.starts, city.starts[1:])
    np.testing.assert_array_equal(found.maps, city.maps[1:])
    rejected = {k: v for k, v in ingest.counters["rejected"].items() if v}
    assert rejected == {"unparsable": 1, "outside_grid": 1, "duplicate": 1}
    assert ingest.counters["interval_incomplete"] == 1
    assert ingest.counters["records_read"] == 57 * 12 + 2
    assert ingest.rejects == [
        "file,row,reason,value",
        f"{path},2,unparsable,inflow='x{city.maps[0, 0, 0, 0]}'",
        f'{path},6,duplicate,"2014-04-01 00:00, cell 0,3"',
        f"{path},{len(lines) + 1},outside_grid,\"row='9', col='0'\"",
    ]


def test_too_many_rejects_stop_the_run_with_file_and_place(tmp_path, city, ingest, csv_file):
    lines = city.table()
    lines[7] = lines[7][:-4] + ",-2"
    path = csv_file(tmp_path / "a.csv", lines)
    with pytest.raises(DataError) as error:
        ingest([path], city.config())
    message = str(error.value)
    assert "1 of 684 records rejected (0.15%)" in message
    assert "negative_flow 1" in message
    assert f"{path}, line 9: negative_flow" in message


@pytest.mark.parametrize(
    ("value", "reason"),
    [(np.nan, "non_finite_flow"), (np.inf, "non_finite_flow"), (1e39, "non_finite_flow"),
     (-1, "negative_flow")],
)  # fmt: skip
def test_bad_hdf5_frame_is_rejected_whole(tmp_path, city, ingest, value, reason):
    maps = city.maps.astype(np.float64)
    maps[8, 1, 2, 1] = value
    path = city.write_hdf5(tmp_path / "a.h5", maps=maps)
    found = ingest([path], city.config(max_reject_share=0.1))
    np.testing.assert_array_equal(found.starts, np.delete(city.starts, 8))
    assert ingest.counters["rejected"][reason] == 1
    assert ingest.counters["missing_intervals"] == 4
    with pytest.raises(DataError) as error:
        ingest([path], city.config())
    assert f"{path}, row 8: {reason} (outflow {float(value)} in cell 1,2" in str(error.value)


def test_repeated_hdf5_slot_keeps_the_first_by_file_name(tmp_path, city, ingest):
    first = city.write_hdf5(tmp_path / "a.h5", end=5)
    second = city.write_hdf5(tmp_path / "b.h5", begin=3, maps=city.maps + 100)
    found = ingest([second, first], city.config(max_reject_share=0.1))
    np.testing.assert_array_equal(found.maps[:5], city.maps[:5])
    np.testing.assert_array_equal(found.maps[5:], city.maps[5:] + 100)
    assert ingest.counters["rejected"]["duplicate"] == 2
    assert ingest.rejects[1:] == [
        f"{second},0,duplicate,2014-04-01 03:00",
        f"{second},1,duplicate,2014-04-01 04:00",
    ]


def test_absent_cells_are_zero_or_make_the_interval_missing(tmp_path, city, ingest, csv_file):
    gone = (city.starts[4], 1, 1)
    path = csv_file(tmp_path / "a.csv", city.table(lambda *at: at != gone))
    expected = city.maps.copy()
    expected[4, 1, 1] = 0
    np.testing.assert_array_equal(ingest([path], city.config()).maps, expected)
    assert ingest.counters["cells_filled"] == 1
    found = ingest([path], city.config(absent_cells="missing"))
    np.testing.assert_array_equal(found.starts, np.delete(city.starts, 4))
    assert ingest.counters["interval_absent_cells"] == 1


def test_unreadable_data_inside_a_file_is_one_clear_message(tmp_path, city, ingest, csv_file):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        maps = np.random.default_rng(0).random((57, 2, 3, 4))
        file.create_dataset("data", data=maps, chunks=(1, 2, 3, 4), compression="gzip")
        file["date"] = np.array([city.slot(s) for s in city.starts], "S10")
        offset = file["data"].id.get_chunk_info(30).byte_offset
    damaged = bytearray(path.read_bytes())
    damaged[offset : offset + 60] = bytes(60)
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="a.h5: expected a whole HDF5 file") as error:
        ingest([str(path)], city.config())
    assert "Beam" not in str(error.value) and "while running" not in str(error.value)

    whole = gzip.compress(
        "\n".join(["interval_start,row,col,inflow,outflow", *city.table()]).encode()
    )
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) - 200])
    with pytest.raises(DataError, match="cut.csv.gz.*cannot be read as CSV"):
        ingest([str(tmp_path / "cut.csv.gz")], city.config())


def test_no_frame_at_all(tmp_path, city, ingest, csv_file):
    path = csv_file(tmp_path / "a.csv", city.table(lambda start, row, col: row))
    with pytest.raises(DataError, match="No complete flow frame in 456 records.*57 have absent"):
        ingest([path], city.config(absent_cells="missing"))


def test_covariates_are_written(tmp_path, city, ingest, weather_file):
    flows = city.write_hdf5(tmp_path / "flows.h5")
    (tmp_path / "days.txt").write_text("20140402\n")
    slots = [city.slot(s) for s in [*city.starts[10:20], city.starts[15]]]
    weather_file(tmp_path / "weather.h5", slots, range(11), [7] * 11)
    config = city.config(holidays=True, weather=True, weather_max_age_hours=3)
    found = ingest([str(tmp_path / "*")], config)
    hour = (city.starts - city.starts[0]) // 60
    np.testing.assert_array_equal(found.covariates["holiday"], (hour >= 24) & (hour < 48))
    first = hour[10]
    known = (hour > first) & (hour <= hour[19] + 1 + 3)
    np.testing.assert_array_equal(found.covariates["weather_known"], known)
    np.testing.assert_array_equal(found.covariates["weather"], 7 * known)
    expected = np.where(known, np.minimum(hour - first - 1, 9), 0)
    np.testing.assert_array_equal(found.covariates["temperature"], expected)
    np.testing.assert_array_equal(found.covariates["wind_speed"], expected / 2)
    assert ingest.counters["weather_unknown"] == 57 - known.sum()
    assert ingest.counters["weather_observations_unused"] == 1  # the second one of its slot

    ingest([flows, str(tmp_path / "days.txt")], city.config())
    assert ingest.counters["ignored_side_files"] == [str(tmp_path / "days.txt")]


@pytest.mark.skipif(not BIKENYC.exists(), reason="BikeNYC is not next to the checkout")
def test_bikenyc(ingest):
    config = Config.from_dict({"grid": {"rows": 16, "cols": 8}})
    found = ingest([str(BIKENYC)], config)
    with h5py.File(BIKENYC) as file:
        np.testing.assert_array_equal(found.maps[..., 0], file["data"][:, 0])
        np.testing.assert_array_equal(found.maps[..., 1], file["data"][:, 1])
    assert found.maps.shape == (4392, 16, 8, 2)
    assert found.maps.max() == 267
    assert ingest.counters["frames"] == 4392
    assert ingest.counters["missing_intervals"] == 0
    assert ingest.counters["first_interval"] == "2014-04-01 00:00"
    assert ingest.counters["last_interval"] == "2014-09-30 23:00"
