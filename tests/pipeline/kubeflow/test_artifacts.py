"""A step's artifacts and parameters, against TFX's own way from the ExecutorInput to the ExecutorOutput."""

import json

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as reference
from tfx.orchestration.portable import outputs_utils
from tfx.types import standard_artifacts

from crowdflow.components.artifacts import FlowCounters
from crowdflow.pipeline.kubeflow import artifacts


def schema(title: str) -> dict:
    return {"instanceSchema": f"title: {title}\ntype: object\n"}


GIVEN = {
    "examples": {
        "name": "projects/7",
        "uri": "/s3/bucket/examples",
        "type": schema("tfx.Examples"),
        "metadata": {
            "span": 3,
            "version": 4.0,
            "split_names": '["train", "eval"]',
            "custom:span": 20000,
            "payload_format": "FORMAT_TF_EXAMPLE",
            "display_name": "examples",
            "nested": {"a": [1, 2.5, None], "b": True},
        },
    },
    "model": {"name": "8", "uri": "/gcs/m", "type": {"schemaTitle": "tfx.Model"}},
    "counters": {"uri": "/x", "type": schema("crowdflow.FlowCounters"), "metadata": {"blessed": 1}},
}


def both(given: dict) -> tuple[dict, dict, dict, dict]:
    """The artifacts by ours and by TFX's way, each with the names by number."""
    entries = {key: {"artifacts": [one]} for key, one in given.items()}
    message = json_format.Parse(
        json.dumps({"inputs": {"artifacts": entries}}), pipeline_spec_pb2.ExecutorInput()
    )
    ours, theirs = {}, {}
    return (
        artifacts.parse_artifacts(entries, ours),
        reference.parse_raw_artifact_dict(message.inputs.artifacts, theirs),
        ours,
        theirs,
    )


def test_artifacts_are_tfx_s():
    ours, theirs, our_names, their_names = both(GIVEN)
    assert our_names == their_names and set(our_names.values()) == {"projects/7", "8"}
    assert ours.keys() == theirs.keys() == GIVEN.keys()
    for key in GIVEN:
        [one], [other] = ours[key], theirs[key]
        assert type(one) is type(other)
        assert one.mlmd_artifact == other.mlmd_artifact, key
    [examples], [counters] = ours["examples"], ours["counters"]
    assert (examples.span, examples.version) == (3, 4)
    assert examples.get_int_custom_property("span") == 20000
    assert counters.get_int_custom_property("blessed") == 1
    assert type(counters) is FlowCounters


def test_the_output_is_tfx_s():
    made = []
    for found, names, tag in (
        (*both(GIVEN)[::2], lambda _: None),
        (*both(GIVEN)[1::2], outputs_utils.tag_output_artifacts_with_version),
    ):
        [examples], [model] = found["examples"], found["model"]
        examples.split_names = '["all"]'
        examples.set_int_custom_property("span", 5)
        examples.set_float_custom_property("share", 0.25)
        examples.set_json_value_custom_property("list", ["a", 1.5])
        blessing = standard_artifacts.ModelBlessing()
        blessing.uri = "/s3/blessing"
        blessing.set_int_custom_property("current_model_id", model.id)
        blessing.set_int_custom_property("baseline_model_id", examples.id)
        found["blessing"] = [blessing]
        tag(found)
        made.append((found, names))
    (ours, our_names), (theirs, their_names) = made
    reference.refactor_model_blessing(theirs["blessing"][0], their_names)
    expected = {
        key: json_format.MessageToDict(entry)
        for key, entry in reference.translate_executor_output(theirs, their_names).items()
    }
    found = artifacts.to_output(ours, our_names)["artifacts"]
    assert found == expected
    [blessing] = found["blessing"]["artifacts"]
    assert blessing["metadata"]["current_model_id"] == "8"


def test_parameters_are_tfx_s():
    values = {"text": "{}", "format": 6, "share": 0.1}
    kinds = {"text": "STRING", "format": "NUMBER_INTEGER", "share": "NUMBER_DOUBLE"}
    declared = {name: {"parameterType": kind} for name, kind in kinds.items()}
    message = json_format.ParseDict(
        {"inputs": {"parameterValues": values}}, pipeline_spec_pb2.ExecutorInput()
    )
    spec = json_format.ParseDict({"parameters": declared}, pipeline_spec_pb2.ComponentInputsSpec())
    expected = reference.parse_execution_properties(message.inputs.parameter_values, {}, spec)
    found = artifacts.parse_parameters(values, declared)
    assert found == expected
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in expected.items()
    }
