"""Wall-clock minutes compared with dates of the standard library."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdflow.schema import intervals
from crowdflow.schema.errors import DataError

EPOCH = dt.datetime(1970, 1, 1)
moments = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2149, 12, 31))
lengths = st.sampled_from([n for n in range(15, 1441) if 1440 % n == 0])


def minutes_of(time):
    return (time - EPOCH) // dt.timedelta(minutes=1)


@given(moments)
def test_minutes_agree_with_the_standard_library(time):
    start = minutes_of(time)
    assert intervals.from_datetime64(np.datetime64(time, "us")) == start
    assert intervals.to_datetime64(np.array([start])).astype("datetime64[s]")[0] == np.datetime64(
        time.replace(second=0, microsecond=0), "s"
    )
    assert intervals.minutes_to_date(start) == time.date()
    assert intervals.date_to_minutes(time.date()) == minutes_of(
        dt.datetime.combine(time.date(), dt.time())
    )
    assert intervals.format_start(start) == f"{time:%Y-%m-%d %H:%M}"
    assert intervals.weekday(np.array([start]))[0] == time.weekday()


@given(st.lists(moments, max_size=5), lengths)
def test_slots_count_the_days_intervals_from_one(times, minutes):
    slots, starts = [], []
    for time in times:
        slot = (time.hour * 60 + time.minute) // minutes
        slots.append(f"{time:%Y%m%d}{slot + 1:02d}".encode())
        starts.append(minutes_of(dt.datetime.combine(time.date(), dt.time())) + slot * minutes)
    found = intervals.parse_slots(np.array(slots, "S10"), minutes, "flows.h5")
    assert found.dtype == np.int64
    assert list(found) == starts
    assert list(intervals.parse_slots([s.decode() for s in slots], minutes, "flows.h5")) == starts


@pytest.mark.parametrize(
    ("slot", "reason"),
    [
        (b"2014040100", "slot 00 is outside 01..24"),
        (b"2014040125", "slot 25 is outside 01..24"),
        (b"2014043101", "day is out of range for month"),
        (b"2014130101", "month must be in 1..12"),
        (b"20140401", "not ten digits"),
        (b"2014-04-01", "not ten digits"),
        (b"\xff014040101", "not ten digits"),
    ],
)
def test_a_bad_slot_is_named_with_its_row(slot, reason):
    with pytest.raises(DataError) as raised:
        intervals.parse_slots([b"2014040101", slot], 60, "flows.h5, data set 'date'")
    message = str(raised.value)
    assert message.startswith("flows.h5, data set 'date', row 1: expected a slot YYYYMMDDSS")
    assert "SS in 01..24 (60-minute intervals)" in message and reason in message


def test_a_day_has_the_same_slots_when_the_clocks_change():
    assert intervals.per_day(60) == 24 and intervals.per_day(30) == 48
    slots = [f"20140309{hour:02d}" for hour in range(1, 25)]  # New York skips 02:00 that day
    assert set(np.diff(intervals.parse_slots(slots, 60, ""))) == {60}


@pytest.mark.parametrize("days, refused", [(2, False), (3, True)])
def test_hourly_slots_are_not_taken_for_half_hourly_ones(days, refused):
    slots = [f"201404{day:02d}{slot:02d}" for day in range(1, days + 1) for slot in range(1, 25)]
    starts = intervals.parse_slots(slots, 30, "flows.h5")
    intervals.require_whole_days(intervals.parse_slots(slots, 60, "flows.h5"), 60, "flows.h5")
    if refused:
        with pytest.raises(DataError, match=r"flows.h5: expected slots 01..48 .* none above 24"):
            intervals.require_whole_days(starts, 30, "flows.h5")
    else:
        intervals.require_whole_days(starts, 30, "flows.h5")
