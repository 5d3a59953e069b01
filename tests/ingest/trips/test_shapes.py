"""Shapes of trips: what a row may lack, how lines may be written, and forms that are no tables."""

import gzip
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from worlds.small_trips import END, PLAIN, START, expected, flows, line

from crowdflow.config import Config
from crowdflow.ingest.counters import in_words
from crowdflow.schema.errors import ConfigError, DataError

NEWER = "ride_id,started_at,ended_at,start_lat,start_lng,end_lat,end_lng"


def write(path, *lines, header=PLAIN):
    path.write_text("\n".join([header, *lines, ""]))
    return path


@pytest.mark.parametrize(
    ("header", "row", "settings"),
    [
        ("start_time,len", "2024-05-06 08:10:00,1200", {"duration": "len"}),
        ("start_time,len", "2024-05-06 08:10:00,20.0", {"duration": "len", "duration_unit": "min"}),
        ("start_time,len", "2024-05-06 08:10:00,1200000", {"duration": "len", "duration_unit": "ms"}),
        ("start_time,len", "2024-05-06 08:10:00,0:20:00", {"duration": "len"}),
        ("start_time,len", "2024-05-06 08:10:00,20:00", {"duration": "len"}),
        ("start_time,len", '2024-05-06 08:10:00,"1,200"', {"duration": "len"}),
        ("start_time,len", "05/06/2024 8:10:00 AM,1200", {"duration": "len", "date_order": "month_first"}),
        ("start_date,start_time,len", "06/05/2024,08:10,1200",
         {"duration": "len", "start_date": "start_date", "date_order": "day_first"}),
    ],
)  # fmt: skip
def test_a_duration_in_place_of_an_end(tmp_path, header, row, settings):
    path = write(tmp_path / "a.csv", ",".join((row, *START, *END)), header=f"{header},a,b,c,d")
    names = {"start_lat": "a", "start_lon": "b", "end_lat": "c", "end_lon": "d"}
    found, _ = flows([path], layout="columns", start_time="start_time", **names, **settings)
    assert found == expected(8)


def test_a_duration_that_cannot_be_read_or_is_negative_or_too_long(tmp_path):
    rows = [
        ",".join(("2024-05-06 08:10:00", text, *START, *END)) for text in ("x", "-60", "90000", "1")
    ]
    path = write(tmp_path / "a.csv", *rows, header="t,len,a,b,c,d")
    names = {"start_lat": "a", "start_lon": "b", "end_lat": "c", "end_lon": "d"}
    _, counters = flows(
        [path], layout="columns", start_time="t", duration="len", **names, max_reject_share=1.0
    )
    assert (counters["starts_binned"], counters["ends_binned"]) == (3, 1)
    assert counters["end_rejects"]["unparsable"] == counters["end_rejects"]["too_long"] == 1
    assert counters["end_rejects"]["ends_before_start"] == 1


def test_starts_alone_and_ends_alone(tmp_path):
    starts = write(
        tmp_path / "a.csv", "5/6/2024 8:10:00,41.5,-74.5,B1", header="Date/Time,Lat,Lon,Base"
    )
    names = {"layout": "columns", "start_time": "Date/Time", "start_lat": "Lat", "start_lon": "Lon"}
    found, counters = flows([starts], **names)
    assert found == {"2024-05-06 08:00": ([1, 0, 0, 0], [0, 0, 0, 0])}
    assert (counters["trips_without_end"], counters["trips_without_start"]) == (1, 0)
    names = {name.replace("start", "end"): value for name, value in names.items()}
    found, counters = flows([starts], **names)
    assert found == {"2024-05-06 08:00": ([0, 0, 0, 0], [1, 0, 0, 0])}
    assert (counters["trips_without_end"], counters["trips_without_start"]) == (0, 1)


def test_one_column_for_both_sides(tmp_path):
    path = write(tmp_path / "a.csv", "5/6/2024 8:10:00,41.5,-74.5", header="Date/Time,Lat,Lon")
    sides = {f"{side}_{name}": column for side in ("start", "end")
             for name, column in (("time", "Date/Time"), ("lat", "Lat"), ("lon", "Lon"))}  # fmt: skip
    assert flows([path], layout="columns", **sides)[0] == {
        "2024-05-06 08:00": ([1, 0, 0, 0], [1, 0, 0, 0])
    }


def test_columns_of_ones_own_beside_known_layouts(tmp_path):
    own = write(tmp_path / "a.csv", line(8), header="s,e,a,b,c,d")
    known = write(tmp_path / "b.csv", f"R1,{line(9)}", header=NEWER)
    names = dict(
        zip(("start_time", "end_time", "start_lat", "start_lon", "end_lat", "end_lon"), "seabcd")
    )
    assert flows([own, known], layout="columns", **names)[0] == expected(8, 9)


@pytest.mark.parametrize(
    "names",
    [{}, {"start_time": "a"}, {"start_time": "a", "start_lat": "b"}, {"start_lat": "a", "start_lon": "b"},
     {"end_time": "a", "end_lat": "b", "end_lon": "c", "start_lat": "d"},
     {"duration": "a", "end_place": "b"}, {"ride_id": "a"}],
)  # fmt: skip
def test_columns_that_make_no_side_are_refused(names):
    with pytest.raises(
        ConfigError, match="trips: expected the columns of a start, of an end or of both"
    ):
        Config.from_dict({"trips": {"layout": "columns", **names}})


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("comma", [False, True])
def test_delimiters_and_decimal_commas(tmp_path, delimiter, comma):
    row = line(8, delimiter=delimiter)
    row = row.replace(".", ",") if comma else row
    quoted = f'{delimiter}"a{delimiter}b"'
    path = write(
        tmp_path / "a.csv", row + quoted, header=PLAIN.replace(",", delimiter) + delimiter + "note"
    )
    found, counters = flows([path])
    assert found == expected(8)
    assert sum(counters["rejected"].values()) == 0


def test_empty_fields_past_the_header(tmp_path):
    rows = [line(8), line(9) + ",,", line(10) + ",", line(11) + ",x"]
    found, counters = flows([write(tmp_path / "a.csv", *rows)], max_reject_share=0.5)
    assert found == expected(8, 9, 10)
    assert counters["start_rejects"]["unparsable"] == counters["end_rejects"]["unparsable"] == 1


def test_rows_past_the_header_beside_rows_that_need_text(tmp_path):
    rows = [line(8).replace("2024-05-06", "6 May 2024"), line(9) + ",,"]
    assert flows([write(tmp_path / "a.csv", *rows)])[0] == expected(8, 9)


def test_a_header_and_no_row(tmp_path):
    empty = [write(tmp_path / f"{name}.csv") for name in "bc"]
    pd.DataFrame(columns=PLAIN.split(",")).astype(str).to_parquet(tmp_path / "d.parquet")
    found, counters = flows([write(tmp_path / "a.csv", line(8)), *empty, tmp_path / "d.parquet"])
    assert (found, counters["files"]) == (expected(8), 4)
    with pytest.raises(DataError, match="No start, end or point can be used"):
        flows(empty[:1])


def test_a_zip_with_tables_a_readme_and_zips_beside_the_trips(tmp_path):
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("more/b.csv", "\n".join([PLAIN, line(9)]))
        archive.writestr("__MACOSX/._b.csv", b"\0")
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "\n".join([PLAIN, line(8)]))
        archive.write(inner, "parts/inner.zip")
        archive.writestr("stations.csv", "id,name,latitude,longitude\n1,Mid,41,-74\n")
        archive.writestr("prices.csv", "when,what\n1,2\n")
        archive.writestr("README.txt", "read me")
    found, counters = flows([path])
    assert found == expected(8, 9)
    assert [name.removeprefix(f"{path}/") for name in counters["ignored_members"]] == [
        "README.txt", "parts/inner.zip/__MACOSX/._b.csv", "prices.csv", "stations.csv",
    ]  # fmt: skip
    [told] = [text for text in in_words(counters) if text.startswith("NOT READ")]
    assert told.endswith(f"need: {path}/prices.csv, {path}/stations.csv")


def ms(text):
    return int(pd.Timestamp(text, tz="America/New_York").timestamp() * 1000)


def mds(hour):
    times = {"start_time": ms(f"2024-05-06 {hour}:10"), "end_time": ms(f"2024-05-06 {hour}:30")}
    points = [
        {"type": "Feature", "properties": {"timestamp": time},
         "geometry": {"type": "Point", "coordinates": [float(lon), float(lat)]}}
        for time, (lat, lon) in zip(times.values(), (START, END))
    ]  # fmt: skip
    return {
        "trip_id": f"T{hour}",
        **times,
        "route": {"type": "FeatureCollection", "features": points[::-1]},
    }


def test_trips_of_the_mobility_data_specification(tmp_path):
    answer = {"version": "0.3.0", "data": {"trips": [mds(8), mds(9)]}}
    (tmp_path / "a.json").write_text(json.dumps(answer))
    second = {
        **mds(10),
        "start_location": {"lat": 41.5, "lng": -74.5},
        "end_location": {"lat": 40.5, "lng": -73.5},
    }
    del second["route"]
    (tmp_path / "b.json").write_text(json.dumps({"trips": [second]}))
    geometry = {"type": "LineString", "coordinates": [[-74.5, 41.5], [-74, 41], [-73.5, 40.5]]}
    times = {name: mds(11)[name] for name in ("trip_id", "start_time", "end_time")}
    feature = {"type": "Feature", "properties": times, "geometry": geometry}
    (tmp_path / "c.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": [feature]})
    )
    found, counters = flows([tmp_path])
    assert found == expected(8, 9, 10, 11)
    assert counters["trips_read"] == 4


def test_portos_polylines_are_points_every_quarter_minute(tmp_path):
    first = ms("2024-05-06 08:10") // 1000
    rows = [
        f'"T1","C","{first}","A","False","[[-74.5,41.5],[-74.4,41.4],[-73.5,40.5]]"',
        f'"T2","C","{first + 3600}","A","False","[[-73.5,40.5]]"',
        f'"T3","C","{first}","A","False","[]"',
    ]
    path = write(
        tmp_path / "a.csv",
        *rows,
        header="TRIP_ID,CALL_TYPE,TIMESTAMP,DAY_TYPE,MISSING_DATA,POLYLINE",
    )
    found, counters = flows([path], max_reject_share=0.5)
    assert found == {"2024-05-06 08:00": ([1, 0, 0, 0], [0, 0, 0, 1])}
    assert (counters["points_read"], counters["points_used"]) == (5, 4)
    assert counters["point_rejects"]["no_position"] == 1


def test_geolifes_plt(tmp_path):
    header = "Geolife trajectory\nWGS 84\nAltitude is in Feet\nReserved 3\n0,2,255,My Track,0,0,2,8421376\n0\n"
    rows = ["41.5,-74.5,0,492,39744.12,2024-05-06,12:10:00", "40.5,-73.5,0,492,39744.12,2024-05-06,12:11:00",
            "x,-73.5,0,492,39744.12,2024-05-06,12:12:00"]  # fmt: skip
    path = tmp_path / "000" / "Trajectory" / "20081023025304.plt"
    path.parent.mkdir(parents=True)
    path.write_bytes((header + "\n".join(rows) + "\n").replace("\n", "\r\n").encode())
    found, counters = flows([path], max_reject_share=0.5)
    assert found == {"2024-05-06 08:00": ([1, 0, 0, 0], [0, 0, 0, 1])}  # 12:10 in Greenwich
    assert counters["point_rejects"]["unparsable"] == 1


def test_points_without_a_header(tmp_path):
    rows = "1,2024-05-06 08:10:00,-74.5,41.5\n1,2024-05-06 08:11:00,-73.5,40.5\n"
    (tmp_path / "1.txt").write_text(rows)
    (tmp_path / "2.csv.gz").write_bytes(gzip.compress(rows.replace("1,2024", "2,2024").encode()))
    found, counters = flows([tmp_path], header=["id", "time", "longitude", "latitude"])
    assert found == {"2024-05-06 08:00": ([2, 0, 0, 0], [0, 0, 0, 2])}
    assert counters["points_read"] == 4


def test_date_and_time_in_two_columns_of_parquet(tmp_path):
    days = pd.to_datetime(["2024-05-06"]).date
    table = pd.DataFrame({"d": days, "s": ["08:10"], "e": ["8:30 AM"],
                          "a": [41.5], "b": [-74.5], "c": [40.5], "f": [-73.5]})  # fmt: skip
    table.to_parquet(tmp_path / "a.parquet")
    names = {"start_date": "d", "end_date": "d", "start_time": "s", "end_time": "e", "start_lat": "a",
             "start_lon": "b", "end_lat": "c", "end_lon": "f"}  # fmt: skip
    assert flows([tmp_path / "a.parquet"], layout="columns", **names)[0] == expected(8)


def test_epochs_in_parquet(tmp_path):
    numbers = [ms("2024-05-06 08:10"), ms("2024-05-06 08:30")]
    table = pd.DataFrame([numbers], columns=PLAIN.split(",")[:2])
    for name, value in zip(PLAIN.split(",")[2:], (*START, *END)):
        table[name] = np.float32(value)
    table.to_parquet(tmp_path / "a.parquet")
    assert flows([tmp_path / "a.parquet"])[0] == expected(8)
