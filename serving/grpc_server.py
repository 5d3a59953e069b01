"""TensorFlow Serving's gRPC API, through `tensorflow-serving-api` (which imports TensorFlow: seconds)."""

import itertools
import time
from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from crowdflow.schema.errors import ServingError
from crowdflow.serving.transport import Options

_FIRST_WAIT = 0.2  # seconds; doubled with every retry
_CHANNEL = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),  # gRPC's own retries end before a server has started
    ("grpc.initial_reconnect_backoff_ms", int(_FIRST_WAIT * 1000)),
]


class GrpcServer:
    """A transport over gRPC; see `serving.transport`."""

    def __init__(self, address: str, **options: Any):
        """Sends no request yet.

        Args:
          address: `host:port`.
          **options: of `serving.Options`.
        """
        self._address, self._options = address, Options(**options)
        self._channel = grpc.insecure_channel(address, _CHANNEL)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def predict(self, inputs: Mapping[str, np.ndarray], signature: str, output: str) -> np.ndarray:
        """See `Transport`."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._options.name
        request.model_spec.signature_name = signature
        request.output_filter.append(output)
        if self._options.version is not None:
            request.model_spec.version.value = self._options.version
        if self._options.label:
            request.model_spec.version_label = self._options.label
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        return tf.make_ndarray(self._ask(request).outputs[output])

    def _ask(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """Retries while no server answers or it is not ready; a forecast has no side effects."""
        for attempt in itertools.count():
            try:
                return self._stub.Predict(request, timeout=self._options.timeout)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE or attempt == self._options.retries:
                    message = f"{error.code().name} {error.details()}"
                    raise ServingError(f"grpc://{self._address}: {message}") from None
            time.sleep(_FIRST_WAIT * 2**attempt)
