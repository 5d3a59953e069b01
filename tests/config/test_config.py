"""The configuration: what texts mean, unknown names, and files that give back what was saved."""

import dataclasses
import functools
import json
import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdflow.config import Config, field_names, presets
from crowdflow.pipeline.cli.options import parse
from crowdflow.schema.errors import ConfigError


def refused(settings):
    """The message with which settings are refused."""
    with pytest.raises(ConfigError) as raised:
        Config().replace(settings)
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("2e-4", "training.learning_rate", 2e-4),
        ("1", "training.learning_rate", 1.0),
        (".5", "split.eval_share", 0.5),
        ("null", "training.patience", None),
        ("7", "training.patience", 7),
        ("007", "training.patience", 7),  # YAML 1.1 reads an octal number
        ("010", "training.epochs", 10),
        ("true", "training.deterministic", True),
        ("[a.csv, b.csv]", "paths.data", ("a.csv", "b.csv")),
        ("[2014, on, ~]", "paths.data", ("2014", "on", "~")),
        ("Asia/Shanghai", "intervals.timezone", "Asia/Shanghai"),
        ("2014", "preset", "2014"),
        ("0o17", "preset", "0o17"),
        ("off", "evaluation.infra_validator", "off"),  # YAML 1.1 reads False
        ("no", "paths.root", "no"),
        ("1:30", "paths.root", "1:30"),  # YAML 1.1 reads 90
        ("2014-09-21", "trips.first_day", "2014-09-21"),  # YAML 1.1 reads a date
        ("*-{YYYY}{MM}*.csv", "paths.root", "*-{YYYY}{MM}*.csv"),  # an alias
        ("{YYYY}/{MM}", "paths.root", "{YYYY}/{MM}"),  # a mapping
        ("%{YYYY}{MM} # 1", "paths.root", "%{YYYY}{MM} # 1"),  # a directive and a comment
    ],
)
def test_the_type_of_a_field_says_what_a_text_means(text, field, value, tmp_path):
    config = Config().replace(parse([f"{field}={text}"]))
    found = operator.attrgetter(field)(config)
    assert found == value and type(found) is type(value)
    config.save(tmp_path / "mine.yaml")
    assert Config.load(tmp_path / "mine.yaml") == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training.deterministic=on", "expected true or false. Received: 'on'."),
        ("training.deterministic=1", "expected true or false. Received: '1'."),
        ("training.epochs=0x10", "expected a value of type int. Received: '0x10'."),
        ("training.epochs=1:30", "expected a value of type int. Received: '1:30'."),
        ("training.epochs=3.0", "expected a value of type int. Received: '3.0'."),
        ("training.learning_rate=fast", "expected a value of type float. Received: 'fast'."),
        ("paths.data=a.csv", "expected a list of strings, such as [one, two]. Received: 'a.csv'."),
        ("paths.data=[a", "expected a list of strings, such as [one, two]. Received: '[a'."),
        (
            "trips.first_day=2014-09-21 08:00",
            "expected a date YYYY-MM-DD. Received: '2014-09-21 08:00'.",
        ),
    ],
)
def test_a_text_that_its_field_cannot_have_is_refused(text, message):
    assert refused(parse([text])) == f"{text.partition('=')[0]}: {message}"


def test_a_file_reads_a_text_as_the_command_line_does_and_takes_a_quoted_null_for_a_name(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("training: {patience: 010}\npaths: {root: 'null', serving: null}\n")
    config = Config.load(path)
    assert config.training.patience == 10
    assert (config.paths.root, config.paths.serving) == ("null", None)


@pytest.mark.parametrize(
    ("name", "text"),
    [("mine.yaml", "seed: 1\nseed: 2\n"), ("mine.json", '{"seed": 1, "seed": 2}')],
)
def test_a_setting_that_is_given_twice_is_refused(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=r"expected YAML or JSON\. seed is given twice\."):
        Config.load(tmp_path / name)


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
        (b"- a\n", "expected a mapping of sections. Received: a list."),
        (b"", "expected a mapping of sections. Received: a value."),
        (b"a-token\n", "expected a mapping of sections. Received: a value."),
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
        '{"windows": {"average": 12, "average_days": 14, "average_decay": 0.9, "closeness": 4, '
        '"horizon": 1, "period": 2, "trend": 1}}'
    )
