"""InfraValidator: checks that a real TensorFlow Serving can serve the model."""

from typing import Optional

from tfx import v1 as tfx

from crowdflow.config import Config
from crowdflow.schema import features

SERVING_TAG = "2.19.1"  # of tensorflow/serving, here and in deploy/: the newest known tag
_WINDOWS = 3


def infra_validator(
    config: Config, model: tfx.types.BaseChannel, windows: tfx.types.BaseChannel
) -> Optional[tfx.components.InfraValidator]:
    """The InfraValidator node, or None if it is off (`evaluation.infra_validator`)."""
    where = config.evaluation.infra_validator
    if where == "off":
        return None
    spec = tfx.proto.ServingSpec(tensorflow_serving=tfx.proto.TensorFlowServing(tags=[SERVING_TAG]))
    if where == "docker":
        spec.local_docker.SetInParent()
    else:
        spec.kubernetes.SetInParent()
    requests = tfx.proto.RequestSpec(
        tensorflow_serving=tfx.proto.TensorFlowServingRequestSpec(
            signature_names=[features.EXAMPLES_SIGNATURE]
        ),
        split_name="test",
        num_examples=_WINDOWS,
    )
    return tfx.components.InfraValidator(
        model=model, serving_spec=spec, examples=windows, request_spec=requests
    )
