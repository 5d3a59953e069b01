r"""Stands in for TensorFlow Serving's `tensorflow_model_server`, which no package registry has.

For tests and benchmarks only: it answers gRPC and REST requests on the loopback interface as the binary does, with
Python's TensorFlow inside. As a command it prints `{"grpc": port, "rest": port}` on a line when it is ready:

    python tests/standin/server.py --model_name=crowdflow --model_base_path=DIR --port=8500 \
        --rest_api_port=8501

In a test (see `tests/conftest.py` for the import):

    from standin import server

    with server.running(folder, file_system_poll_wait_seconds=0.1) as standin:
        channel = grpc.insecure_channel(standin.target)
        requests.post(f"{standin.url}:predict", json=...)

What it does not emulate:
  Speed and resources: no C++, one interpreter lock for all requests, no batching, no TFRT; the graph itself runs
    as fast. JSON is written without the server's line breaks.
  Start: it listens at once. The binary listens when every model has a version, and ends with an error when the
    wanted one fails to load. Here the next older one that loads is served meanwhile, and a failed one is tried
    again when its files change; the binary retries five times, a minute apart, and then no more.
  Shapes: an input of the wrong shape is refused with INVALID_ARGUMENT before the graph runs. The binary lets the
    graph judge: mostly the same code with another message, now and then an answer.
  Texts: `arg[i]` in the message on a wrong type counts the inputs by name; words and offsets of JSON parse errors
    are near RapidJSON's; the literal `Inf` (not `Infinity`) is an error.
  Absent: Classify, Regress, MultiInference, ReloadConfig and polling of the configuration file, TLS, request logs,
    chunked request bodies, defaults of signatures, and every flag that `--help` does not list. The metrics need no
    `--monitoring_config_file` and are one counter.
"""

import argparse
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

if (
    __name__ == "__main__"
):  # the folder above in the place of this one, whose module names are common
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from standin import grpc_server
from standin.handler import Handler
from standin.rest import RestServer
from standin.versions import Model

START_SECONDS = 120


class Running(NamedTuple):
    """A server that is up.

    Attributes:
      grpc: port.
      rest: port.
      name: the model's.
      process: the command's, where it is one.
      handler: the server's own, where it runs in this process.
    """

    grpc: int
    rest: int
    name: str
    process: subprocess.Popen | None = None
    handler: Handler | None = None

    @property
    def target(self) -> str:
        """For `grpc.insecure_channel`."""
        return f"127.0.0.1:{self.grpc}"

    @property
    def url(self) -> str:
        """The model's REST address, to be followed by `:predict` and the like."""
        return f"http://127.0.0.1:{self.rest}/v1/models/{self.name}"

    def states(self) -> dict[int, str]:
        """The state of every version that the server knows, by number."""
        try:
            with urllib.request.urlopen(self.url, timeout=10) as answer:
                listed = json.load(answer)["model_version_status"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return {}
            raise
        return {int(status["version"]): status["state"] for status in listed}

    def wait_for(self, version: int, state: str = "AVAILABLE", timeout: float = 20) -> None:
        """Waits until a version is in a state.

        Raises:
          TimeoutError: it is not, with the states that there are.
        """
        until = time.monotonic() + timeout
        while (states := self.states()).get(version) != state:
            if time.monotonic() > until:
                raise TimeoutError(f"version {version} is not {state} but {states}")
            time.sleep(0.02)


@contextmanager
def running(base_path: Path | str, name: str = "crowdflow", **flags: Any) -> Iterator[Running]:
    """A server within this process, on free ports, that has looked at the folder once.

    Args:
      base_path: the folder of version folders.
      name: the model's.
      **flags: of the command, such as `file_system_poll_wait_seconds=0.1`.

    Yields:
      What one needs to call it.
    """
    with _serving(_parse(_command_line(base_path, name, flags))) as (ports, handler):
        yield Running(**ports, name=name, handler=handler)


@contextmanager
def process(base_path: Path | str, name: str = "crowdflow", **flags: Any) -> Iterator[Running]:
    """The command as a process of its own, ready; see `running`.

    Raises:
      RuntimeError: it did not start, with what it printed.
    """
    command = [sys.executable, __file__, *_command_line(base_path, name, flags)]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}
    with tempfile.TemporaryFile("w+") as errors:
        started = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
        watchdog = threading.Timer(START_SECONDS, started.kill)
        watchdog.start()
        try:
            line = started.stdout.readline()
            watchdog.cancel()
            if not line:
                started.wait()
                errors.seek(0)
                raise RuntimeError(f"The stand-in did not start: {errors.read()[-2000:]}")
            yield Running(**json.loads(line), name=name, process=started)
        finally:
            watchdog.cancel()
            started.terminate()
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
            started.stdout.close()


def _command_line(base_path: Path | str, name: str, flags: dict[str, Any]) -> list[str]:
    flags = {"port": 0, "rest_api_port": 0, **flags}
    if "model_config_file" not in flags:
        flags |= {"model_name": name, "model_base_path": base_path}
    return [f"--{flag}={value}" for flag, value in flags.items()]


def _parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The flags, by the binary's names."""
    parser = argparse.ArgumentParser(
        description="Stands in for tensorflow_model_server in tests and benchmarks.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--port", type=int, default=8500, help="gRPC port, 0 for a free one")
    add("--rest_api_port", type=int, default=0, help="HTTP port, 0 for a free one")
    add("--model_name", default="default", help="what clients call the model")
    add("--model_base_path", type=Path, help="folder of numeric version folders")
    add("--model_config_file", type=Path, help="text ModelServerConfig, instead of the two above")
    add("--file_system_poll_wait_seconds", type=float, default=1, help="0 looks once")
    add(
        "--allow_version_labels_for_unavailable_models",
        type=lambda text: text.lower() in ("true", "1"),
        default=False,
        help="without it labels are refused, as nothing is loaded when they are read",
    )
    flags = parser.parse_args(arguments)
    if (flags.model_base_path is None) == (flags.model_config_file is None):
        parser.error("one of --model_base_path and --model_config_file is needed")
    return flags


def _models(flags: argparse.Namespace) -> dict[str, Model]:
    """The models to serve.

    Raises:
      ValueError: the configuration file says nothing that can be served.
      OSError: it cannot be read.
    """
    if flags.model_config_file is None:
        return {flags.model_name: Model(flags.model_name, flags.model_base_path)}
    config = model_server_config_pb2.ModelServerConfig()
    try:
        text_format.Parse(flags.model_config_file.read_text(encoding="utf-8"), config)
    except text_format.ParseError as error:
        raise ValueError(f"Invalid protobuf file: '{flags.model_config_file}': {error}") from error
    models = {}
    for entry in config.model_config_list.config:
        if entry.model_platform != "tensorflow":
            raise ValueError(
                f"Model {entry.name} requests unsupported platform {entry.model_platform}"
            )
        for version in entry.version_labels.values():
            if not flags.allow_version_labels_for_unavailable_models:
                raise ValueError(
                    f"Request to assign label to version {version} of model {entry.name}, "
                    "which is not currently available for inference"
                )
        policy, labels = entry.model_version_policy, entry.version_labels
        models[entry.name] = Model(entry.name, Path(entry.base_path), policy, labels)
    if not models:
        raise ValueError(f"{flags.model_config_file} names no model")
    return models


@contextmanager
def _serving(flags: argparse.Namespace) -> Iterator[tuple[dict[str, int], Handler]]:
    models = _models(flags)
    for model in models.values():
        model.poll()
    handler = Handler(models)
    stop = threading.Event()
    rpc, port = grpc_server.serve(handler, flags.port)
    try:
        http = RestServer(handler, flags.rest_api_port)
    except OSError:
        rpc.stop(None).wait()
        raise
    threads = [threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)]
    if flags.file_system_poll_wait_seconds > 0:
        arguments = (models, flags.file_system_poll_wait_seconds, stop)
        threads.append(threading.Thread(target=_watch, args=arguments, daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield {"grpc": port, "rest": http.port}, handler
    finally:
        stop.set()
        http.shutdown()
        http.server_close()
        rpc.stop(None).wait()
        for thread in threads:
            thread.join()
        for model in models.values():
            model.close()


def _watch(models: dict[str, Model], seconds: float, stop: threading.Event) -> None:
    while not stop.wait(seconds):
        for model in models.values():
            model.poll()


def main() -> None:
    """Serves until it is told to stop."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with _serving(_parse()) as (ports, _):
            gc.freeze()  # TensorFlow's objects are not gone through again: a collection of them takes 200 ms
            print(json.dumps(ports), flush=True)
            stop.wait()
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"Failed to start server. Error: {error}")


if __name__ == "__main__":
    main()
