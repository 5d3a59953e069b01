"""InfraValidator: checks that a real TensorFlow Serving can serve the model."""

from typing import Optional

from tfx import types
from tfx.components import InfraValidator
from tfx.proto import infra_validator_pb2

from crowdflow.config import Config
from crowdflow.schema import features

SERVING_TAG = "2.19.1"  # of tensorflow/serving, here and in deploy/: the newest known tag
_WINDOWS = 3


def infra_validator(
    config: Config, model: types.BaseChannel, windows: types.BaseChannel
) -> Optional[InfraValidator]:
    """The InfraValidator node, or None if it is off (`evaluation.infra_validator`)."""
    where = config.evaluation.infra_validator
    if where == "off":
        return None
    spec = infra_validator_pb2.ServingSpec(
        tensorflow_serving=infra_validator_pb2.TensorFlowServing(tags=[SERVING_TAG])
    )
    if where == "docker":
        spec.local_docker.SetInParent()
    else:
        spec.kubernetes.SetInParent()
    requests = infra_validator_pb2.RequestSpec(
        tensorflow_serving=infra_validator_pb2.TensorFlowServingRequestSpec(
            signature_names=[features.EXAMPLES_SIGNATURE]
        ),
        split_name="test",
        num_examples=_WINDOWS,
    )
    return InfraValidator(model=model, serving_spec=spec, examples=windows, request_spec=requests)
