"""Starts and ends, each checked by its own time and position; times on the local clock."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crowdflow.config import Config
from crowdflow.ingest.times import clock
from crowdflow.ingest.trips import trip_rows
from crowdflow.ingest.trips.trip_files import TripRows
from crowdflow.ingest.trips.trip_layouts import TRIP_ROLES, Layout
from crowdflow.schema import intervals

CONFIG = Config.from_dict(
    {
        "intervals": {"timezone": "America/New_York"},
        "grid": {"rows": 2, "cols": 2, "south": 0.0, "west": 0.0, "north": 2.0, "east": 2.0},
        "trips": {"first_day": "2024-03-01", "last_day": "2024-11-30"},
    }
)
GOOD = ("2024-04-01 08:10:00", "2024-04-01 09:10:00", "1.5", "0.5", "0.5", "1.5")
NEW_YORK = "America/New_York"


def check(**changes):
    """The reasons and the intervals of a trip's start and end; None for a valid one."""
    row = {**dict(zip(TRIP_ROLES, GOOD)), **changes}
    columns = [pa.array([value], pa.string()) for value in row.values()]
    none = np.zeros(0, np.int64)
    layout = Layout("trips", TRIP_ROLES, tuple(range(6)))
    sides = trip_rows.check_trips(TripRows(layout, columns, none, none, (), 1), CONFIG)
    reasons = [(*trip_rows.REASONS, None)[side.reasons[0]] for side in sides]
    return *reasons, *(intervals.format_start(side.starts[0]) for side in sides)


def test_a_good_trip_counts_twice():
    assert check() == (None, None, "2024-04-01 08:00", "2024-04-01 09:00")


@pytest.mark.parametrize(
    ("changes", "start", "end"),
    [
        ({"start_time": "yesterday"}, "unparsable", None),
        ({"end_time": None}, None, "unparsable"),
        ({"start_lat": "north"}, "unparsable", None),
        ({"end_lat": None}, None, "no_position"),
        ({"end_lon": "nan"}, None, "no_position"),
        ({"start_lat": "0", "start_lon": "0.0"}, "no_position", None),
        ({"end_time": "2024-04-01 08:09:59"}, "ends_before_start", "ends_before_start"),
        ({"end_time": "2024-04-02 08:10:00"}, None, None),
        ({"end_time": "2024-04-02 08:10:01"}, None, "too_long"),
        ({"start_lat": "2.01"}, "outside_grid", None),
        ({"end_lon": "-0.01"}, None, "outside_grid"),
        ({"start_time": "2024-02-29 23:59:59"}, "outside_span", "too_long"),
        ({"start_lat": "-1", "end_lat": None}, "outside_grid", "no_position"),
        ({"start_time": "1999-12-31", "end_time": "2200-01-01"}, "outside_span", "unparsable"),
    ],
)
def test_each_side_has_its_own_first_reason(changes, start, end):
    assert check(**changes)[:2] == (start, end)


def test_the_whole_closed_box_is_inside():
    for latitude in ("0", "2"):
        assert check(start_lat=latitude, start_lon="2")[0] is None


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("2018-10-01 07:44:41.4170", "2018-10-01 07:44"),
        ("2018-10-01T07:44:41", "2018-10-01 07:44"),
        (" 2018-10-01 07:44 ", "2018-10-01 07:44"),
        ("9/1/2014 00:00:25", "2014-09-01 00:00"),
        ("1/1/2015 0:01", "2015-01-01 00:01"),
        ("2024-07-01T12:00:00Z", "2024-07-01 08:00"),
        ("2024-07-01 12:00:00+02:00", "2024-07-01 06:00"),
        ("2024-01-01T03:00:00.123456Z", "2023-12-31 22:00"),
        ("2018-10-01 07:44:41.123456789", "2018-10-01 07:44"),
        ("08:00", None), ("2018-02-30 08:00:00", None), ("", None), (None, None),
        ("13/13/2014 00:00:25", None), ("1969-12-31 23:59", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("others", [[], ["x"], ["2024-07-01T12:00:00Z", "2024-07-01 12:00"]])
def test_spellings_of_a_time(text, local, others):
    times = clock.read_times(pa.array([text, *others], pa.string()), NEW_YORK)
    assert times.bad[0] == (local is None)
    if local:
        assert intervals.format_start(times.local[0] // clock.MICROS_PER_MINUTE) == local


def test_times_of_a_dictionary_encoded_parquet_column(tmp_path):
    texts = pa.array(["2024-07-01 12:00", None, "2024-07-01 12:00"]).dictionary_encode()
    pq.write_table(pa.table({"time": texts}), tmp_path / "a.parquet")
    column = pq.read_table(tmp_path / "a.parquet").column("time").combine_chunks()
    assert pa.types.is_dictionary(column.type)
    times = clock.read_times(column, NEW_YORK)
    assert times.bad.tolist() == [False, True, False]
    assert intervals.format_start(times.local[2] // clock.MICROS_PER_MINUTE) == "2024-07-01 12:00"


def test_typed_times_with_a_zone_are_converted():
    noon = dt.datetime(2024, 7, 1, 12)
    for kind, hour in (("s", 12), ("ns", 12)):
        times = clock.read_times(pa.array([noon, None], pa.timestamp(kind)), NEW_YORK)
        assert times.local[0] // (60 * clock.MICROS_PER_MINUTE) % 24 == hour
        assert times.bad.tolist() == [False, True]
    times = clock.read_times(pa.array([noon], pa.timestamp("ms", "UTC")), NEW_YORK)
    assert times.local[0] // (60 * clock.MICROS_PER_MINUTE) % 24 == 8


def test_the_repeated_hour_adds_up_in_its_slot():
    # 05:30 and 06:30 UTC on 2024-11-03 are both 01:30 in New York.
    first = check(start_time="2024-11-03T05:30:00Z", end_time="2024-11-03T06:30:00Z")
    assert first == (None, None, "2024-11-03 01:00", "2024-11-03 01:00")
    # On the local clock alone, a ride from the first 01:50 to the second 01:10 ends before it starts.
    back = check(start_time="2024-11-03 01:50:00", end_time="2024-11-03 01:10:00")
    assert back == (None, None, "2024-11-03 01:00", "2024-11-03 01:00")
    reasons = check(start_time="2024-11-03 02:50:00", end_time="2024-11-03 01:40:00")[:2]
    assert reasons == ("ends_before_start", "ends_before_start")
    reasons = check(start_time="2024-11-04 01:50:00", end_time="2024-11-04 01:10:00")[:2]
    assert reasons == ("ends_before_start", "ends_before_start")


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_intervals_that_daylight_saving_repeats_and_skips(minutes):
    first = intervals.date_to_minutes(dt.date(2024, 1, 1))
    starts = np.arange(first, first + 366 * 1440, minutes)
    repeated, skipped = clock.changed_intervals(starts, NEW_YORK)
    count = 60 // minutes
    assert len(repeated) == len(skipped) == count
    assert intervals.format_start(repeated[0]) == "2024-11-03 01:00"
    assert intervals.format_start(skipped[0]) == "2024-03-10 02:00"
    none = clock.changed_intervals(starts, "Asia/Shanghai")
    assert [len(part) for part in none] == [0, 0]
