"""The gRPC interface: PredictionService's Predict and GetModelMetadata, ModelService's GetModelStatus."""

from concurrent import futures

import grpc
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from standin.errors import ServingError
from standin.handler import Handler

WORKERS = 16
MESSAGE_LIMIT = 1024  # of an error's text, as in the server
OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # a port that is taken is an error
)


def serve(handler: Handler, port: int) -> tuple[grpc.Server, int]:
    """Starts a server on the loopback interface.

    Args:
      handler: answers the requests.
      port: 0 for a free one.

    Returns:
      The running server and its port.

    Raises:
      RuntimeError: the port is taken.
    """
    server = grpc.server(futures.ThreadPoolExecutor(WORKERS), options=OPTIONS)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Prediction(handler), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(handler), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, handler: Handler):
        self._handler = handler

    def Predict(self, request, context):  # noqa: N802
        try:
            response = self._handler.predict(request)
        except ServingError as error:
            self._handler.count(request.model_spec.name, error)
            _abort(context, error)
        self._handler.count(request.model_spec.name, None)
        return response

    def GetModelMetadata(self, request, context):  # noqa: N802
        try:
            return self._handler.metadata(request)
        except ServingError as error:
            _abort(context, error)


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, handler: Handler):
        self._handler = handler

    def GetModelStatus(self, request, context):  # noqa: N802
        try:
            return self._handler.status(request)
        except ServingError as error:
            _abort(context, error)


def _abort(context, error: ServingError) -> None:
    message = error.message
    if len(message) > MESSAGE_LIMIT:
        message = message[:MESSAGE_LIMIT] + "...TRUNCATED"
    context.abort(error.code, message)
