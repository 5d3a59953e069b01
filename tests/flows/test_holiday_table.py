"""Public holidays against the calendar and the package."""

import datetime as dt
import warnings

import holidays
import pytest

from crowdflow.config import Config, TransformConfig
from crowdflow.flows.holiday_table import holiday_dates
from crowdflow.schema.errors import ConfigError


def table(country, subdivision=None, until="2020-12-31"):
    config = TransformConfig(
        holiday_country=country, holiday_subdivision=subdivision, holidays_until=until
    )
    return holiday_dates(config)


def test_a_year_of_new_jersey_by_hand():
    expected = [  # days off of the state, and Sunday's Christmas seen on the Monday after
        "2016-01-01", "2016-01-18", "2016-02-12", "2016-02-15", "2016-03-25", "2016-05-30",
        "2016-07-04", "2016-09-05", "2016-10-10", "2016-11-08", "2016-11-11", "2016-11-24",
        "2016-12-25", "2016-12-26",
    ]  # fmt: skip
    assert [date for date in table("US", "NJ") if date.startswith("2016")] == expected


@pytest.mark.parametrize(
    "country, subdivision", [("US", "NJ"), ("US", None), ("CN", None), ("DE", "BY")]
)
def test_the_table_is_the_package_s_day_by_day(country, subdivision):
    found = set(table(country, subdivision, "2026-06-30"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = holidays.country_holidays(country, subdiv=subdivision)
        day = dt.date(2013, 1, 1)
        while day <= dt.date(2026, 6, 30):
            assert (str(day) in found) == (day in known), day
            day += dt.timedelta(days=1)
    assert max(found) <= "2026-06-30"


def test_no_country_has_no_table_and_no_warning_is_let_out():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert holiday_dates(TransformConfig()) == []
        assert len(table("US", "NJ")) > 500


def test_unknown_places_are_refused():
    with pytest.raises(ConfigError, match="holiday_country: expected one of .*US.*'Utopia'"):
        table("Utopia")
    with pytest.raises(
        ConfigError, match="holiday_subdivision: expected null, or one of .*NJ.*'XX'"
    ):
        table("US", "XX")


@pytest.mark.parametrize(
    "settings, match",
    [
        ({"transform.holiday_subdivision": "NJ"}, "null without transform.holiday_country"),
        (
            {"transform.holiday_country": "US", "ingest.holidays": True},
            "takes holidays from a file",
        ),
        ({"transform.holidays_until": "soon"}, "YYYY-MM-DD"),
    ],
)
def test_settings_that_do_not_go_together(settings, match):
    with pytest.raises(ConfigError, match=match):
        Config().replace(settings)
