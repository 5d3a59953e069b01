"""Versions that come, go and are broken, under a server that looks often."""

import shutil
import threading
import time

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from standin import server, tiny_model

POLL = 0.05


@pytest.fixture
def base(tmp_path, models):
    """A base path with version 1."""
    folder = tmp_path / "serving"
    folder.mkdir()
    tiny_model.push(models[1], folder, 1)
    return folder


@pytest.fixture
def watching(base):
    with server.running(base, file_system_poll_wait_seconds=POLL) as running:
        yield running


def served(running):
    """The version that answers."""
    arrays = {name: v.tolist() for name, v in tiny_model.inputs().items()}
    response = requests.post(f"{running.url}:predict", json={"inputs": arrays}, timeout=30)
    response.raise_for_status()
    [available] = [n for n, state in running.states().items() if state == "AVAILABLE"]
    return available


def error_of(running, version):
    [status] = requests.get(f"{running.url}/versions/{version}").json()["model_version_status"]
    assert status["state"] == "END"
    return status["status"]


class Caller(threading.Thread):
    """Asks over and over and keeps what it got."""

    def __init__(self, client):
        super().__init__()
        self.client, self.versions, self.errors = client, [], []
        self.stop = threading.Event()

    def run(self):
        arrays = tiny_model.inputs()
        while not self.stop.is_set():
            try:
                self.versions.append(self.client.predict(arrays).model_spec.version.value)
            except grpc.RpcError as error:
                self.errors.append(error)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.join()


def test_a_new_version_takes_over_without_a_failed_request(base, watching, models, connect):
    with Caller(connect(watching)) as caller:
        for version in (2, 3):
            tiny_model.push(models[2], base, version)
            watching.wait_for(version)
            watching.wait_for(version - 1, "END")
            count = len(caller.versions)
            while len(caller.versions) < count + 3:
                time.sleep(0.01)
    assert not caller.errors
    assert caller.versions == sorted(caller.versions) and set(caller.versions) == {1, 2, 3}
    before = connect(watching).predict(tiny_model.inputs(), version=3).outputs["flow"]
    loaded = tf.saved_model.load(str(models[2])).signatures["serving_default"]
    expected = loaded(**{k: tf.constant(v) for k, v in tiny_model.inputs().items()})["flow"]
    np.testing.assert_array_equal(tf.make_ndarray(before), expected)


def test_a_request_ends_on_the_version_it_began_on(base, watching, models, connect):
    client = connect(watching)
    steps = 50_000
    client.predict({"steps": np.array(1)}, signature="slow")  # the first one takes longer
    while True:  # long enough on any machine
        began = time.monotonic()
        client.predict({"steps": np.array(steps)}, signature="slow")
        if time.monotonic() - began > 0.2:
            break
        steps *= 2
    request = client.request({"steps": np.array(steps * 16)}, signature="slow")
    future = client.prediction.Predict.future(request, timeout=60)
    tiny_model.push(models[2], base, 2)
    watching.wait_for(2)
    assert watching.states()[1] == "UNLOADING" and not future.done()
    assert client.predict(tiny_model.inputs()).model_spec.version.value == 2
    assert future.result().model_spec.version.value == 1
    watching.wait_for(1, "END")


def spoil_graph(folder):
    (folder / "saved_model.pb").write_bytes(b"\xff" * 100)


def cut_graph(folder):
    path = folder / "saved_model.pb"
    path.write_bytes(path.read_bytes()[:-2000])


def drop_graph(folder):
    (folder / "saved_model.pb").unlink()


def drop_variables(folder):
    shutil.rmtree(folder / "variables")


def spoil_variables(folder):
    [path] = (folder / "variables").glob("*.data-*")
    path.write_bytes(bytes(len(path.read_bytes())))


def fail_warm_up(folder):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.signature_name = "nope"
    (folder / "assets.extra").mkdir()
    path = str(folder / "assets.extra" / "tf_serving_warmup_requests")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(log.SerializeToString())


@pytest.mark.parametrize(
    "spoil",
    [spoil_graph, cut_graph, drop_graph, drop_variables, spoil_variables, fail_warm_up],
)
def test_a_broken_version_is_never_served(base, watching, models, tmp_path, spoil):
    broken = shutil.copytree(models[2], tmp_path / "broken")
    spoil(broken)
    broken.rename(base / "2")
    watching.wait_for(2, "END")
    assert served(watching) == 1
    status = error_of(watching, 2)
    assert status["error_code"] != "OK" and status["error_message"]
    time.sleep(3 * POLL)
    assert served(watching) == 1
    # It is tried again when its files are whole, and a later good one is served anyhow.
    if spoil is drop_variables:
        shutil.copytree(models[2] / "variables", base / "2" / "variables")
        watching.wait_for(2)
        assert served(watching) == 2


def test_what_is_no_version_folder_is_ignored(base, watching, models):
    shutil.copytree(models[2], base / ".push-7")
    shutil.copytree(models[2], base / "8.tmp")
    (base / "9").write_text("a file")
    time.sleep(4 * POLL)
    assert watching.states() == {1: "AVAILABLE"}


def test_removed_versions_are_dropped(base, watching, models):
    tiny_model.push(models[2], base, 2)
    watching.wait_for(2)
    shutil.rmtree(base / "2")  # back to the older one
    watching.wait_for(1)
    watching.wait_for(2, "END")
    assert served(watching) == 1
    shutil.rmtree(base / "1")
    watching.wait_for(1, "END")
    response = requests.post(f"{watching.url}:predict", json={"inputs": 1})
    assert response.status_code == 404
    shutil.rmtree(base)  # the folder itself: the server stays
    time.sleep(2 * POLL)
    base.mkdir()
    tiny_model.push(models[1], base, 5)
    watching.wait_for(5)


def test_the_last_one_that_works_stays(base, watching, models, tmp_path):
    broken = shutil.copytree(models[2], tmp_path / "broken")
    spoil_graph(broken)
    broken.rename(base / "2")
    watching.wait_for(2, "END")
    shutil.rmtree(base / "1")  # in memory it still is
    time.sleep(3 * POLL)
    assert served(watching) == 1


def test_warm_up_requests_are_sent(tmp_path, models, connect):
    folder = shutil.copytree(models[1], tmp_path / "serving" / "1")
    log = prediction_log_pb2.PredictionLog()
    for name, value in tiny_model.inputs().items():
        log.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    (folder / "assets.extra").mkdir()
    path = str(folder / "assets.extra" / "tf_serving_warmup_requests")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(log.SerializeToString())
    with server.running(tmp_path / "serving") as running:
        assert running.states() == {1: "AVAILABLE"}


CONFIG = """
model_config_list {
  config {
    name: "crowdflow" base_path: "%s" model_platform: "tensorflow"
    model_version_policy { %s }
    version_labels { key: "stable" value: 1 }
    version_labels { key: "canary" value: 2 }
  }
}
"""
LABELS = {"allow_version_labels_for_unavailable_models": True}


def write_config(base, policy):
    path = base.parent / "models.config"
    path.write_text(CONFIG % (base, policy))
    return path


def test_labels_and_specific_versions(base, models, connect):
    for version in (2, 3):
        tiny_model.push(models[2], base, version)
    config = write_config(base, "specific { versions: 1 versions: 2 versions: 4 }")
    arrays = tiny_model.inputs()
    with server.running(base, model_config_file=config, **LABELS) as running:
        assert running.states() == {1: "AVAILABLE", 2: "AVAILABLE"}
        client = connect(running)
        for wanted, version in (("stable", 1), ("canary", 2), (None, 2), (1, 1)):
            response = client.predict(arrays, version=wanted)
            assert response.model_spec.version.value == version
        body = {"inputs": {name: value.tolist() for name, value in arrays.items()}}
        answers = [
            requests.post(f"{running.url}/{path}:predict", json=body).json()["outputs"]
            for path in ("labels/stable", "versions/1", "labels/canary")
        ]
        assert answers[0] == answers[1] != answers[2]
        assert requests.get(f"{running.url}/labels/stable").json()["model_version_status"][0][
            "version"
        ] == ("1")


def test_all_versions_and_a_label_without_one(base, models):
    tiny_model.push(models[2], base, 5)
    config = write_config(base, "all {}")
    with server.running(base, model_config_file=config, **LABELS) as running:
        assert running.states() == {1: "AVAILABLE", 5: "AVAILABLE"}
        response = requests.post(f"{running.url}/labels/canary:predict", json={"inputs": 1})
        assert response.status_code == 404
        assert response.json()["error"].endswith("Specific(crowdflow, 2)")


def test_the_latest_two(base, models):
    for version in (2, 10):
        tiny_model.push(models[2], base, version)
    config = write_config(base, "latest { num_versions: 2 }")
    with server.running(base, model_config_file=config, **LABELS) as running:
        assert running.states() == {2: "AVAILABLE", 10: "AVAILABLE"}


def test_labels_need_the_flag_as_in_the_server(base):
    config = write_config(base, "all {}")
    with pytest.raises(ValueError, match="Request to assign label to version"):
        with server.running(base, model_config_file=config):
            pass
