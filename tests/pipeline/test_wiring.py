"""The wiring of the pipeline, where a setting changes it."""

import pytest
from tfx.proto import infra_validator_pb2
from tfx.utils import proto_utils

from pipeline.config import Config
from pipeline.evaluation import SERVING_TAG
from pipeline.pipeline import create_pipeline


def nodes(**settings):
    config = Config().replace({f"evaluation.{name}": value for name, value in settings.items()})
    pipeline = create_pipeline(
        name="n", root="/r", config=config, data=["d"], serving_folder="/s", checkpoints="/c"
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
    order = list(found)
    assert order.index("Trainer") < order.index("InfraValidator") < order.index("Pusher")
