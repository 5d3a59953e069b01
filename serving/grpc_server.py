"""TensorFlow Serving's gRPC API, through `tensorflow-serving-api` (which imports TensorFlow: seconds)."""

import json
from collections.abc import Mapping

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from components.errors import ServingError
from pipeline.root import MODEL_NAME

_ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_FIRST_WAIT, _LONGEST_WAIT = "0.2s", "5s"
_MOST_ATTEMPTS = 5  # gRPC's own limit


class GrpcServer:
    """A transport over gRPC; see `serving.transport`."""

    def __init__(
        self,
        address: str,
        name: str = MODEL_NAME,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 30.0,
        retries: int = 4,
    ):
        """Asks nothing yet. See `serving.transport.connect`; `address` is `host:port`."""
        self._address, self._timeout = address, timeout
        self._name, self._version, self._label = name, version, label
        options = [*_ANY_SIZE, ("grpc.enable_retries", int(retries > 0))]
        if retries:
            options.append(("grpc.service_config", _service_config(retries)))
        self._channel = grpc.insecure_channel(address, options)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def predict(self, inputs: Mapping[str, np.ndarray], signature: str, output: str) -> np.ndarray:
        """See `Transport`."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._name
        request.model_spec.signature_name = signature
        request.output_filter.append(output)
        if self._version is not None:
            request.model_spec.version.value = self._version
        if self._label:
            request.model_spec.version_label = self._label
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        try:
            answer = self._stub.Predict(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise ServingError(
                f"grpc://{self._address}: {error.code().name} {error.details()}"
            ) from None
        return tf.make_ndarray(answer.outputs[output])


def _service_config(retries: int) -> str:
    policy = {
        "maxAttempts": min(retries + 1, _MOST_ATTEMPTS),
        "initialBackoff": _FIRST_WAIT,
        "maxBackoff": _LONGEST_WAIT,
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": policy}]})
