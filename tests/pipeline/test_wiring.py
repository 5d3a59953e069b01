"""The wiring of the pipeline, where a setting changes it."""

import dataclasses
import json

import pytest
from tfx.proto import infra_validator_pb2
from tfx.utils import dependency_utils, proto_utils

from crowdflow.config import BeamNodes, Config
from crowdflow.config.beam_runner import with_runner
from crowdflow.pipeline.fingerprint import closure
from crowdflow.pipeline.infra_validator import SERVING_TAG
from crowdflow.pipeline.pipeline import CALLED, create_pipeline


def nodes(beam_args=(), **settings):
    """The nodes by name; settings are written `beam__all=[...]`, those of the evaluation without its name."""
    named = {
        n.replace("__", ".") if "__" in n else f"evaluation.{n}": v for n, v in settings.items()
    }
    pipeline = create_pipeline(
        name="n",
        root="/r",
        config=Config().replace(named),
        data=["d"],
        serving_folder="/s",
        checkpoints="/c",
        beam_args=beam_args,
    )
    return {node.id: node for node in pipeline.components}


def spec_of(node, name, message):
    proto_utils.json_to_proto(node.exec_properties[name], message)
    return message


def test_no_infra_validator_unless_asked_for():
    found = nodes()
    assert "InfraValidator" not in found
    assert "infra_blessing" not in found["Pusher"].inputs


@pytest.mark.parametrize(("where", "platform"), [("docker", "local_docker"), ("kubernetes",) * 2])
def test_an_infra_validator_asks_the_model_server_before_a_push(where, platform):
    found = nodes(infra_validator=where)
    validator, pusher = found["InfraValidator"], found["Pusher"]
    serving = spec_of(validator, "serving_spec", infra_validator_pb2.ServingSpec())
    assert serving.WhichOneof("serving_platform") == platform
    assert list(serving.tensorflow_serving.tags) == [SERVING_TAG]
    requests = spec_of(validator, "request_spec", infra_validator_pb2.RequestSpec())
    assert list(requests.tensorflow_serving.signature_names) == ["serving_examples"]
    assert (requests.split_name, requests.num_examples) == ("test", 3)
    assert pusher.inputs["infra_blessing"].producer_component_id == "InfraValidator"
    for node in (validator, pusher):
        assert node.inputs["model"].producer_component_id == "Refit"
    order = list(found)
    assert order.index("Trainer") < order.index("InfraValidator") < order.index("Pusher")


BEAM_NODES = {field.name for field in dataclasses.fields(BeamNodes)}


def beam_options(found):
    specs = {name: node.executor_spec for name, node in found.items()}
    return {n: s.beam_pipeline_args for n, s in specs.items() if hasattr(s, "beam_pipeline_args")}


def test_every_beam_node_has_its_own_options_after_those_of_all_and_before_the_command_line():
    runner = with_runner([])
    assert beam_options(nodes()) == dict.fromkeys(BEAM_NODES, runner)
    found = nodes(
        ["--direct_num_workers=4"],
        beam__all=["--direct_running_mode=multi_processing", "--direct_num_workers=2"],
        beam__nodes__WindowGen=["--direct_num_workers=3"],
    )
    expected = [*runner, "--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    options = beam_options(found)
    assert options.pop("WindowGen") == [
        *expected,
        "--direct_num_workers=3",
        "--direct_num_workers=4",
    ]
    assert options == dict.fromkeys(
        BEAM_NODES - {"WindowGen"}, [*expected, "--direct_num_workers=4"]
    )
    assert beam_options(nodes()) == dict.fromkeys(BEAM_NODES, runner)  # nothing stays behind
    named = nodes(["--runner=FlinkRunner"])
    assert beam_options(named) == dict.fromkeys(BEAM_NODES, ["--runner=FlinkRunner"])


def test_a_beam_node_in_this_process_packs_nothing_for_workers():
    for options in ([], ["--direct_num_workers=2"]):
        named = with_runner(options)
        assert dependency_utils.make_beam_dependency_flags(named) == named


def test_the_range_and_its_history_are_the_ingests_alone():
    without, found = nodes(), nodes(range__weeks=2, range__last_date="2024-05-05")
    sections = {
        name: json.loads(n.exec_properties.get("config", "{}")) for name, n in found.items()
    }
    assert {"range", "windows"} <= sections["FlowExampleGen"].keys()
    assert [n for n in sections if n != "FlowReportGen" and "range" in sections[n]] == [
        "FlowExampleGen"
    ]
    assert "windows" not in json.loads(without["FlowExampleGen"].exec_properties["config"])


def test_a_threshold_of_drift_concerns_drift_and_the_report():
    first, second = nodes(), nodes(drift__sizes=0.5)
    changed = {n for n in first if first[n].exec_properties != second[n].exec_properties}
    assert changed == {"FlowDrift", "FlowReportGen"}


def test_the_live_record_reaches_the_push_the_report_and_the_quantiles_and_no_training():
    found = nodes()
    after = {
        n for n in found if "baseline" in found[n].inputs or "baseline_model" in found[n].inputs
    }
    assert after == {"FlowDrift", "Evaluator", "Refit", "Pusher", "FlowReportGen"}
    assert "crowdflow.storage.live_file" in closure(
        "crowdflow.components.last_pushed_model.executor"
    )
    for node in ("FlowExampleGen", "WindowGen", "Transform", "Trainer", "Evaluator"):
        called = CALLED.get(node) or found[node].executor_spec.executor_class.__module__
        assert not [name for name in closure(called) if "live" in name], node
    assert not [name for name in closure("crowdflow.trainer.refit") if "live" in name]
    changed = nodes(live_slack=0.5, live_tolerance=0.1)
    different = {n for n in found if found[n].exec_properties != changed[n].exec_properties}
    assert different == {"LastPushedModel", "Refit", "FlowReportGen"}


def test_no_nodes_parameters_have_a_variables_value():
    found = nodes(
        kubeflow__environment=["AWS_SECRET_ACCESS_KEY=s3cr3t"],
        beam__all=["--s3_secret_access_key=s3cr3t"],
    )
    kept = {name: str(node.exec_properties) for name, node in found.items()}
    assert [name for name, text in kept.items() if "s3cr3t" in text] == []
    assert "AWS_SECRET_ACCESS_KEY=***" in kept["FlowReportGen"]
    assert "--s3_secret_access_key=s3cr3t" in found["WindowGen"].executor_spec.beam_pipeline_args
