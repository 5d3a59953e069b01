"""Serving: the stand-in server against a bare call of the model, REST, gRPC, memory and request building.

    python benchmarks/serving.py --model runs/tiny-city/serving/crowdflow --data runs/tiny-city/data

Without --model it uses the model and data of `make run`. The windows are the data's last intervals. Four parts:

  handler     p50 of the stand-in's handler without transport (decoding and encoding a PredictRequest included)
              and of a bare call of the SavedModel's serving_default (tensors ready, answer to NumPy), one window,
              alternating in one loop; their ratio should be at most 1.5
  transports  one client that waits for each response, REST and gRPC with 1 and 16 windows, alternating, against
              the stand-in in its own process; every response is compared with the model's. Times are those of the
              client's whole call, including the encoding of the request. The server's resident memory after the
              first 500 requests and at the end
  build       p50 of building a request's arrays from frames in memory
  start       seconds from the start of a new process to its first forecast, reading the data included, over REST
              (at most 3) and over gRPC (at most 2 beyond the import of TensorFlow, measured separately); the best
              of three

TensorFlow Serving itself is faster than the stand-in, which is Python. The last line is JSON; exit code 1 when any
request fails or has a wrong response.
"""

import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    # tests/ has the stand-in server; this folder is not needed.
    sys.path[0] = str(Path(__file__).resolve().parents[1] / "tests")

import click
import numpy as np

RUN = Path("runs/tiny-city")
BOUND = 1.5
WINDOWS, BATCHES = 32, (1, 16)
CALLS, WARM_UP = 1000, 100
SETTLED = 500  # requests
FIRST_FORECAST = """
import sys
from crowdflow.serving import Forecaster, connect
forecaster = Forecaster(connect(sys.argv[1]))
forecaster.forecast(forecaster.read(sys.argv[2:]))
"""


def percentiles(seconds: list[float], *wanted: int) -> dict[str, float]:
    """In milliseconds, `p50_ms` and so on."""
    return {f"p{p}_ms": round(float(np.percentile(seconds, p)) * 1e3, 3) for p in wanted}


def rss_mib(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def handler_against_bare(model: Path, folder: Path, inputs: dict[str, np.ndarray]) -> dict:
    """p50 of the handler and of a bare call, alternating.

    Args:
      model: folder of the versions.
      folder: the served version's folder.
      inputs: of one window.
    """
    import tensorflow as tf
    from standin import server
    from tensorflow_serving.apis import predict_pb2

    from crowdflow.schema import features

    loaded = tf.saved_model.load(str(folder))
    bare = loaded.signatures[features.DENSE_SIGNATURE]
    ready = {name: tf.constant(values) for name, values in inputs.items()}
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "crowdflow"
    request.model_spec.signature_name = features.DENSE_SIGNATURE
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    seconds = {"handler": [], "bare": []}
    with server.running(model, file_system_poll_wait_seconds=0) as standin:
        calls = {
            "handler": lambda: standin.handler.predict(request),
            "bare": lambda: bare(**ready)[features.FLOW].numpy(),
        }
        for turn in range(WARM_UP + CALLS):
            for name, call in calls.items():
                started = time.perf_counter()
                call()
                if turn >= WARM_UP:
                    seconds[name].append(time.perf_counter() - started)
    found = {name: percentiles(taken, 50)["p50_ms"] for name, taken in seconds.items()}
    ratio = round(found["handler"] / found["bare"], 2)
    return {"handler_p50_ms": found["handler"], "bare_p50_ms": found["bare"], "ratio": ratio}


def over_transports(model: Path, batches: dict, requests: int, cap: float | None) -> dict:
    """Times of both transports with both batch sizes, errors and memory.

    Args:
      model: folder of the versions.
      batches: batch size -> list of (inputs, expected response).
      requests: their total number.
      cap: seconds after which no more are sent.
    """
    from standin import server

    from crowdflow.schema import features
    from crowdflow.schema.errors import ServingError
    from crowdflow.serving.grpc_server import GrpcServer
    from crowdflow.serving.rest import RestServer

    seconds, errors, sent = {}, [], 0
    with server.process(model) as standin:
        clients = {
            "rest": RestServer(f"http://127.0.0.1:{standin.rest}", retries=0),
            "grpc": GrpcServer(standin.target, retries=0),
        }
        cases = [(name, size) for size in batches for name in clients]
        gc.freeze()  # a collection over TensorFlow's objects takes 200 ms
        pid, start, settled = standin.process.pid, time.perf_counter(), min(SETTLED, requests // 2)
        while sent < requests and (cap is None or time.perf_counter() - start < cap):
            name, size = cases[sent % len(cases)]
            inputs, answer = batches[size][sent // len(cases) % len(batches[size])]
            started = time.perf_counter()
            try:
                flows = clients[name].predict(inputs, features.DENSE_SIGNATURE, features.FLOW)
                taken = time.perf_counter() - started
                if flows.shape != answer.shape or not np.allclose(flows, answer, 1e-4, 1e-4):
                    errors.append(f"{name}, batch {size}: the response differs from the model's")
                seconds.setdefault(f"{name}_{size}", []).append(taken)
            except ServingError as error:
                errors.append(f"{name}, batch {size}: {error}")
            sent += 1
            if sent == settled:
                first = rss_mib(pid)
        last = rss_mib(pid)
        first = first if sent >= settled else last
    results = {
        name: {"requests_per_s": round(len(taken) / sum(taken), 1), **percentiles(taken, 50, 99)}
        for name, taken in seconds.items()
    }
    memory = {"first_mib": round(first, 1), "last_mib": round(last, 1)}
    memory |= {"after_requests": settled, "growth_mib": round(last - first, 1)}
    return {"sent": sent, "errors": errors, "results": results, "memory": memory}


def start_times(model: Path, data: tuple[str, ...]) -> dict[str, float]:
    """Seconds that new processes take: TensorFlow's import alone, and a first forecast; the best of three."""
    from standin import server

    with server.process(model) as standin:
        scripts = {
            "import_tensorflow_s": ["import tensorflow"],
            "rest_s": [FIRST_FORECAST, f"http://127.0.0.1:{standin.rest}", *data],
            "grpc_s": [FIRST_FORECAST, f"grpc://{standin.target}", *data],
        }
        found = {}
        for name, arguments in scripts.items():
            seconds = []
            for _ in range(3):
                started = time.perf_counter()
                subprocess.run(
                    [sys.executable, "-c", *arguments], check=True, stderr=subprocess.DEVNULL
                )
                seconds.append(time.perf_counter() - started)
            found[name] = round(min(seconds), 2)
    return found


def build_times(history, targets: np.ndarray, config) -> dict[str, float]:
    """p50 of `request.build`, by batch size."""
    from crowdflow.serving import request

    found = {}
    for size in BATCHES:
        seconds = []
        for turn in range(200):
            first = turn % (len(targets) - size + 1)
            started = time.perf_counter()
            request.build(history, targets[first : first + size], config)
            seconds.append(time.perf_counter() - started)
        found[f"batch_{size}_p50_ms"] = percentiles(seconds, 50)["p50_ms"]
    return found


def last_targets(forecaster, history) -> np.ndarray:
    """The target intervals of the data's last `WINDOWS` possible forecasts."""
    from crowdflow.serving import ranges

    last_week = history.frames.starts[-7 * forecaster.config.intervals.per_day :]
    targets = ranges.keep_possible(forecaster, history, last_week, lambda _: None)[-WINDOWS:]
    if len(targets) < max(BATCHES):
        raise click.ClickException(
            f"--data: expected enough for {max(BATCHES)} forecasts. Received {len(targets)}."
        )
    return targets


def expected_responses(folder, forecaster, history, targets: np.ndarray) -> dict[int, list]:
    """Batch size -> list of (inputs, the model's own response)."""
    from crowdflow.schema import features
    from crowdflow.serving import request

    batches = {}
    for size in BATCHES:
        parts = [targets[i : i + size] for i in range(0, len(targets) - size + 1, size)]
        built = [request.build(history, part, forecaster.config) for part in parts]
        batches[size] = [
            (inputs, folder.predict(inputs, features.DENSE_SIGNATURE, features.FLOW))
            for inputs in built
        ]
    return batches


def print_transports(found: dict, requests: int) -> None:
    """Prints what `over_transports` found."""
    for name, result in found["results"].items():
        print(f"{name:<10}", result, flush=True)
    print("memory    ", found["memory"], flush=True)
    for error in found["errors"][:5]:
        print(error, flush=True)
    if found["sent"] < requests:
        print(f"stopped after {found['sent']} of {requests} requests", flush=True)


@click.command(help=__doc__.replace("\n\n", "\n\n\b\n"))
@click.option("--model", type=click.Path(path_type=Path), help="Folder of the model's versions.")
@click.option("--data", multiple=True, help="As for crowdflow predict; may be repeated.")
@click.option("--requests", default=10_000, show_default=True, help="Total number of requests.")
@click.option("--seconds-cap", type=float, help="Send no more requests after this time.")
def main(
    model: Path | None, data: tuple[str, ...], requests: int, seconds_cap: float | None
) -> None:
    """Measures and prints."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if model is None:
        model = RUN / "serving" / "crowdflow"
        data = data or (str(RUN / "data"),)
        print(f"no --model: using {model}, which `make run` makes", flush=True)
        if not model.is_dir():
            raise click.ClickException(f"No {model}. `make run` makes one in a few minutes.")
    if not data:
        raise click.UsageError("--data: expected the model's training data, or data like it.")
    from crowdflow.serving import Forecaster
    from crowdflow.serving.folder import ModelFolder

    folder = ModelFolder(model)
    forecaster = Forecaster(folder)
    started = time.perf_counter()
    history = forecaster.read(data)
    print(f"read {len(history.frames.starts)} frames, {time.perf_counter() - started:.2f} s")
    targets = last_targets(forecaster, history)
    batches = expected_responses(folder, forecaster, history, targets)
    build = build_times(history, targets, forecaster.config)
    print("build     ", build, flush=True)
    handler = handler_against_bare(model, folder.path, batches[1][0][0])
    print("handler   ", handler, f"(bound {BOUND})", flush=True)
    start = start_times(model, data)
    print("start     ", start, flush=True)
    found = over_transports(model, batches, requests, seconds_cap)
    print_transports(found, requests)
    line = {
        "handler": {**handler, "bound": BOUND},
        "requests": found["sent"],
        "errors": len(found["errors"]),
        "transports": found["results"],
        "memory": found["memory"],
        "build": build,
        "start": start,
        "load_average": os.getloadavg(),
    }
    print(json.dumps(line))
    sys.exit(1 if found["errors"] else 0)


if __name__ == "__main__":
    main()
