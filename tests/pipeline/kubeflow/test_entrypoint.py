"""The entry point of the steps, one step at a time."""

import json
import logging
import sys
import types
from pathlib import Path

import pytest

from crowdflow.config import presets
from crowdflow.pipeline.kubeflow import entrypoint as kubeflow_entrypoint
from crowdflow.pipeline.kubeflow.executor_input import ROOT_VARIABLE
from crowdflow.simulation.city import CitySpec, simulate
from crowdflow.simulation.files import write_city

SCHEMA = {"instanceSchema": "title: tfx.Schema\ntype: object\n"}
EXAMPLES = {"instanceSchema": "title: tfx.Examples\ntype: object\n"}


@pytest.fixture
def step(tmp_path, monkeypatch):
    """Runs a step with outputs and parameters; gives its exit code."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "root"))

    def run(executor: str, outputs: dict, *more: str, **values: object) -> int:
        given = {
            "inputs": {"parameterValues": values},
            "outputs": {
                "artifacts": {
                    name: {"artifacts": [{"uri": f"s3://bucket/{name}", "type": kind}]}
                    for name, kind in outputs.items()
                },
                "outputFile": str(tmp_path / "out" / "output_metadata.json"),
            },
        }
        logs = {"uri": "s3://bucket/logs", "type": {"schemaTitle": "system.Artifact"}}
        given["outputs"]["artifacts"]["executor-logs"] = {"artifacts": [logs]}
        kinds = {name: {"parameterType": "STRING"} for name in values}
        return kubeflow_entrypoint.main(
            [
                *("--node", "Step", "--outputs", ",".join(outputs), *more),
                *("--executor_class_path", executor),
                *("--json_serialized_invocation_args", json.dumps(given)),
                *("--json_serialized_inputs_spec_args", json.dumps({"parameters": kinds})),
            ]
        )

    return run


def output(tmp_path: Path) -> dict:
    return json.loads((tmp_path / "out" / "output_metadata.json").read_text())


def test_a_step_writes_where_the_launcher_looks(step, tmp_path):
    (tmp_path / "out").mkdir()
    left = {"parameterValues": {"frame_text": "of an attempt before"}}
    (tmp_path / "out" / "output_metadata.json").write_text(json.dumps(left))
    half = tmp_path / "root" / "s3" / "bucket" / "frame_schema" / "half.pbtxt"
    half.parent.mkdir(parents=True)
    half.write_text("of an attempt before")
    code = step(
        "crowdflow.components.flow_schema.executor.Executor",
        {"frame_schema": SCHEMA, "window_schema": SCHEMA},
        frame_text="frames",
        window_text="windows",
        code_fingerprint="0123",
    )
    assert code == 0
    folder = tmp_path / "root" / "s3" / "bucket"
    assert not half.exists()
    assert (folder / "frame_schema" / "schema.pbtxt").read_text() == "frames"
    assert (folder / "window_schema" / "schema.pbtxt").read_text() == "windows"
    artifacts = output(tmp_path)["artifacts"]
    assert {name: entry["artifacts"][0]["uri"] for name, entry in artifacts.items()} == {
        "frame_schema": "s3://bucket/frame_schema",
        "window_schema": "s3://bucket/window_schema",
    }


INGEST = (
    "crowdflow.components.flow_example_gen.executor.Executor",
    {"examples": EXAMPLES, "counters": {"instanceSchema": "title: crowdflow.FlowCounters\n"}},
)


def ingest_values(paths: str) -> dict:
    config = presets.load("tiny-city").replace({"grid.rows": 3, "grid.cols": 3})
    return {
        "paths": paths,
        "config": config.section("grid", "intervals", "ingest", "trips"),
        "code_fingerprint": "0123",
        "input_base": "/mnt",
        "input_config": '{"splits": [{"name": "all", "pattern": "*"}]}',
        "output_config": "{}",
        "output_data_format": 6,
        "output_file_format": 5,
    }


def test_an_example_gen_knows_its_inputs_by_content(step, tmp_path):
    """As TFX's drivers find it, which Kubeflow does not run."""
    drawn, data = simulate(CitySpec(rows=3, cols=3, days=8)), tmp_path / "data"
    data.mkdir()
    for name in ("parquet", "weather", "holidays"):
        write_city(drawn, data, [name])
    found = []
    for _ in range(2):
        assert step(*INGEST, **ingest_values(json.dumps([str(data)]))) == 0
        [examples] = output(tmp_path)["artifacts"]["examples"]["artifacts"]
        found.append(examples["metadata"])
        next(data.glob("*holiday*")).write_text("20240501\n")
    assert [metadata["custom:span"] for metadata in found] == [0, 0]
    assert found[0]["input_fingerprint"] != found[1]["input_fingerprint"]
    assert len(found[0]["input_fingerprint"]) == 64


def test_a_crowdflow_error_is_one_line(step, capfd, tmp_path):
    assert step(*INGEST, **ingest_values(str(tmp_path / "nowhere"))) == 1
    errors = capfd.readouterr().err
    expected = f"Error in Step: {tmp_path}/nowhere: no such file or folder."
    assert errors.strip().splitlines()[-1] == expected
    assert "Traceback" not in errors


def test_a_bad_parameter_is_one_line(step, capfd):
    assert step("any.Executor", {"model": SCHEMA}, config='{"training": {}}', training="3") == 1
    errors = capfd.readouterr().err.strip().splitlines()[-1]
    assert errors.startswith("Error in Step: training: expected a JSON object of training settings")


def test_another_error_has_its_traceback(step, capfd):
    assert step("components.nothing.Executor", {"model": SCHEMA}) == 1
    errors = capfd.readouterr().err
    assert "Traceback (most recent call last)" in errors
    assert errors.strip().splitlines()[-1].startswith("Error in Step: ModuleNotFoundError: ")


class Talkative:
    """An executor's stand-in that cannot be made: it logs, and fails with what it logged."""

    Context = types.SimpleNamespace

    def __init__(self, *_):
        logging.getLogger("other.library").warning("GET http://user:s3cr3t@host/")
        raise ValueError("http://user:s3cr3t@host/ does not answer")


def test_no_password_is_in_a_steps_output(step, capfd, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in a process of its own
    monkeypatch.setitem(sys.modules, "talkative", sys.modules[__name__])
    assert step("talkative.Talkative", {"model": SCHEMA}) == 1
    errors = capfd.readouterr().err
    assert "WARNING other.library GET http://***@host/" in errors
    assert errors.endswith("Error in Step: ValueError: http://***@host/ does not answer\n")
    assert "s3cr3t" not in errors
