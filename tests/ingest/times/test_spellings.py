"""Spellings of times, against `datetime`."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from crowdflow.ingest.times import clock, spellings
from crowdflow.ingest.times.spellings import DAY_FIRST, MONTH_FIRST
from crowdflow.schema.errors import ConfigError

LISBON = ZoneInfo("Europe/Lisbon")
MOMENTS = st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2069, 12, 31))
# Format, what of a moment it keeps, and the order of day and month.
FORMATS = [
    ("%Y-%m-%d %H:%M:%S.%f", "microsecond", None),
    ("%Y-%m-%dT%H:%M:%S", "second", None),
    ("%Y-%m-%d %H:%M", "minute", None),
    ("%Y/%m/%d %H:%M:%S", "second", None),
    ("%Y.%m.%d %I:%M %p", "minute", None),
    ("%m/%d/%Y %H:%M:%S", "second", MONTH_FIRST),
    ("%m/%d/%y %H:%M", "minute", MONTH_FIRST),
    ("%m/%d/%Y %I:%M:%S %p", "second", MONTH_FIRST),
    ("%m-%d-%Y %I:%M%p", "minute", MONTH_FIRST),
    ("%d/%m/%Y %H:%M", "minute", DAY_FIRST),
    ("%d-%m-%Y, %H:%M:%S", "second", DAY_FIRST),
    ("%d.%m.%Y %H:%M", "minute", None),
    ("%d %B %Y %H:%M:%S", "second", None),
    ("%d-%b-%y %I:%M %p", "minute", None),
    ("%A, %B %d, %Y %I:%M:%S %p", "second", None),
    ("%a, %d %b %Y %H:%M:%S", "second", None),
    ("%a %b %d %H:%M:%S %Y", "second", None),
    ("%Y%m%d%H%M%S", "second", None),
    ("%Y%m%dT%H%M", "minute", None),
    ("%Y%m%d", "day", None),
]
CUTS = {
    "microsecond": {},
    "second": {"microsecond": 0},
    "minute": {"microsecond": 0, "second": 0},
    "day": {"microsecond": 0, "second": 0, "minute": 0, "hour": 0},
}


def micros(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)


def read(texts, order=None, zone=None):
    def wanted():
        assert order is not None, "the order was asked for a date that says it"
        return order

    return clock.read_times(pa.array(texts, pa.string()), zone, wanted)


@settings(max_examples=60, deadline=None)
@given(
    moments=st.lists(MOMENTS, min_size=1, max_size=4),
    form=st.sampled_from(FORMATS),
    short=st.booleans(),
)
@example([dt.datetime(2024, 5, 6, 0, 30), dt.datetime(2024, 5, 6, 12, 30)], FORMATS[7], False)
def test_a_spelling_reads_as_datetime_wrote_it(moments, form, short):
    pattern, kept, order = form
    texts = [moment.strftime(pattern) for moment in moments]
    if short and "/" in pattern:  # Excel's short form: no leading zeros in the date and the hour
        texts = ["/".join(str(int(n)) for n in text.split(" ")[0].split("/")) + text[len(text.split(" ")[0]):]
                 for text in texts if "%y" not in pattern] or texts  # fmt: skip
    times = read(texts, order)
    assert not times.bad.any()
    assert times.local.tolist() == [micros(moment.replace(**CUTS[kept])) for moment in moments]
    np.testing.assert_array_equal(times.elapsed, times.local)


@settings(max_examples=60, deadline=None)
@given(
    moment=st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2037, 12, 1)),  # as far as pytz goes
    minutes=st.integers(-14 * 60, 14 * 60),
    mark=st.sampled_from(["+00", "+00:00", "+0000", "Z"]),
)
def test_an_offset_is_converted_to_the_zone(moment, minutes, mark):
    moment = moment.replace(microsecond=0, tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
    if mark == "Z" or (mark == "+00" and minutes % 60):
        moment = moment.astimezone(dt.timezone.utc)
    text = moment.strftime("%Y-%m-%d %H:%M:%S%z")
    if mark == "+00:00":
        text = text[:-2] + ":" + text[-2:]
    elif mark == "+00":
        text = text[:-2]
    elif mark == "Z":
        text = text[:-5] + "Z"
    for also in ([], ["06.05.2024 13:15"]):  # alone, and in a column of several spellings
        times = read([text, *also], zone="Europe/Lisbon")
        assert not times.bad.any()
        assert times.local[0] == micros(moment.astimezone(LISBON).replace(tzinfo=None))
        utc = moment.astimezone(dt.timezone.utc).replace(tzinfo=None)
        assert times.elapsed[0] == micros(utc)


def test_twelve_digits_are_milliseconds_where_they_are_no_date():
    for text in ("946684800000", "200001010000"):
        times = clock.read_times(pa.array([text]), "UTC")
        assert times.local.tolist() == [micros(dt.datetime(2000, 1, 1))]


@settings(max_examples=60, deadline=None)
@given(
    moment=st.datetimes(dt.datetime(1975, 1, 1), dt.datetime(2069, 12, 31)),
    unit=st.sampled_from(["s", "ms", "us"]),
    kind=st.sampled_from(["text", "float text", "int64", "float64", "timestamp"]),
)
def test_epochs_count_from_1970_in_utc(moment, unit, kind):
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000 if unit == "ms" else 0)
    assume(unit != "ms" or moment.year > 2001)  # twelve digits may be a date, too
    number = micros(moment) // {"s": 1_000_000, "ms": 1000, "us": 1}[unit]
    column = {
        "text": lambda: pa.array([str(number)]),
        "float text": lambda: pa.array([f"{number}.0"]),
        "int64": lambda: pa.array([number]),
        "float64": lambda: pa.array([float(number)]),
        "timestamp": lambda: pa.array([moment], pa.timestamp(unit, "UTC")),
    }[kind]()
    times = clock.read_times(column, "Asia/Kolkata")
    there = moment + dt.timedelta(hours=5, minutes=30)
    assert (times.local[0], times.elapsed[0]) == (micros(there), micros(moment))


@settings(max_examples=40, deadline=None)
@given(moment=st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2100, 1, 1)))
def test_excels_days_are_local(moment):
    moment = moment.replace(microsecond=0)
    day = (moment - dt.datetime(1899, 12, 30)) / dt.timedelta(days=1)
    for column in (pa.array([day]), pa.array([f"{day:.9f}"])):
        assert clock.read_times(column, None).local[0] == micros(moment)


@pytest.mark.parametrize(
    "text",
    ["2024-13-01", "2024-02-30 10:00", "30/02/2024", "2024-05-06 24:00", "2024-05-06 10:60", "5/6/2024 13:00 PM",
     "5/6/2024 0:10 AM", "6 Foo 2024", "08:00", "7", "1e400", "2024-05-06 10:00 EST", "-1714995330", "nan"],
)  # fmt: skip
def test_what_is_no_time_is_bad(text):
    times = read([text, "2024-05-06 13:15"], DAY_FIRST, "UTC")
    assert times.bad.tolist() == [True, False]


def test_a_date_column_of_parquet_is_local_midnight():
    times = clock.read_times(pa.array([dt.date(2024, 5, 6), None]), None)
    assert times.bad.tolist() == [False, True]
    assert times.local[0] == micros(dt.datetime(2024, 5, 6))


@pytest.mark.parametrize("text", ["2024-05-06T13:15:00Z", "1714995330"])
def test_without_a_zone_nothing_is_converted(text):
    with pytest.raises(ConfigError, match="intervals.timezone: expected the city's time zone"):
        read([text])


@pytest.mark.parametrize("spelling", spellings.SPELLINGS, ids=lambda spelling: spelling.name)
def test_the_examples_of_every_spelling_are_of_one_moment(spelling):
    moment = dt.datetime(2024, 5, 6, 13, 15)
    texts = pa.array(spelling.examples)
    found = spellings.read_texts(texts, lambda: MONTH_FIRST)
    assert len(found.micros) == len(found.aware) == len(spelling.examples) > 0
    for text, value, aware in zip(spelling.examples, found.micros, found.aware):
        shift = (
            pd.Timedelta(hours=1, minutes=40) if text.startswith("1714995330") else pd.Timedelta(0)
        )
        assert abs(pd.Timestamp(value, unit="us") + shift - moment) < pd.Timedelta(minutes=1) or (
            len(text) <= 10 and pd.Timestamp(value, unit="us") == pd.Timestamp("2024-05-06")
        )
        assert aware == (text[-1] == "Z" or "+00" in text or "GMT" in text or bool(shift))
