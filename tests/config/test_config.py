"""The configuration: what it accepts, what it says of the rest, and that files give it back unchanged."""

import dataclasses
import datetime as dt
import functools
import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdflow.config import Config, field_names, presets
from crowdflow.schema.errors import ConfigError

TYPES = "a value of type"


def said(settings):
    """The message of refused settings."""
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
        ("training.epochs", -1, "0 or more"),
        ("training.final_epochs", -1, "0 or more"),
        ("training.batch_size", 0, "at least 1"),
        ("training.gpu_batch_factor", 0, "at least 1"),
        ("training.learning_rate", 0.0, "above 0"),
        ("training.patience", 0, "above 0, or null"),
        ("training.steps_per_epoch", -3, "above 0, or null"),
        ("training.final_learning_rate", 0.0, "above 0, or null"),
        ("training.schedule", "linear", "one of constant, cosine"),
        ("evaluation.naive_margin", 1.0, "within 0..1"),
        ("evaluation.pushed_tolerance", -0.1, "0 or more"),
        ("seed", -1, "within 0..2^31-1"),
        ("seed", 2**31, "within 0..2^31-1"),
        # Types: a bool is no int, a number no text, a text no list.
        ("grid.rows", True, f"{TYPES} int"),
        ("grid.rows", 8.0, f"{TYPES} int"),
        ("grid.rows", "8", f"{TYPES} int"),
        ("grid.rows", None, f"{TYPES} int"),
        ("split.test_days", True, f"{TYPES} int"),
        ("ingest.holidays", 1, f"{TYPES} bool"),
        ("ingest.max_flow", True, f"{TYPES} float"),
        ("ingest.max_flow", "much", f"{TYPES} float"),
        ("intervals.timezone", 3, f"{TYPES} str"),
        ("paths.data", "flows.csv", "a list of texts"),
        ("paths.data", [1], "a list of texts"),
        ("paths.root", "s3://bucket/runs", "a folder on this machine"),
        ("paths.serving", "minio://b/s", "a folder on this machine, or s3:// or gs://"),
    ],
)
def test_a_bad_value_is_refused_with_expected_and_received(field, value, expected):
    assert said({field: value}) == f"{field}: expected {expected}. Received: {value!r}."


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
            "training: expected an epoch in epochs or final_epochs. Received: 0.",
        ),
        (
            {"transform.day_of_week": False},
            "model.external: expected a source: one of transform.day_of_week, transform.time_of_day, "
            "transform.time_of_day_type, transform.holiday_country, ingest.holidays, ingest.weather, "
            "ingest.weather_columns. Received: True.",
        ),
    ],
)
def test_settings_that_do_not_go_together(settings, message):
    assert said(settings) == message


def test_the_external_component_needs_one_source_or_none():
    no_calendar = {"transform.day_of_week": False}
    for source in ("transform.time_of_day", "ingest.holidays", "ingest.weather"):
        Config().replace(no_calendar | {source: True})
    Config().replace(no_calendar | {"model.external": False})


@pytest.mark.parametrize(
    ("minutes", "period", "limit"), [(60, 1, 24), (30, 2, 48), (60, 0, 168), (1440, 1, 1)]
)
def test_the_horizon_ends_where_a_lag_would_not_be_known(minutes, period, limit):
    settings = {"intervals.minutes": minutes, "windows.period": period}
    assert Config().replace(settings | {"windows.horizon": limit}).windows.horizon == limit
    message = said(settings | {"windows.horizon": limit + 1})
    expected = f"at most {limit}: a lag must be known when the forecast is made"
    assert message == f"windows.horizon: expected {expected}. Received: {limit + 1}."


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("2e-4", "training.learning_rate", 2e-4),  # YAML 1.1 reads a text
        ("1", "training.learning_rate", 1.0),
        (".5", "split.eval_share", 0.5),
        ("null", "training.patience", None),
        ("7", "training.patience", 7),
        ("true", "training.deterministic", True),
        ("[a.csv, b.csv]", "paths.data", ("a.csv", "b.csv")),
        ("Asia/Shanghai", "intervals.timezone", "Asia/Shanghai"),
    ],
)
def test_values_as_yaml_reads_them(text, field, value):
    config = Config().replace({field: yaml.safe_load(text)})
    section, name = field.split(".")
    found = getattr(getattr(config, section), name)
    assert found == value and type(found) is type(value)


def test_a_date_needs_no_quotes():
    assert isinstance(yaml.safe_load("2014-09-21"), dt.date)
    dates = {"split.test_start": yaml.safe_load("2014-09-21"), "split.test_days": None}
    assert Config().replace(dates).split.test_start == "2014-09-21"
    time = {"split.test_start": yaml.safe_load("2014-09-21 08:00:00"), "split.test_days": None}
    assert (
        said(time)
        == "split.test_start: expected a date YYYY-MM-DD. Received: '2014-09-21T08:00:00'."
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("training.epoch", "Did you mean training.epochs"),
        ("epochs", "Did you mean "),
        ("window.closeness", "Did you mean windows.closeness"),
        ("model.residual_unit", "Did you mean model.residual_units"),
        ("training", ""),
        ("seed.value", ""),
        ("training.epochs.first", ""),
        ("qqq", ""),
        ("", ""),
    ],
)
def test_an_unknown_setting_is_refused_with_what_was_meant(name, hint):
    message = said({name: 1})
    assert message.startswith(f"{name}: no such setting.")
    assert message.endswith("`crowdflow presets --fields` lists them all.")
    assert hint in message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"grids": {}}, "grids: no such setting."),
        ({"grid": {"row": 3}}, "grid.row: no such setting. Did you mean grid.rows"),
        ({"grid": {1: 3}}, "grid.1: no such setting."),
        ({"grid": 3}, "grid: expected a mapping of fields. Received: 3."),
        ({"grid": None}, "grid: expected a mapping of fields. Received: None."),
    ],
)
def test_a_dict_of_another_form_is_refused(values, message):
    with pytest.raises(ConfigError) as raised:
        Config.from_dict(values)
    assert str(raised.value).startswith(message)


def test_replace_takes_every_field_and_changes_nothing_else():
    config = Config()
    assert len(field_names()) == len(set(field_names())) > 40
    for name in field_names():
        *section, field = name.split(".")
        value = getattr(functools.reduce(getattr, section, config), field)
        assert config.replace({name: value}) == config
    changed = config.replace({"training.epochs": 3, "seed": 9})
    assert changed.training == dataclasses.replace(config.training, epochs=3)
    assert dataclasses.replace(changed, training=config.training, seed=config.seed) == config
    assert config == Config()


def test_a_configuration_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().training.epochs = 3


@settings(deadline=None)
@given(
    values=st.fixed_dictionaries(
        {},
        optional={
            "seed": st.integers(0, 2**31 - 1),
            "grid.rows": st.integers(1, 10**6),
            "ingest.max_flow": st.floats(1e-300, allow_nan=False, allow_infinity=False),
            "training.learning_rate": st.floats(1e-300, 1e300),
            "training.patience": st.none() | st.integers(1, 10**9),
            "paths.root": st.none() | st.text(st.characters(codec="utf-8")),
            "paths.data": st.lists(st.text(st.characters(codec="utf-8"))),
        },
    )
)
def test_files_give_back_what_was_saved(values, tmp_path_factory):
    config = Config().replace(values)
    folder = tmp_path_factory.getbasetemp()
    for name in ("config.yaml", "config.json"):
        config.save(folder / name)
        assert Config.load(folder / name) == config
    assert Config.from_dict(json.loads((folder / "config.json").read_text("utf-8"))) == config


@pytest.mark.parametrize("preset", presets.names())
def test_every_preset_survives_its_file(preset, tmp_path):
    config = presets.load(preset)
    for name in ("config.yaml", "config.json"):
        config.save(tmp_path / name)
        assert Config.load(tmp_path / name) == config
    assert Config.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"- a\n", "expected a mapping of sections. Received: ['a']."),
        (b"", "expected a mapping of sections. Received: None."),
        (b"grid: {rows: 3\n", "expected YAML or JSON."),
        (b"\xff\xfe", "expected YAML or JSON."),
    ],
)
def test_a_file_that_is_no_configuration_is_named(text, message, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigError) as raised:
        Config.load(path)
    assert str(raised.value).startswith(f"{path}: {message}")
    (tmp_path / "mine.json").write_text("{grid: 3}")
    with pytest.raises(ConfigError, match=r"mine\.json: expected YAML or JSON\."):
        Config.load(tmp_path / "mine.json")


def test_absent_fields_of_a_file_take_their_defaults(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("grid: {rows: 3}\nsplit: {test_start: 2014-09-21, test_days: null}\n")
    settings = {"grid.rows": 3, "split.test_start": "2014-09-21", "split.test_days": None}
    assert Config.load(path) == Config().replace(settings)


def test_a_section_says_what_it_names_and_nothing_else():
    config = Config()
    text = config.section("windows", "grid")
    assert text == config.section("grid", "windows")
    assert json.loads(text) == {k: config.to_dict()[k] for k in ("grid", "windows")}
    assert config.replace({"training.epochs": 1}).section("grid", "windows") == text
    assert config.replace({"windows.horizon": 2}).section("grid", "windows") != text
    rebuilt = Config.from_dict(json.loads(text))
    assert (rebuilt.grid, rebuilt.windows) == (config.grid, config.windows)
    # The text is a cache key: it stays the same from process to process, and from release to release.
    assert Config().section("windows") == (
        '{"windows": {"average": 0, "closeness": 3, "horizon": 1, "period": 1, "trend": 1}}'
    )


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
        ("flows", "{YYYY} and {MM} in it"),
        ("{YYYY}", "{YYYY} and {MM} in it"),
        ("{YYYY}/{MM}/{HH}", "no other braces"),
        ("{YYYY}/{MM", "no other braces"),
        ("/{YYYY}/{MM}", "a path below a folder"),
        ("../{YYYY}{MM}", "a path below a folder"),
        ("**/{YYYY}{MM}", "a path below a folder"),
    ],
)
def test_a_pattern_of_files_names_dates_below_a_folder(pattern, expected):
    message = said({"range.weeks": 4, "range.pattern": pattern})
    assert message.startswith("range.pattern: expected ")
    assert expected in message and message.endswith(f"Received: {pattern!r}.")


def test_a_range_needs_a_last_date_or_files_by_date():
    assert said({"range.weeks": 2}).startswith("range.last_date: expected a date")
    assert Config().replace({"range.weeks": 2, "range.last_date": dt.date(2024, 5, 5)}).range == (
        Config().replace({"range.weeks": 2, "range.last_date": "2024-05-05"}).range
    )
