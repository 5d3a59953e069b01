"""The sections: what each accepts, which settings contradict each other, and the message for the rest."""

import datetime as dt
import json

import pytest

from crowdflow.config import Config
from crowdflow.schema.errors import ConfigError

TYPES = "a value of type"


def refused(settings):
    """The message with which settings are refused."""
    with pytest.raises(ConfigError) as raised:
        Config().replace(settings)
    return str(raised.value)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("grid.rows", 0, "at least 1"),
        ("grid.cols", -2, "at least 1"),
        ("grid.cell_metres", -5.0, "above 0"),
        ("grid.cell_metres", 500.0, "null, or a box: grid.south, west, north and east"),
        ("intervals.minutes", 7, "a divisor of 1440"),
        ("intervals.minutes", 0, "a divisor of 1440"),
        ("intervals.minutes", 2880, "a divisor of 1440"),
        ("intervals.timezone", "Mars/Olympus", "an IANA zone such as Asia/Shanghai"),
        ("intervals.timezone", "America", "an IANA zone such as Asia/Shanghai"),
        ("intervals.timezone", "", "an IANA zone such as Asia/Shanghai"),
        ("ingest.absent_cells", "nothing", "one of zero, missing"),
        ("ingest.max_reject_share", 1.5, "a share within 0..1"),
        ("ingest.max_reject_share", float("nan"), "a share within 0..1"),
        ("ingest.weather_max_age_hours", 0.0, "above 0"),
        ("ingest.max_flow", -1.0, "above 0"),
        ("windows.closeness", -1, "0 or more"),
        ("windows.horizon", 0, "at least 1"),
        ("range.weeks", 0, "at least 1"),
        ("range.min_share", 1.1, "a share within 0..1"),
        ("range.last_date", "2024-13-01", "a date YYYY-MM-DD"),
        ("range.last_date", "2024-12-01", "null without range.weeks"),
        ("range.pattern", "{YYYY}{MM}", "null without range.weeks"),
        ("split.test_days", 0, "at least 1"),
        ("split.eval_share", 1.0, "within 0..1"),
        ("split.eval_share", 0.0, "within 0..1"),
        ("model.residual_units", -1, "0 or more"),
        ("model.filters", 0, "at least 1"),
        ("model.fusion", "matmul", "one of hadamard, sum"),
        ("model.external_units", 0, "at least 1"),
        ("model.quantiles", [0.9, 0.1], "levels between 0 and 1, ascending"),
        ("model.quantiles", [0.1, 1.0], "levels between 0 and 1, ascending"),
        ("model.quantiles", 0.5, "a list of numbers, such as [0.1, 0.9]"),
        ("evaluation.quantile_rate", 1.5, "within 0..1"),
        ("training.epochs", -1, "0 or more"),
        ("training.final_epochs", -1, "0 or more"),
        ("training.batch_size", 0, "at least 1"),
        ("training.learning_rate", 0.0, "above 0"),
        ("training.cell_decay", -0.1, "0 or more"),
        ("training.patience", 0, "above 0, or null"),
        ("training.steps_per_epoch", -3, "above 0, or null"),
        ("training.final_learning_rate", 0.0, "above 0, or null"),
        ("training.schedule", "linear", "one of constant, cosine"),
        ("evaluation.naive_margin", 1.0, "within 0..1"),
        ("evaluation.pushed_tolerance", -0.1, "0 or more"),
        ("seed", -1, "within 0..2^31-1"),
        ("seed", 2**31, "within 0..2^31-1"),
        # Types: a bool is not an int, a number not a string, a string not a list.
        ("grid.rows", True, f"{TYPES} int"),
        ("grid.rows", 8.0, f"{TYPES} int"),
        ("grid.rows", "8", f"{TYPES} int"),
        ("grid.rows", None, f"{TYPES} int"),
        ("split.test_days", True, f"{TYPES} int"),
        ("ingest.holidays", 1, "true or false"),
        ("ingest.max_flow", True, f"{TYPES} float"),
        ("ingest.max_flow", "much", f"{TYPES} float"),
        ("intervals.timezone", 3, f"{TYPES} str"),
        ("paths.data", "flows.csv", "a list of strings, such as [one, two]"),
        ("paths.data", [1], "a list of strings, such as [one, two]"),
        ("paths.root", "s3://bucket/runs", "a folder on this machine"),
        ("paths.serving", "minio://b/s", "a folder on this machine, or s3:// or gs://"),
    ],
)
def test_a_bad_value_is_refused_with_expected_and_received(field, value, expected):
    assert refused({field: value}) == f"{field}: expected {expected}. Received: {value!r}."


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"windows.closeness": 0, "windows.period": 0, "windows.trend": 0},
            "windows: expected at least one lag in closeness, period or trend. Received: 0.",
        ),
        (
            {"split.test_days": None},
            "split: expected one of test_days and test_start. Received: [].",
        ),
        (
            {"split.test_start": "2014-09-21"},
            "split: expected one of test_days and test_start. Received: ['test_days', 'test_start'].",
        ),
        (
            {"split.eval_days": 3},
            "split: expected one of eval_share, eval_days and eval_start. "
            "Received: ['eval_share', 'eval_days'].",
        ),
        (
            {"split.test_days": None, "split.test_start": "21.9.2014"},
            "split.test_start: expected a date YYYY-MM-DD. Received: '21.9.2014'.",
        ),
        (
            {"split.eval_share": None, "split.eval_start": "2014-02-30"},
            "split.eval_start: expected a date YYYY-MM-DD. Received: '2014-02-30'.",
        ),
        (
            {"training.epochs": 0, "training.final_epochs": 0},
            "training: expected at least one epoch in epochs or final_epochs. Received: 0.",
        ),
        (
            {"transform.day_of_week": False, "transform.time_of_day_type": False},
            "model.external: expected a source: one of transform.day_of_week, transform.time_of_day, "
            "transform.time_of_day_type, transform.holiday_country, ingest.holidays, ingest.weather, "
            "ingest.weather_columns. Received: True.",
        ),
    ],
)
def test_settings_that_do_not_go_together(settings, message):
    assert refused(settings) == message


def test_the_external_component_needs_one_source_or_none():
    no_calendar = {"transform.day_of_week": False, "transform.time_of_day_type": False}
    for source in ("transform.time_of_day", "ingest.holidays", "ingest.weather"):
        Config().replace(no_calendar | {source: True})
    Config().replace(no_calendar | {"model.external": False})


@pytest.mark.parametrize(
    ("minutes", "period", "limit"), [(60, 1, 24), (30, 2, 48), (60, 0, 168), (1440, 1, 1)]
)
def test_the_horizon_ends_where_a_lag_would_not_be_known(minutes, period, limit):
    settings = {"intervals.minutes": minutes, "windows.period": period}
    assert Config().replace(settings | {"windows.horizon": limit}).windows.horizon == limit
    message = refused(settings | {"windows.horizon": limit + 1})
    expected = f"at most {limit}: a lag must be known when the forecast is made"
    assert message == f"windows.horizon: expected {expected}. Received: {limit + 1}."


def test_a_cell_size_in_metres_makes_rows_and_columns_of_the_box():
    box = {"south": 40.70, "west": -74.02, "north": 40.78, "east": -73.94}
    config = Config().replace({f"grid.{name}": value for name, value in box.items()})
    assert (config.grid.rows, config.grid.cols) == (16, 8)
    sized = config.replace({"grid.cell_metres": 500})
    # A degree of latitude is about 111 km here, one of longitude 84.5 km.
    assert (sized.grid.rows, sized.grid.cols) == (18, 14)
    assert Config.from_dict(sized.to_dict()) == sized
    assert sized.replace({"grid.rows": 3}).grid.rows == 18


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("flows", "{YYYY} and {MM}, "),
        ("{YYYY}", "{YYYY} and {MM}, "),
        ("{YYYY}/{MM}/{HH}", "no other braces"),
        ("{YYYY}/{MM", "no other braces"),
        ("/{YYYY}/{MM}", "a path below a folder"),
        ("../{YYYY}{MM}", "a path below a folder"),
        ("**/{YYYY}{MM}", "a path below a folder"),
    ],
)
def test_a_pattern_of_files_names_dates_below_a_folder(pattern, expected):
    message = refused({"range.weeks": 4, "range.pattern": pattern})
    assert message.startswith("range.pattern: expected ")
    assert expected in message and message.endswith(f"Received: {pattern!r}.")


def test_a_range_needs_a_last_date_or_files_by_date():
    assert refused({"range.weeks": 2}).startswith("range.last_date: expected a date")
    assert Config().replace({"range.weeks": 2, "range.last_date": dt.date(2024, 5, 5)}).range == (
        Config().replace({"range.weeks": 2, "range.last_date": "2024-05-05"}).range
    )


def test_some_sections_can_be_rebuilt_whatever_the_others_would_be():
    config = Config().replace(
        {
            "transform.day_of_week": False,
            "transform.time_of_day_type": False,
            "model.external": False,
        }
    )
    text = config.section("intervals", "transform")
    found = Config.from_sections(text)
    assert (found.intervals, found.transform) == (config.intervals, config.transform)
    assert Config.from_sections(json.loads(text)) == found
    with pytest.raises(ConfigError, match=r"model\.external: expected a source"):
        found.check_across()
    with pytest.raises(ConfigError, match=r"model\.external: expected a source"):
        Config.from_dict(json.loads(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"grid": {"rows": 0}}', "grid.rows: expected at least 1. Received: 0."),
        ('{"grid": {"row": 3}}', "grid.row: no such setting. Did you mean grid.rows"),
        ('{"grid": {"rows": "3"}}', "grid.rows: expected a value of type int. Received: '3'."),
        ("[]", "configuration: expected a mapping of fields. Received: []."),
    ],
)
def test_a_section_is_still_checked_by_itself(text, message):
    with pytest.raises(ConfigError) as raised:
        Config.from_sections(text)
    assert str(raised.value).startswith(message)
