"""Files of trips as rows: layouts, line numbers, slices, and files that cannot be read."""

import gzip
import re
import zipfile

import numpy as np
import pandas as pd
import pytest

from crowdflow.config import Config
from crowdflow.ingest import sources
from crowdflow.ingest.trips import trip_files, trip_layouts
from crowdflow.schema.errors import ConfigError, DataError, DataNotFoundError

BOX = {"rows": 2, "cols": 2, "south": 0.0, "west": 0.0, "north": 2.0, "east": 2.0}
CONFIG = Config.from_dict({"intervals": {"timezone": "America/New_York"}, "grid": BOX})
HEADER = "start_time,end_time,start_lat,start_lon,end_lat,end_lon"
ROW = "2024-04-01 08:00:00,2024-04-01 08:10:00,1.5,0.5,0.5,1.5"
TITLE = (
    "Trip Duration,Start Time,Stop Time,Start Station ID,Start Station Name,Start Station Latitude,"
    "Start Station Longitude,End Station ID,End Station Name,End Station Latitude,"
    "End Station Longitude,Bike ID,User Type,Birth Year,Gender"
)
NEWER = (
    "ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,"
    "end_station_name,end_station_id,start_lat,start_lng,end_lat,end_lng,member_casual"
)


def write(path, *lines, header=HEADER, end="\n") -> str:
    path.write_bytes(end.join([header, *lines, ""]).encode())
    return str(path)


def read(path):
    """Reads a file with one unit: the numbers and latitudes of its rows, the malformed lines, and the lines."""
    assert trip_files.inspect_csv(path, CONFIG) == 1
    numbers, latitudes, malformed, lines = [], [], [], 0
    for rows in trip_files.read_csv(path, 0, CONFIG):
        numbers += rows.numbers.tolist()
        latitudes += map(float, rows.columns[2].to_pylist())
        malformed += rows.malformed.tolist()
        lines += rows.lines
    return numbers, latitudes, malformed, lines


@pytest.mark.parametrize(
    ("header", "name", "columns"),
    [
        (TITLE, "citibike", (1, 2, 5, 6, 9, 10)),
        (TITLE.lower().replace("start time", "starttime").replace("stop time", "stoptime"),
         "citibike", (1, 2, 5, 6, 9, 10)),
        (NEWER, "citibike", (2, 3, 8, 9, 10, 11, 0)),
        ("vendor_name,Trip_Pickup_DateTime,Trip_Dropoff_DateTime,Passenger_Count,Trip_Distance,"
         "Start_Lon,Start_Lat,Rate_Code,store_and_forward,End_Lon,End_Lat", "tlc",
         (1, 2, 6, 5, 10, 9)),
        ("vendor_id, pickup_datetime, dropoff_datetime, passenger_count, trip_distance, "
         "pickup_longitude, pickup_latitude, rate_code, store_and_fwd_flag, dropoff_longitude, "
         "dropoff_latitude", "tlc", (1, 2, 6, 5, 10, 9)),
        ("VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,"
         "pickup_longitude,pickup_latitude,RatecodeID,store_and_fwd_flag,dropoff_longitude,"
         "dropoff_latitude", "tlc", (1, 2, 6, 5, 10, 9)),
        (HEADER, "trips", (0, 1, 2, 3, 4, 5)),
        ("time,id,longitude,latitude", "trajectories", (1, 0, 3, 2)),
    ],
)  # fmt: skip
def test_known_headers(header, name, columns):
    layout = trip_layouts.find_layout(header.split(","), CONFIG)
    assert (layout.name, layout.columns) == (name, columns)


def test_columns_of_ones_own():
    names = dict(zip(trip_layouts.TRIP_ROLES, "abcdef"))
    config = CONFIG.replace({f"trips.{role}": name for role, name in names.items()} | {
        "trips.layout": "columns"})  # fmt: skip
    assert trip_layouts.find_layout(list("xfedcba"), config).columns == (6, 5, 4, 3, 2, 1)
    assert trip_layouts.find_layout(HEADER.split(","), config).name == "trips"  # beside them
    assert trip_layouts.find_layout(list("xfedcb"), config) is None


def test_a_setting_that_names_no_column_is_told_alone(tmp_path):
    path = write(tmp_path / "a.csv", "1,2,3,4,5,6", header="begin,finish,slat,slon,elat,elon")
    names = dict(zip(trip_layouts.TRIP_ROLES, ("begin", "finish", "slat", "s_lng", "elat", "elon")))
    config = CONFIG.replace({f"trips.{role}": name for role, name in names.items()} | {
        "trips.layout": "columns"})  # fmt: skip
    with pytest.raises(DataError) as error:
        sources.inspect_sources([path], config)
    assert str(error.value) == (
        f"{path}: expected the column 's_lng' (trips.start_lon). "
        "Found: begin, finish, slat, slon, elat, elon. Did you mean 'slon'?"
    )


def test_a_header_that_matches_nothing_says_what_was_found_and_what_is_known(tmp_path):
    path = write(tmp_path / "a.csv", "1,2,3", header="when,where,who")
    with pytest.raises(DataError) as error:
        sources.inspect_sources([path], CONFIG)
    message = str(error.value)
    assert f"{path}: the header matches no known layout" in message
    assert "Found: when, where, who" in message
    for known in ("started_at", "Start Station Latitude", "tpep_pickup_datetime", "trajectories"):
        assert known in message
    assert "interval_start, row, col" in message
    with pytest.raises(DataError, match="Found: PULocationID"):
        path = write(tmp_path / "b.csv", "1,2", header="PULocationID,DOLocationID")
        sources.inspect_sources([path], CONFIG.replace({"trips.layout": "tlc"}))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", ["plain", "gz"])
def test_lines_are_numbered_as_an_editor_does(tmp_path, end, packed):
    good = [ROW.replace("1.5,0.5", f"1.{n},0.5") for n in range(6)]
    lines = [
        "",
        good[0],
        good[1],
        "a,b",
        good[2],
        "",
        "",
        good[3],
        '"open,' + ROW,
        good[4],
        good[5],
    ]
    path = write(tmp_path / "a.csv", *lines, header="\ufeff" + HEADER, end=end)
    if packed == "gz":
        (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
        path += ".gz"
    numbers, latitudes, malformed, count = read(path)
    assert numbers == [1, 2, 4, 7, 9, 10]
    np.testing.assert_allclose(latitudes, [1.0, 1.1, 1.2, 1.3, 1.4, 1.5])
    assert sorted(malformed) == [3, 8]
    assert count == 11


def test_a_line_of_even_quotes_that_stay_open_is_rejected_alone(tmp_path):
    lines = [ROW + end for end in (",a,b", ',5" pipe,"Foo', ",c,d", ',5" pipe,', ',"""a"",",')]
    path = write(tmp_path / "a.csv", *lines, header=HEADER + ",note,name")
    numbers, _, malformed, count = read(path)
    assert (numbers, malformed, count) == ([0, 2, 3, 4], [1], 5)


def test_a_line_of_another_encoding_with_too_many_fields_is_rejected_alone(tmp_path, capfd):
    path = tmp_path / "a.csv"
    lines = [f"{ROW},Rue de l'\xc9t\xe9", f"{ROW},Caf\xe9, Rue", f"{ROW},Rue"]
    path.write_bytes("\n".join([HEADER + ",name", *lines]).encode("latin-1"))
    numbers, _, malformed, count = read(str(path))
    assert (numbers, malformed, count) == ([0, 2], [1], 3)
    assert capfd.readouterr().err == ""


def test_mixed_line_ends(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(f"{HEADER}\r\n{ROW}\n{ROW}\r\n{ROW}\n\r\n{ROW}".encode())
    assert read(str(path))[0] == [0, 1, 2, 4]


@pytest.mark.parametrize("size", [1, 57, 58, 59, 300, 1000])
def test_slices_share_the_lines_out(tmp_path, monkeypatch, size):
    lines = [ROW.replace("1.5,0.5", f"1.{n:03d},0.5") for n in range(40)]
    path = write(tmp_path / "a.csv", *lines)
    monkeypatch.setattr(trip_files, "SLICE_BYTES", max(size, 40))
    monkeypatch.setattr(trip_files, "_BLOCK_BYTES", 130)
    found = []
    units = trip_files.inspect_csv(path, CONFIG)
    for unit in range(units):
        for rows in trip_files.read_csv(path, unit, CONFIG):
            found += rows.columns[2].to_pylist()
    np.testing.assert_allclose(found, [1 + n / 1000 for n in range(40)])
    assert units > 1


def test_zip_with_a_stray_member_and_with_several(tmp_path):
    path = str(tmp_path / "a.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b.csv", f"{HEADER}\n{ROW}\n")
        archive.writestr("a.csv", f"{HEADER}\n{ROW}\n{ROW}\n")
        archive.writestr("__MACOSX/._a.csv", b"\x00\x05\x16\x07")
        archive.writestr("readme.txt", "read me")
    members = trip_files.zip_members(path, CONFIG)
    assert members == (["a.csv", "b.csv"], [], ["__MACOSX/._a.csv", "readme.txt"])
    assert trip_files.inspect_csv(path, CONFIG) == 2
    rows = [sum(len(r.numbers) for r in trip_files.read_csv(path, u, CONFIG)) for u in (0, 1)]
    assert rows == [2, 1]
    assert trip_files.unit_name(path, 1, CONFIG) == f"{path}/b.csv"


def bad_files(tmp_path):
    """The error message for each file."""
    whole = gzip.compress(("\n".join([HEADER, *[ROW] * 9])).encode())
    (tmp_path / "cut.csv.gz").write_bytes(whole[:40])
    (tmp_path / "no.csv.gz").write_bytes(b"plain text")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 and no more")
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("__MACOSX/._a.csv", "x")
    with zipfile.ZipFile(tmp_path / "nested.zip", "w") as archive:
        archive.writestr("inner.zip", "x")
    with zipfile.ZipFile(tmp_path / "unknown.zip", "w") as archive:
        archive.writestr("a.csv", "when,where\n1,2\n")
    table = pd.DataFrame([ROW.split(",")], columns=HEADER.split(","))
    table.assign(start_time=True).to_parquet(tmp_path / "time.parquet")
    table.assign(end_lat=pd.Timestamp("2024-01-01")).to_parquet(tmp_path / "lat.parquet")
    table.rename(columns={"end_lat": "x"}).to_parquet(tmp_path / "names.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "time.parquet").read_bytes()[:-30])
    return {
        "cut.csv.gz": "cannot be read",
        "no.csv.gz": "cannot be read",
        "empty.csv": "the file is empty",
        "no.zip": "expected a whole zip file",
        "none.zip": "expected a CSV file inside, found __MACOSX",
        "nested.zip": "expected a whole zip file",
        "unknown.zip": "unknown.zip/a.csv: the header matches no known layout",
        "time.parquet": "column start_time: expected timestamps, or numbers since 1970, received the type bool",
        "lat.parquet": "column end_lat: expected numbers, received the type timestamp",
        "names.parquet": "the header matches no known layout",
        "cut.parquet": "expected a whole Parquet file",
    }


def test_bad_files_have_one_clear_message(tmp_path):
    for name, message in bad_files(tmp_path).items():
        with pytest.raises(DataError, match=re.escape(message)) as error:
            sources.inspect_sources([str(tmp_path / name)], CONFIG)
        assert name in str(error.value)
    with pytest.raises(DataNotFoundError, match="absent.csv: no such file"):
        sources.inspect_sources([str(tmp_path / "absent.csv")], CONFIG)


def test_trips_need_a_box_and_do_not_mix_with_flow_records(tmp_path):
    trips = write(tmp_path / "a.csv", ROW)
    with pytest.raises(ConfigError, match="grid: expected a box"):
        sources.inspect_sources([trips], Config())
    flows = write(
        tmp_path / "b.csv", "2024-04-01,0,0,1,1", header="interval_start,row,col,inflow,outflow"
    )
    with pytest.raises(DataError, match="received both"):
        sources.inspect_sources([trips, flows], CONFIG)
