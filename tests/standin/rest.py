"""The REST interface: HTTP/1.1 with connections kept alive, a thread each."""

import gzip
import inspect
import re
import socket
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import grpc
import orjson
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from standin import json_answers
from standin.errors import ServingError, invalid
from standin.handler import SIGNATURE_DEF, Handler
from standin.json_requests import Document

# The option that prints empty fields: protobuf 5 renamed it.
_PRINTER = inspect.signature(json_format.MessageToDict).parameters
_WITH_DEFAULTS = next(
    name
    for name in ("always_print_fields_with_no_presence", "including_default_value_fields")
    if name in _PRINTER
)

METRICS_PATH = "/monitoring/prometheus/metrics"
_MODEL = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<number>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICTION = re.compile(_MODEL + r":(?P<method>classify|regress|predict)", re.IGNORECASE)
_STATUS = re.compile(_MODEL + r"(?:/(?P<metadata>metadata))?", re.IGNORECASE)

# The server's table of codes; what is not in it is 500.
HTTP_CODES = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}


class RestServer(ThreadingHTTPServer):
    """Listens on the loopback interface."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, handler: Handler, port: int):
        """Binds; `serve_forever` answers.

        Args:
          handler: answers the requests.
          port: 0 for a free one.

        Raises:
          OSError: the port is taken.
        """
        self.handler = handler
        super().__init__(("127.0.0.1", port), _Connection)

    @property
    def port(self) -> int:
        """The port in use."""
        return self.server_address[1]

    def server_bind(self) -> None:
        """Binds without HTTPServer's look-up of the host's name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address

    def handle_error(self, request, client_address) -> None:
        """A client that went away is nobody's error."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one piece
    server: RestServer

    def do_GET(self) -> None:  # noqa: N802
        """Status, metadata and metrics."""
        if self.path == METRICS_PATH:
            self._answer(200, self.server.handler.metrics().encode(), "text/plain")
        else:
            self._process("GET", b"")

    def do_POST(self) -> None:  # noqa: N802
        """Predictions."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            self.close_connection = True
            self._answer(411, b"")
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._process("POST", body)

    def log_message(self, format: str, *args) -> None:
        """Nothing: the server logs no requests."""

    def _process(self, method: str, body: bytes) -> None:
        path = self.path.partition("?")[0]
        if not path.lower().startswith("/v1/"):
            self._answer(404, b"")
            return
        try:
            if self.headers.get("Content-Encoding", "") == "gzip":
                body = _gunzip(body)
            code, answer = 200, self._route(method, path, body)
        except ServingError as error:
            code = HTTP_CODES.get(error.code, 500)
            answer = orjson.dumps({"error": error.message})
        self._answer(code, answer)

    def _route(self, method: str, path: str, body: bytes) -> bytes:
        match = (_PREDICTION if method == "POST" else _STATUS).fullmatch(path)
        if match is None:
            raise invalid(f"Malformed request: {method} {path}")
        spec = _model_spec(match)
        if method == "GET" and match["metadata"]:
            return _metadata(self.server.handler, spec)
        if method == "GET":
            return _status(self.server.handler, spec)
        if match["method"].lower() != "predict":
            raise ServingError(
                grpc.StatusCode.UNIMPLEMENTED, f"The stand-in has no {match['method']}"
            )
        return self._predict(spec, body)

    def _predict(self, spec: model_pb2.ModelSpec, body: bytes) -> bytes:
        handler = self.server.handler
        try:
            document = Document(body)
            spec.signature_name = document.signature
            _, outputs = handler.predict_arrays(spec, document.arrays)
            answer = json_answers.dump(outputs, document.is_row)
        except ServingError as error:
            handler.count(spec.name, error)
            raise
        handler.count(spec.name, None)
        return answer

    def _answer(self, code: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response_only(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _model_spec(match: re.Match) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=unquote(match["name"]))
    if match["number"]:
        if int(match["number"]) >= 1 << 63:
            raise invalid(f"Failed to convert version: {match['number']} to numeric.")
        spec.version.value = int(match["number"])
    if match["label"]:
        spec.version_label = unquote(match["label"])
    return spec


def _gunzip(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error) as error:
        raise invalid(f"The body is not gzip: {error}") from error


def _status(handler: Handler, spec: model_pb2.ModelSpec) -> bytes:
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
    return orjson.dumps(_as_dict(handler.status(request)))


def _metadata(handler: Handler, spec: model_pb2.ModelSpec) -> bytes:
    request = get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=spec, metadata_field=[SIGNATURE_DEF]
    )
    response = handler.metadata(request)
    definitions = get_model_metadata_pb2.SignatureDefMap()
    response.metadata[SIGNATURE_DEF].Unpack(definitions)
    value = {
        "model_spec": _as_dict(response.model_spec),
        "metadata": {SIGNATURE_DEF: _as_dict(definitions)},
    }
    return orjson.dumps(value)


def _as_dict(message) -> dict:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, **{_WITH_DEFAULTS: True}
    )
