"""Files of trips with times in other spellings: one order of day and month for a whole file, and time zones."""

import zipfile

import pytest
from worlds.small_trips import END, GRID, PLAIN, START, expected, flows

from crowdflow.config import Config
from crowdflow.ingest import sources
from crowdflow.ingest.trips import trip_dates, trip_files
from crowdflow.schema.errors import ConfigError, DataError


def row(start, end):
    return ",".join((start, end, *START, *END))


def write(path, *rows, header=PLAIN):
    path.write_text("\n".join([header, *rows, ""]))
    return path


def days(*numbers, month=2):
    return [
        row(f"{day:02d}/{month:02d}/2024 08:10", f"{day:02d}/{month:02d}/2024 08:30")
        for day in numbers
    ]


def test_a_week_that_reads_both_ways_needs_a_setting(tmp_path):
    path = write(tmp_path / "a.csv", *days(*range(3, 10)))
    with pytest.raises(
        DataError, match="a.csv: every date reads both ways: 03/02/2024 is 2024-02-03 or 2024-03-02"
    ):
        flows([path])
    found, counters = flows([path], date_order="day_first")
    assert list(found) == [f"2024-02-{day:02d} 08:00" for day in range(3, 10)]
    assert (counters["frames"], counters["first_interval"]) == (145, "2024-02-03 08:00")
    assert list(flows([path], date_order="month_first")[0])[:2] == [
        "2024-03-02 08:00",
        "2024-04-02 08:00",
    ]


def test_a_date_far_behind_settles_the_order_of_all_before_it(tmp_path, monkeypatch):
    path = write(tmp_path / "a.csv", *days(3, 4), *days(13))
    monkeypatch.setattr(trip_files, "SLICE_BYTES", 120)
    monkeypatch.setattr(trip_files, "_BLOCK_BYTES", 60)
    trip_dates._settled.cache_clear()
    assert list(flows([path])[0]) == [f"2024-02-{day:02d} 08:00" for day in (3, 4, 13)]


def test_each_file_of_a_zip_has_its_own_order(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("day.csv", "\n".join([PLAIN, *days(5, 13)]))
        archive.writestr("month.csv", "\n".join([PLAIN, *[one.replace("14/02", "02/14").replace("05/02", "02/05")
                                                          for one in days(14)]]))  # fmt: skip
    assert list(flows([tmp_path / "a.zip"])[0]) == [
        f"2024-02-{day:02d} 08:00" for day in (5, 13, 14)
    ]


def test_a_twelve_hour_clock(tmp_path):
    rows = [row(f"05/{day:02d}/2024 01:10:00 {half}", f"05/{day:02d}/2024 01:30:00 {half}")
            for day, half in ((6, "PM"), (6, "AM"), (7, "PM"))]  # fmt: skip
    found, _ = flows([write(tmp_path / "a.csv", *rows)])
    assert list(found) == ["2024-05-06 01:00", "2024-05-06 13:00", "2024-05-07 13:00"]


@pytest.mark.parametrize("rows", [
    [row("2024-05-06 12:10:00Z", "2024-05-06 12:30:00+00")],
    [row("1714997400", "1714998600")],
    [row("1714997400000", "1714998600000.0")],
])  # fmt: skip
def test_offsets_and_epochs_need_a_zone(tmp_path, rows):
    path = write(tmp_path / "a.csv", *rows)
    assert flows([path])[0] == expected(8)
    assert list(flows([path], zone="America/Chicago")[0]) == ["2024-05-06 07:00"]
    with pytest.raises(ConfigError, match="intervals.timezone: expected the city's time zone"):
        flows([path], zone=None)


def test_a_grid_elsewhere_needs_a_zone(tmp_path):
    path = write(tmp_path / "a.csv", row("2024-05-06 08:10", "2024-05-06 08:30"))
    assert flows([path], zone=None)[0] == expected(8)
    values = {"grid": {**GRID, "west": -94.0, "east": -93.0}}
    with pytest.raises(ConfigError, match="Zones in its box: America"):
        sources.inspect_sources([str(path)], Config.from_dict(values))


def test_date_and_time_in_two_columns(tmp_path):
    path = write(tmp_path / "a.csv", ",".join(("06/05/2024", "8:10", "06/05/2024", "08:30:00", *START, *END)),
                 ",".join(("13/05/2024", "8:10", "13/05/2024", "08:30:00", *START, *END)),
                 header="d1,t1,d2,t2,a,b,c,d")  # fmt: skip
    names = {"start_date": "d1", "start_time": "t1", "end_date": "d2", "end_time": "t2", "start_lat": "a",
             "start_lon": "b", "end_lat": "c", "end_lon": "d"}  # fmt: skip
    assert list(flows([path], layout="columns", **names)[0]) == [
        "2024-05-06 08:00",
        "2024-05-13 08:00",
    ]
