"""An HTTP server that answers as Kubeflow Pipelines' API does, and records what it was asked."""

import dataclasses
import email
import email.policy
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

API = "/apis/v2beta1"


@dataclasses.dataclass(frozen=True)
class Request:
    """A request: method, path without the API's part, query, headers, and the body, parsed."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Recorder:
    """The server.

    `pipelines` and `recurring` are what it has already, `refusal` what it answers to uploads, and `states` the
    answers to those who ask for a run.
    """

    def __init__(self):
        self.requests: list[Request] = []
        self.pipelines: list[dict] = []
        self.recurring: list[dict] = []
        self.states = ["SUCCEEDED"]
        self.refusal: tuple[int, dict] | None = None
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def _handle(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                request = recorder.record(
                    self.command, self.path, self.headers, self.rfile.read(size)
                )
                status, answer = recorder.answer(request)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = _handle

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def record(self, method: str, target: str, headers: Any, raw: bytes) -> Request:
        parts = urlsplit(target)
        assert parts.path.startswith(API), target
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        kind, body = headers.get("Content-Type", ""), None
        if kind.startswith("multipart/form-data"):
            policy = email.policy.HTTP
            message = email.message_from_bytes(
                f"Content-Type: {kind}\r\n\r\n".encode() + raw, policy=policy
            )
            body = {part.get_filename(): part.get_content() for part in message.iter_parts()}
        elif raw:
            body = json.loads(raw)
        request = Request(method, parts.path[len(API) :], query, dict(headers), body)
        self.requests.append(request)
        return request

    def answer(self, request: Request) -> tuple[int, dict]:
        """Status and body; the paths are those of the v2beta1 API."""
        call = (request.method, request.path)
        if call == ("GET", "/healthz"):
            return 200, {"multi_user": False}
        if call == ("GET", "/pipelines"):
            wanted = json.loads(request.query["filter"])["predicates"][0]
            name = wanted["stringValue"]
            return 200, {"pipelines": [p for p in self.pipelines if p["display_name"] == name]}
        if call in (("POST", "/pipelines/upload"), ("POST", "/pipelines/upload_version")):
            if self.refusal:
                return self.refusal
            version = {"pipeline_id": "p-1", "pipeline_version_id": "v-1"}
            return 200, {**version, "display_name": request.query["name"]}
        if call == ("GET", "/pipelines/p-1/versions"):
            return 200, {
                "pipeline_versions": [{"pipeline_id": "p-1", "pipeline_version_id": "v-1"}]
            }
        if call == ("GET", "/experiments"):
            return 200, {"experiments": []}
        if call == ("POST", "/experiments"):
            return 200, {**request.body, "experiment_id": "e-1"}
        if call == ("POST", "/runs"):
            return 200, {**request.body, "run_id": "r-1"}
        if call == ("GET", "/runs/r-1"):
            return 200, {"run_id": "r-1", "state": self.states.pop(0)}
        if call == ("GET", "/recurringruns"):
            return 200, {"recurringRuns": self.recurring}
        if call == ("POST", "/recurringruns"):
            return 200, {**request.body, "recurring_run_id": "rr-1"}
        if request.method == "POST" and request.path.endswith(":disable"):
            return 200, {}
        return 404, {"message": f"no such call: {call}"}

    def sent(self, method: str, path: str) -> list[Request]:
        """The requests of one call."""
        return [r for r in self.requests if (r.method, r.path) == (method, path)]
