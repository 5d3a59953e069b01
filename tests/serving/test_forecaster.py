"""Forecasts over every transport against the model's answers to the pipeline's windows, and what goes wrong."""

import json
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from standin import server

from crowdflow.components.pusher.executor import push
from crowdflow.config import Config
from crowdflow.flows.frames import FrameBlock
from crowdflow.ingest.history import History
from crowdflow.schema.errors import ServingError, StoreError
from crowdflow.serving import Forecaster, connect
from crowdflow.serving.rest import RestServer
from crowdflow.storage.store_path import as_path

KINDS = ("folder", "rest", "grpc")


@pytest.fixture(scope="module")
def evaluated(pushed):
    """Target times, flows and quantiles, as the Evaluator gets them: `serving_examples` over the test windows."""
    answer = tf.saved_model.load(str(pushed.serving / "1")).signatures["serving_examples"]
    records = pushed.windows["test"]
    spec = {"target_time": tf.io.FixedLenFeature([], tf.int64)}
    times = tf.io.parse_example(records, spec)["target_time"].numpy()
    order = np.argsort(times)
    found = answer(examples=tf.constant(records))
    return times[order], found["flow"].numpy()[order], found["quantiles"].numpy()[order]


@pytest.mark.parametrize("kind", KINDS)
def test_forecasts_are_the_evaluators(kind, address, pushed, evaluated, history):
    times, flows, quantiles = evaluated
    assert len(times) > 64  # more than a request
    forecaster = Forecaster(connect(address(kind)))
    assert forecaster.config.windows == pushed.config.windows
    forecast = forecaster.forecast(history, times)
    assert forecast.flows.dtype == np.float32 and forecast.flows.shape == flows.shape
    np.testing.assert_allclose(forecast.flows, flows, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(forecast.starts, times[:, None] + [0, 60])
    assert flows.std() > 1
    assert forecast.levels == pushed.config.model.quantiles
    assert forecast.quantiles.dtype == np.float32 and forecast.quantiles.shape == quantiles.shape
    np.testing.assert_allclose(forecast.quantiles, quantiles, rtol=1e-4, atol=1e-2)
    assert (forecast.quantiles >= 0).all() and (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    table = forecast.table()
    np.testing.assert_array_equal(table["outflow_p90"], forecast.quantiles[..., 1, 5].reshape(-1))


def test_a_model_without_quantiles_serves_its_mean(pushed, history, tmp_path):
    import shutil

    shutil.copytree(pushed.serving / "1", tmp_path / "1")
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    text = json.loads(loaded.signatures["account"](query=tf.constant([""]))["account"].numpy()[0])
    del text["quantiles"]  # as in a model from before there were any

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="query")])
    def account(query):
        return {"account": tf.fill(tf.shape(query), json.dumps(text))}

    dense = loaded.signatures["serving_default"]
    specs = dense.structured_input_signature[1]

    @tf.function(input_signature=[specs])
    def mean(inputs):
        return {"flow": dense(**inputs)["flow"]}

    loaded.mean = mean
    signatures = {"serving_default": mean, "account": account}
    tf.saved_model.save(loaded, str(tmp_path / "2"), signatures=signatures)
    forecast = Forecaster(connect(str(tmp_path / "2"))).forecast(history)
    whole = Forecaster(connect(str(pushed.serving))).forecast(history)
    np.testing.assert_allclose(forecast.flows, whole.flows, rtol=1e-6)
    assert forecast.levels == () and forecast.band is None
    assert list(forecast.table())[-2:] == ["inflow", "outflow"]
    assert len(list(whole.table())) == len(list(forecast.table())) + 14


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_interval_is_forecast_by_default(kind, address, history):
    forecast = Forecaster(connect(address(kind))).forecast(history)
    assert forecast.starts[0, 0] == history.frames.starts[-1] + 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_says_what_the_model_said(kind, address, history, pushed):
    transport = connect(address(kind))
    forecaster = Forecaster(transport)
    maps = history.frames.maps.copy()
    maps[-1, 2, 1, 0] = np.nan
    import dataclasses

    noisy = dataclasses.replace(history, frames=dataclasses.replace(history.frames, maps=maps))
    with pytest.raises(ServingError, match="closeness"):
        forecaster.forecast(noisy)
    with pytest.raises(ServingError, match="no_such_signature"):
        transport.predict({"query": np.array([""], object)}, "no_such_signature", ["flow"])
    assert len(forecaster.forecast(history).flows) == 1  # it answers on


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_another_model_version_or_label_is_an_error(kind, address):
    for options in ({"name": "other"}, {"version": 9}, {"label": "canary"}):
        with pytest.raises(ServingError, match="other|9|canary"):
            Forecaster(connect(address(kind), retries=0, **options))
    assert Forecaster(connect(address(kind), version=1)).config.grid.rows == 5


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "grpc://127.0.0.1:9"])
def test_a_server_that_is_not_there_is_an_error_after_some_retries(address):
    began = time.monotonic()
    with pytest.raises(ServingError, match="127.0.0.1:9"):
        Forecaster(connect(address, retries=2, timeout=5))
    assert 0.2 < time.monotonic() - began < 10


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_a_server_that_comes_late_is_waited_for(kind, pushed, history):
    import socket
    import threading

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = {"rest_api_port": port} if kind == "rest" else {"port": port}
    where = f"http://127.0.0.1:{port}" if kind == "rest" else f"grpc://127.0.0.1:{port}"
    answers = []

    def ask():
        answers.append(Forecaster(connect(where, retries=8)).forecast(history))

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.3)
    with server.running(pushed.serving, **flags):
        asking.join(60)
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://somewhere", "expected a folder, http://host:8501"),
        ("nowhere", "expected a pushed model .*Versions found: none"),
    ],
)
def test_addresses_that_are_none(text, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ServingError, match=said):
        connect(text)


def test_partial_and_corrupt_folders(pushed, tmp_path):
    import shutil

    shutil.copytree(pushed.serving, tmp_path / "serving")
    (tmp_path / "serving" / "7").mkdir()
    assert connect(str(tmp_path / "serving")).path.name == "1"
    (tmp_path / "serving" / "7" / "saved_model.pb").write_bytes(b"\xff junk")
    with pytest.raises(ServingError, match="expected a SavedModel"):
        connect(str(tmp_path / "serving"))
    with pytest.raises(ServingError, match="expected version 3 .*Versions found: 1, 7"):
        connect(str(tmp_path / "serving"), version=3)


def test_a_roots_serving_folder_has_its_model_inside(pushed, tmp_path):
    import shutil

    shutil.copytree(pushed.serving, tmp_path / "crowdflow")
    (tmp_path / "notes.txt").touch()
    assert connect(str(tmp_path)).path == tmp_path / "crowdflow" / "1"
    with pytest.raises(ServingError, match="expected version 3 .*Versions found: 1"):
        connect(str(tmp_path), version=3)
    shutil.copytree(pushed.serving, tmp_path / "another")
    with pytest.raises(ServingError, match=r"expected one model\. Received another, crowdflow\."):
        connect(str(tmp_path))


def test_a_folder_in_an_object_store_answers_the_same(pushed, history, bucket):
    model = as_path(f"{bucket}/serving/crowdflow")
    push(pushed.serving / "1", model)
    expected = Forecaster(connect(str(pushed.serving))).forecast(history)
    transport = connect(f"{model}/")
    assert str(transport.path).startswith(f"{model}/")
    found = Forecaster(transport).forecast(history)
    np.testing.assert_array_equal(found.flows, expected.flows)
    with pytest.raises(ServingError, match=f"{model}: expected version 3"):
        connect(str(model), version=3)
    with pytest.raises(
        StoreError, match="s3://no-such/x.*: the object store has no bucket no-such"
    ):
        connect("s3://no-such/x")


def test_a_version_pushed_while_requests_run_is_picked_up_and_none_fails(pushed, history, tmp_path):
    import shutil

    base = tmp_path / "serving"
    shutil.copytree(pushed.serving / "1", base / "1")
    changed = tmp_path / "changed"
    shutil.copytree(pushed.serving / "1", changed)
    (changed / "assets.extra" / "note").write_text("another model")
    with server.running(base, file_system_poll_wait_seconds=0.05) as running:
        forecaster = Forecaster(connect(running.url.split("/v1/")[0], retries=0))
        version = push(changed, base)
        until, asked = time.monotonic() + 20, 0
        while running.states().get(1) != "END" and time.monotonic() < until:
            forecaster.forecast(history)
            asked += 1
        assert running.states()[int(version.name)] == "AVAILABLE" and asked > 1
        assert len(forecaster.forecast(history).flows) == 1


STRANGER = """
import sys, time
began = time.monotonic()
import numpy as np
from serving import Forecaster, RestServer
forecaster = Forecaster(RestServer(sys.argv[1]))
history = forecaster.read(sys.argv[2:])
read = time.monotonic()
flows = forecaster.forecast(history).flows
print(flows.shape, time.monotonic() - began)
heavy = {"tensorflow", "tfx", "apache_beam", "keras"}
assert not heavy & {name.split(".")[0] for name in sys.modules}, sys.modules.keys() & heavy
"""


def test_over_rest_nothing_heavy_is_imported(address, pushed):
    command = [sys.executable, "-c", STRANGER, address("rest"), *pushed.data]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("(1, 2, 5, 4, 2)")


def test_the_grpc_client_needs_neither_tfx_nor_beam():
    script = (
        "import sys, crowdflow.serving.grpc_server, crowdflow.serving.forecaster\n"
        "assert not {'tfx', 'apache_beam'} & {n.split('.')[0] for n in sys.modules}"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_a_table_has_a_row_a_step_and_cell(history, address):
    forecast = Forecaster(connect(address("folder"))).forecast(history)
    table = forecast.table()
    assert len(table) == 2 * 5 * 4
    row = table[(table["step"] == 2) & (table["row"] == 3) & (table["col"] == 1)].iloc[0]
    assert row["interval_start"] - row["forecast_start"] == pd.Timedelta(hours=1)
    assert (row["inflow"], row["outflow"]) == tuple(forecast.flows[0, 1, 3, 1])


@pytest.mark.parametrize(
    ("minutes", "last", "expected"),
    [
        (60, "2024-03-10T01:00", "2024-03-10T03:00"),  # the clock goes from 02:00 to 03:00
        (30, "2024-03-10T01:30", "2024-03-10T03:00"),
        (60, "2024-03-10T00:00", "2024-03-10T01:00"),
        (60, "2024-11-03T01:00", "2024-11-03T02:00"),  # 01:00 comes twice, and is one interval
    ],
)
def test_an_hour_that_daylight_saving_skips_is_not_the_next_target(minutes, last, expected):
    settings = {"intervals": {"minutes": minutes, "timezone": "America/New_York"}}
    forecaster = Forecaster(None, Config.from_dict(settings))
    starts = np.array([np.datetime64(last, "m").astype(np.int64)])
    history = History(FrameBlock(starts, np.zeros((1, 16, 8, 2), np.float32)), {}, {})
    assert np.datetime64(forecaster.next_target(history), "m") == np.datetime64(expected, "m")


def test_settings_of_no_use_are_an_error(address):
    from crowdflow.config.account import settings_of

    for text in ("junk", "{}", json.dumps({"config": {"grid": {"depth": 3}}})):
        with pytest.raises(ServingError, match="settings"):
            settings_of(text)
    assert settings_of(json.dumps({"config": {}, "holidays": []})) == (Config(), [])
    older = Config().to_dict()
    del older["windows"]["average_days"]
    config = Config().replace({"windows.average_days": 0})
    assert settings_of(json.dumps({"config": older})) == (config, [])
    assert isinstance(connect("http://localhost:1"), RestServer)
