"""Every rule holds for the compiled spec, and fails on one that breaks it."""

import pytest

from crowdflow.pipeline.kubeflow import checks
from crowdflow.pipeline.kubeflow.spec import component, container, tasks
from crowdflow.schema.errors import ConfigError


def set_version(spec):
    spec["schemaVersion"] = "2.0.0"


def add_resolver(spec):
    spec["deploymentSpec"]["executors"]["Trainer_executor"] = {"resolver": {}}


def add_lifecycle(spec):
    container(spec, "FlowExampleGen")["lifecycle"] = {"preCacheCheck": {"command": ["true"]}}


def loosen_image(spec):
    container(spec, "Pusher")["image"] = "registry:5000/crowdflow"


def unknown_producer(spec):
    source = tasks(spec)["Trainer"]["inputs"]["artifacts"]["examples"]
    source["taskOutputArtifact"]["producerTask"] = "Nobody"


def unknown_output(spec):
    source = tasks(spec)["Trainer"]["inputs"]["artifacts"]["examples"]
    source["taskOutputArtifact"]["outputArtifactKey"] = "nothing"


def unbound_parameter(spec):
    del tasks(spec)["Trainer"]["inputs"]["parameters"]["run_fn"]


def unknown_parameter(spec):
    given = tasks(spec)["Trainer"]["inputs"]["parameters"]
    given["training"] = {"componentInputParameter": "traning"}


def undeclared_parameter(spec):
    del component(spec, "Trainer")["inputDefinitions"]["parameters"]["run_fn"]


def lose_default(spec):
    del spec["root"]["inputDefinitions"]["parameters"]["data"]["defaultValue"]


def lose_resources(spec):
    del container(spec, "FlowExampleGen")["resources"]


def no_memory(spec):
    container(spec, "FlowSchema")["resources"]["memoryLimit"] = 0


def lose_gpu(spec):
    del container(spec, "Trainer")["resources"]["accelerator"]


def misplace_gpu(spec):
    accelerator = {"type": "nvidia.com/gpu", "count": "1"}
    container(spec, "Evaluator")["resources"]["accelerator"] = accelerator


def cache_outside(spec):
    tasks(spec)["LastPushedModel"]["cachingOptions"] = {"enableCache": True}


def local_argument(spec):
    container(spec, "Trainer")["args"].append("--temp_location=/tmp/beam")


def local_in_json(spec):
    given = tasks(spec)["Trainer"]["inputs"]["parameters"]
    given["train_args"]["runtimeValue"]["constant"] = '{"folder": "/home/someone/city"}'


def local_file_uri(spec):
    given = tasks(spec)["LastPushedModel"]["inputs"]["parameters"]
    given["serving_folder"]["runtimeValue"]["constant"] = "file:///mnt/crowdflow/serving"


def local_default(spec):
    spec["root"]["inputDefinitions"]["parameters"]["data"]["defaultValue"] = '["../city"]'


def local_next_to_the_volume(spec):
    given = tasks(spec)["LastPushedModel"]["inputs"]["parameters"]
    given["serving_folder"]["runtimeValue"]["constant"] = "/mnt/crowdflow/../serving"


BREAKS = {
    set_version: (checks.schema_version, "'2.0.0'"),
    add_resolver: (checks.only_containers, "Trainer_executor.*resolver"),
    add_lifecycle: (checks.no_lifecycle, "FlowExampleGen"),
    loosen_image: (checks.image_is_fixed, "Pusher.*registry:5000/crowdflow"),
    unknown_producer: (checks.inputs_are_bound, "Trainer.examples"),
    unknown_output: (checks.inputs_are_bound, "Trainer.examples"),
    unbound_parameter: (checks.inputs_are_bound, "Trainer.run_fn"),
    unknown_parameter: (checks.inputs_are_bound, "Trainer.training"),
    undeclared_parameter: (checks.inputs_are_bound, "Trainer.run_fn: given"),
    lose_default: (checks.parameters_have_defaults, "data"),
    lose_resources: (checks.resources_are_set, "FlowExampleGen.*cpuLimit"),
    no_memory: (checks.resources_are_set, "FlowSchema.*memoryLimit"),
    lose_gpu: (checks.trainer_has_its_gpus, "Trainer.*none"),
    misplace_gpu: (checks.trainer_has_its_gpus, "Evaluator: expected 0"),
    cache_outside: (checks.outside_is_not_cached, "LastPushedModel"),
    local_argument: (checks.no_local_path, "/tmp/beam"),
    local_in_json: (checks.no_local_path, "/home/someone/city"),
    local_file_uri: (checks.no_local_path, "file:///mnt/crowdflow/serving"),
    local_default: (checks.no_local_path, r"\.\./city"),
    local_next_to_the_volume: (checks.no_local_path, r"/mnt/crowdflow/\.\./serving"),
}


def test_compiled_spec_keeps_every_rule(spec, expected):
    checks.check_spec(spec, expected)


@pytest.mark.parametrize("rule", checks.RULES, ids=lambda rule: rule.__name__)
def test_every_rule_is_broken_by_a_test(rule):
    assert rule in [broken for broken, _ in BREAKS.values()]


@pytest.mark.parametrize("break_it", BREAKS, ids=lambda function: function.__name__)
def test_broken_rule_is_reported(spec, expected, break_it):
    break_it(spec)
    rule, message = BREAKS[break_it]
    lines = list(rule(spec, expected))
    assert lines
    assert all("\n" not in line for line in lines)
    with pytest.raises(ConfigError, match=message):
        checks.check_spec(spec, expected)


@pytest.mark.parametrize(
    "text",
    ["s3://bucket/key", "gs://b/k", "and/or", "a: {{$}}", "trips / day", "/mnt/crowdflow", "x/y"],
)
def test_no_local_path_lets_pass(spec, expected, text):
    container(spec, "Trainer")["args"].append(text)
    assert list(checks.no_local_path(spec, expected)) == []
