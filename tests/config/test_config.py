"""The configuration: values as YAML reads them, unknown names, and files that give back what was saved."""

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


def refused(settings):
    """The message with which settings are refused."""
    with pytest.raises(ConfigError) as raised:
        Config().replace(settings)
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("2e-4", "training.learning_rate", 2e-4),  # YAML 1.1 reads a string
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
        refused(time)
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
    message = refused({name: 1})
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


def test_a_section_has_the_named_sections_and_nothing_else():
    config = Config()
    text = config.section("windows", "grid")
    assert text == config.section("grid", "windows")
    assert json.loads(text) == {k: config.to_dict()[k] for k in ("grid", "windows")}
    assert config.replace({"training.epochs": 1}).section("grid", "windows") == text
    assert config.replace({"windows.horizon": 2}).section("grid", "windows") != text
    rebuilt = Config.from_sections(text)
    assert (rebuilt.grid, rebuilt.windows) == (config.grid, config.windows)
    # The text is a cache key: it stays the same from process to process, and from release to release.
    assert Config().section("windows") == (
        '{"windows": {"average": 0, "closeness": 3, "horizon": 1, "period": 1, "trend": 1}}'
    )
