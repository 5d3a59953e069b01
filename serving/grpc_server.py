"""TensorFlow Serving's gRPC API, through `tensorflow-serving-api` (which imports TensorFlow: seconds)."""

import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from crowdflow.schema.errors import ConfigError, ServingError
from crowdflow.schema.secrets import without_secrets
from crowdflow.serving import credentials
from crowdflow.serving.transport import Options, require_outputs

_SCHEMES = ("grpc", "grpcs")
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
          address: `host:port` or `grpc://host:port`, or with TLS `grpcs://host:port`.
          **options: of `serving.Options`.

        Raises:
          ConfigError: it is no such address, or the options do not fit it.
        """
        found = credentials.parse(address if "://" in address else f"grpc://{address}", _SCHEMES)
        self._url, self._options = found.url, Options(**options)
        self._options.check(found)
        if found.login:
            raise ConfigError(f"{found.url}: expected a token, as gRPC has no user and password.")
        # A proxy cannot reach this machine's loopback interface, and would see the token.
        settings = [*_CHANNEL, ("grpc.enable_http_proxy", int(not found.is_local))]
        if found.is_encrypted:
            trusted = credentials.roots(self._options.ca_file)
            pem = Path(trusted).read_bytes() if trusted else None
            channel = grpc.secure_channel(found.place, grpc.ssl_channel_credentials(pem), settings)
        else:
            channel = grpc.insecure_channel(found.place, settings)
        self._channel = channel
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def predict(
        self, inputs: Mapping[str, np.ndarray], signature: str, outputs: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """See `Transport`."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._options.name
        request.model_spec.signature_name = signature
        request.output_filter.extend(outputs)
        if self._options.version is not None:
            request.model_spec.version.value = self._options.version
        if self._options.label:
            request.model_spec.version_label = self._options.label
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        found = self._ask(request).outputs
        require_outputs(self._url, outputs, found)
        return {name: tf.make_ndarray(found[name]) for name in outputs}

    def _ask(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """Retries while no server answers or it is not ready; a forecast has no side effects."""
        for attempt in itertools.count():
            token = self._options.current_token()
            metadata = [("authorization", f"Bearer {token}")] if token else None
            try:
                return self._stub.Predict(request, timeout=self._options.timeout, metadata=metadata)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE or attempt == self._options.retries:
                    message = f"{self._url}: {error.code().name} {error.details()}"
                    raise ServingError(without_secrets(message, token)) from None
            time.sleep(_FIRST_WAIT * 2**attempt)
