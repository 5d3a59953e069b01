"""The order of day and month, from all dates of a file."""

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdflow.ingest.times.date_order import find_dates, merge_dates, settle
from crowdflow.ingest.times.spellings import DAY_FIRST, MONTH_FIRST
from crowdflow.schema.errors import DataError


def order(*texts):
    return settle(find_dates([pa.array(texts, pa.string())]), "a.csv")


@settings(max_examples=60, deadline=None)
@given(
    first=st.dates(dt.date(2001, 1, 1), dt.date(2060, 1, 1)),
    days=st.integers(31, 60),
    form=st.sampled_from(
        [("%m/%d/%Y %H:%M", MONTH_FIRST), ("%d/%m/%Y", DAY_FIRST), ("%d-%m-%y 8:00", DAY_FIRST)]
    ),
    cut=st.integers(1, 30),
)
def test_a_month_of_days_settles_it_however_the_file_is_read(first, days, form, cut):
    texts = [(first + dt.timedelta(days=day)).strftime(form[0]) for day in range(days)]
    parts = [find_dates([pa.array(part)]) for part in (texts[:cut], texts[cut:])]
    assert settle(merge_dates(parts), "a.csv") == form[1]


@pytest.mark.parametrize(
    "texts",
    [["03/02/2024 08:10", "04/02/2024 08:10"], ["05/06/2024 13:15"], ["3/2/2024 8:10", "4/2/2024 8:10"],
     ["03/02/2024 1:10 PM", "04/02/2024 1:10 PM"]],
)  # fmt: skip
def test_where_both_orders_fit_the_run_stops_and_says_what_to_set(texts):
    with pytest.raises(DataError, match="a.csv: every date reads both ways.*Set trips.date_order"):
        order(*texts)


@pytest.mark.parametrize(
    "texts",
    [
        ["5/6/2024 0:00:00"],
        ["05/06/2024 01:15:00 PM", "05/07/2024 02:15:00 AM"],
        ["05/05/2024"],
        [],
    ],
)
def test_an_american_spelling_of_near_days_has_the_month_first(texts):
    assert order(*texts) == MONTH_FIRST


def test_dates_of_both_orders_stop_the_run_unless_some_are_typing_errors():
    with pytest.raises(DataError, match="expected dates in one order. Received 13/02/2024"):
        order("13/02/2024", "02/14/2024")
    many = [
        f"{month:02d}/{day:02d}/{year}"
        for year in (2023, 2024)
        for month in range(1, 13)
        for day in range(13, 29)
    ]
    assert order("13/02/2024", *many) == MONTH_FIRST


def test_other_texts_are_passed_over():
    assert order(None, "x", "2024-05-06", "99/99/2024", "31/01/2024") == DAY_FIRST
