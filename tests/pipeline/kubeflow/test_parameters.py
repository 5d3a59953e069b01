"""What a run's parameters become inside of the nodes' own."""

import json

import pytest

from crowdflow.config import presets
from crowdflow.pipeline.kubeflow.parameters import (
    SCHEDULED_DAY,
    apply_parameters,
    last_date_of,
    locations,
    parameters,
)
from crowdflow.schema.errors import ConfigError

CONFIG = presets.load("tiny-city")
TRAINER = CONFIG.section("preset", "grid", "windows", "transform", "ingest", "model", "training")


def test_defaults_change_nothing():
    found = parameters(CONFIG, ["/mnt/a"])
    given = {
        "run_fn": "f",
        "custom_config": json.dumps({"config": TRAINER, "checkpoints": "/mnt/c"}, sort_keys=True),
    }
    assert apply_parameters({**given, "training": found["training"].default}) == given
    assert apply_parameters({**given, "training": "{}"}) == given
    assert apply_parameters({**given, "training": ""}) == given
    report = json.dumps(CONFIG.replace({"paths.data": ["/mnt/a"]}).to_dict())
    ours = {name: one.default for name, one in found.items()}
    out = apply_parameters({"config": report, **ours})
    assert out.keys() == {"config"}
    assert json.loads(out["config"]) == json.loads(report)


def test_training_settings_reach_the_trainer():
    given = {"custom_config": json.dumps({"config": TRAINER}), "training": '{"epochs": 3}'}
    custom = json.loads(apply_parameters(given)["custom_config"])
    settings = json.loads(custom["config"])
    assert settings["training"] == {**CONFIG.to_dict()["training"], "epochs": 3}
    assert {**settings, "training": None} == {**json.loads(TRAINER), "training": None}


def test_every_parameter_reaches_the_report():
    out = apply_parameters(
        {
            "config": json.dumps(CONFIG.to_dict()),
            "data": "/mnt/new",
            "training": '{"epochs": 3}',
            "naive_margin": 0.25,
            "pushed_tolerance": 1,
        }
    )
    settings = json.loads(out["config"])
    assert settings["paths"]["data"] == ["/mnt/new"]
    assert settings["training"]["epochs"] == 3
    assert settings["evaluation"]["naive_margin"] == 0.25
    assert settings["evaluation"]["pushed_tolerance"] == 1


def test_thresholds_reach_the_evaluator():
    from tensorflow_model_analysis.proto import config_pb2
    from tfx.utils import proto_utils

    from crowdflow.evaluation.thresholds import eval_config

    def text(**settings):
        config = CONFIG.replace({f"evaluation.{name}": v for name, v in settings.items()})
        return proto_utils.proto_to_json(eval_config(config, "0123"))

    ours = {"naive_margin": 0.25, "pushed_tolerance": 0.5}
    out = apply_parameters({"eval_config": text(), **ours})
    expected = proto_utils.json_to_proto(text(**ours), config_pb2.EvalConfig())
    assert proto_utils.json_to_proto(out["eval_config"], config_pb2.EvalConfig()) == expected
    assert out["eval_config"] != text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/mnt/a", ["/mnt/a"]),
        (" /mnt/a\n", ["/mnt/a"]),
        ('["/mnt/b", "/mnt/a"]', ["/mnt/b", "/mnt/a"]),
        ("s3://bucket/flows", ["s3://bucket/flows"]),
        ('["gs://b/flows", "/mnt/a"]', ["gs://b/flows", "/mnt/a"]),
    ],
)
def test_locations(text, expected):
    assert locations(text) == expected
    assert json.loads(apply_parameters({"paths": text})["paths"]) == sorted(expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"paths": ""}, "data: expected one path"),
        ({"paths": "[/mnt/a]"}, "data: expected one path"),
        ({"paths": "[]"}, "data: expected one path"),
        ({"paths": "[1]"}, "data: expected one path"),
        (
            {"paths": "http://bucket/flows"},
            "data: expected paths on a volume of the steps, or s3://",
        ),
        ({"paths": "s3://user:word@city/flows"}, "data: expected an address without user"),
        ({"config": TRAINER, "training": "epochs: 3"}, "training: expected a JSON object"),
        ({"config": TRAINER, "training": "[3]"}, "training: expected a JSON object"),
        (
            {"config": TRAINER, "training": '{"epoch": 3}'},
            "training.epoch: no such setting.*epochs",
        ),
        ({"config": TRAINER, "training": '{"epochs": "3"}'}, "training.epochs: expected"),
        (
            {"config": json.dumps(CONFIG.to_dict()), "naive_margin": 2},
            "evaluation.naive_margin: expected within 0..1",
        ),
    ],
)
def test_bad_parameters_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        apply_parameters(given)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("", None),
        (" 2026-11-24 ", "2026-11-24"),
        ("before 2026-11-24", "2026-11-23"),
        ("before  2024-03-01", "2024-02-29"),
    ],
)
def test_the_last_date(text, date):
    assert last_date_of(text) == date


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("24.11.2026", "last_date: expected a date YYYY-MM-DD"),
        ("before yesterday", "last_date: expected a date YYYY-MM-DD"),
        (SCHEDULED_DAY, "which this Kubeflow did not replace by the scheduled day"),
    ],
)
def test_a_last_date_that_is_none(text, message):
    with pytest.raises(ConfigError, match=message):
        last_date_of(text)


def test_the_last_date_reaches_the_range_or_the_split():
    date = {"last_date": "before 2026-11-25"}
    windows = CONFIG.section("windows", "split")
    found = json.loads(apply_parameters({"config": windows, **date})["config"])
    assert found["split"]["until"] == "2026-11-24"
    assert parameters(CONFIG, ["/mnt/a"])["last_date"].readers.keys() >= {"WindowGen", "Trainer"}
    ranged = CONFIG.replace({"range.weeks": 4, "range.pattern": "{YYYY}/{MM}/{DD}"})
    found = json.loads(apply_parameters({"config": ranged.section("range"), **date})["config"])
    assert found["range"]["last_date"] == "2026-11-24"
    whole = json.loads(apply_parameters({"config": json.dumps(ranged.to_dict()), **date})["config"])
    assert (whole["range"]["last_date"], whole["split"]["until"]) == ("2026-11-24", None)
    readers = parameters(ranged, ["/mnt/a"])["last_date"].readers
    assert readers.keys() == {"FlowExampleGen", "FlowReportGen"}
    assert json.loads(
        apply_parameters({"config": windows, "last_date": ""})["config"]
    ) == json.loads(windows)
