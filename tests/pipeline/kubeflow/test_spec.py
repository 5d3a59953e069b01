"""The compiled spec: golden file, kfp, and what completes it."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from crowdflow.config import Resources
from crowdflow.pipeline.kubeflow.spec import (
    SHOWN,
    complete_spec,
    component,
    container,
    containers,
    tasks,
)

GOLDEN = Path(__file__).with_name("golden.yaml")
FINGERPRINT = re.compile(r"(code_fingerprint\W+|^)[0-9a-f]{16}\b")
ZEROS = "0" * 16


def normalised(value: Any) -> Any:
    """A spec without what commits and stacks change: fingerprints, the libraries of each node, TFX's version."""
    if isinstance(value, dict):
        out = {name: normalised(inside) for name, inside in value.items()}
        for name in ("code_fingerprint", "libraries"):
            if "runtimeValue" in out.get(name, {}):
                out[name]["runtimeValue"]["constant"] = ZEROS
        if "sdkVersion" in out:
            assert re.fullmatch(r"tfx-1\.\d+\.\d+", out["sdkVersion"])
            out["sdkVersion"] = f"tfx-{ZEROS}"
        return out
    if isinstance(value, list):
        return [normalised(inside) for inside in value]
    return FINGERPRINT.sub(rf"\g<1>{ZEROS}", value) if isinstance(value, str) else value


def test_compiled_spec_is_the_golden_one(documents, tmp_path):
    """A change that is meant: copy the file that the failure names over golden.yaml, and read the difference."""
    found, new = [normalised(document) for document in documents], tmp_path / "golden.yaml"
    new.write_text(yaml.safe_dump_all(found, sort_keys=True), encoding="utf-8")
    assert list(yaml.safe_load_all(GOLDEN.read_text(encoding="utf-8"))) == found, new


def test_golden_spec_has_no_fingerprint():
    assert set(re.findall(r"\b[0-9a-f]{16}\b", GOLDEN.read_text(encoding="utf-8"))) == {ZEROS}


def test_kfp_loads_the_file(config, tmp_path):
    from kfp import components

    from crowdflow.pipeline.kubeflow.compiling import compile_to

    path = tmp_path / "pipeline.yaml"
    compile_to(config, path)
    loaded = components.load_component_from_file(str(path))
    assert loaded.pipeline_spec.schema_version == "2.1.0"
    assert set(loaded.component_spec.inputs) == {
        "data",
        "training",
        "naive_margin",
        "pushed_tolerance",
        "last_date",
    }
    assert json.loads(loaded.component_spec.inputs["data"].default) == ["/mnt/crowdflow/flows"]
    assert loaded.component_spec.inputs["pushed_tolerance"].default == 0.02
    assert "kubernetes" in loaded.platform_spec.platforms
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# PIPELINE DEFINITION\n# Name: crowdflow-tiny-city\n")
    assert "&id" not in text  # YAML aliases, which not every reader knows
    assert [entry.name for entry in tmp_path.iterdir()] == ["pipeline.yaml"]


def test_limits_and_accelerator(spec):
    limits = {task: found["resources"] for task, found in containers(spec)}
    for task in ("Trainer", "Refit"):
        assert limits.pop(task) == {
            "cpuLimit": 4.0,
            "memoryLimit": 8.0,
            "accelerator": {"type": "nvidia.com/gpu", "count": "1"},
        }
    assert limits.pop("FlowExampleGen") == {"cpuLimit": 8.0, "memoryLimit": 32.0}
    assert len(limits) >= 10
    assert all(found == {"cpuLimit": 2.0, "memoryLimit": 4.0} for found in limits.values())


def test_parameters_reach_their_readers(spec):
    def readers(name):
        wanted = {"componentInputParameter": name}
        return {
            (task, inside)
            for task, entry in tasks(spec).items()
            for inside, source in entry.get("inputs", {}).get("parameters", {}).items()
            if source == wanted
        }

    assert readers("data") == {("FlowExampleGen", "paths"), ("FlowReportGen", "data")}
    expected = {
        "training": ("Trainer", "Refit", "FlowReportGen"),
        "naive_margin": ("Evaluator", "FlowReportGen"),
        "pushed_tolerance": ("Evaluator", "Refit", "FlowReportGen"),
    }
    expected["last_date"] = ("WindowGen", "Trainer", "Refit", "FlowReportGen")
    for name, tasks_that_read in expected.items():
        assert readers(name) == {(task, name) for task in tasks_that_read}


def test_containers_know_their_task(spec):
    for task, found in containers(spec):
        options = dict(zip(found["args"][::2], found["args"][1::2]))
        outputs = component(spec, task)["outputDefinitions"]["artifacts"]
        assert found["command"] == ["python", "-m", "crowdflow.pipeline.kubeflow.entrypoint"]
        assert options["--node"] == task
        assert options["--outputs"].split(",") == sorted(
            outputs.keys() - SHOWN.get(task, {}).keys()
        )
        declared = component(spec, task).get("inputDefinitions", {})
        assert json.loads(options["--json_serialized_inputs_spec_args"]) == declared


def test_every_container_mounts_the_volume(documents):
    _, platform = documents
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors) == set(documents[0]["deploymentSpec"]["executors"])
    claims = [{"constant": "crowdflow", "mountPath": "/mnt/crowdflow"}]
    assert all(entry["pvcMount"] == claims for entry in executors.values())


def test_containers_have_their_variables_and_secrets(config):
    from crowdflow.pipeline.kubeflow.compiling import compile_documents

    spec, platform = compile_documents(
        config.replace(
            {
                "kubeflow.volumes": [],
                "kubeflow.serving_folder": "s3://city/serving/crowdflow/",
                "kubeflow.checkpoints": "gs://city/checkpoints",
                "kubeflow.environment": ["AWS_ENDPOINT_URL=http://minio:9000", "EMPTY="],
                "kubeflow.secrets": ["AWS_ACCESS_KEY_ID=minio/accesskey"],
                "paths.data": ["s3://city/flows"],
            }
        )
    )
    for task in tasks(spec):
        assert container(spec, task)["env"] == [
            {"name": "AWS_ENDPOINT_URL", "value": "http://minio:9000"},
            {"name": "EMPTY", "value": ""},
        ]
    secret = {"secretKey": "accesskey", "envVar": "AWS_ACCESS_KEY_ID"}
    given = {"secretAsEnv": [{"secretName": "minio", "keyToEnv": [secret]}]}
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors) == set(spec["deploymentSpec"]["executors"])
    assert all(entry.items() >= given.items() for entry in executors.values())
    values = tasks(spec)["LastPushedModel"]["inputs"]["parameters"]
    assert values["serving_folder"]["runtimeValue"]["constant"] == "s3://city/serving/crowdflow"
    parsed = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())  # it knows every field
    assert parsed.deployment_spec["executors"]


def test_completing_changes_nothing_given(spec):
    before = copy.deepcopy(spec)
    limits = {task: Resources(1, 1) for task in tasks(spec)}
    complete_spec(
        spec,
        parameters={},
        resources=limits,
        uncached=["Trainer"],
        libraries=dict.fromkeys(limits, "0"),
        retries=1,
    )
    assert spec == before


def test_completing_needs_limits_of_every_task(spec):
    with pytest.raises(KeyError, match="Trainer"):
        limits = {task: Resources(1, 1) for task in tasks(spec) if task != "Trainer"}
        hashes = dict.fromkeys(tasks(spec), "0")
        complete_spec(
            spec,
            parameters={},
            resources=limits,
            uncached=[],
            libraries=hashes,
            retries=1,
        )
    assert container(spec, "Trainer")
