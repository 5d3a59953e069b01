"""Two tiny models, and a server of the first."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from standin import server, tiny_model

POLL = 0.05


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """SavedModels by scale; versions are copies of them."""
    folder = tmp_path_factory.mktemp("models")
    return {scale: tiny_model.write(folder / str(scale), scale) for scale in (1, 2)}


@pytest.fixture(scope="session")
def standin(models, tmp_path_factory):
    """A server of version 3, for tests that change no files."""
    base = tmp_path_factory.mktemp("serving")
    tiny_model.push(models[1], base, 3)
    with server.running(base, file_system_poll_wait_seconds=0) as running:
        yield running


@pytest.fixture(scope="session")
def bare(models):
    """The signatures as Python loads them, for one request: name, arrays -> arrays."""
    loaded = tf.saved_model.load(str(models[1]))

    def call(name="serving_default", **arrays):
        out = loaded.signatures[name](**{key: tf.constant(v) for key, v in arrays.items()})
        return {key: value.numpy() for key, value in out.items()}

    return call


class Client:
    """The two services' stubs, and arrays as requests."""

    def __init__(self, target):
        self.channel = grpc.insecure_channel(target)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(self, arrays, name="crowdflow", signature="", version=None, **fields):
        request = self.request(arrays, name, signature, version, **fields)
        return self.prediction.Predict(request, timeout=30)

    def request(self, arrays, name="crowdflow", signature="", version=None, **fields):
        request = predict_pb2.PredictRequest(**fields)
        request.model_spec.name = name
        request.model_spec.signature_name = signature
        if isinstance(version, int):
            request.model_spec.version.value = version
        elif version:
            request.model_spec.version_label = version
        for key, value in arrays.items():
            proto = tf.make_tensor_proto(value) if isinstance(value, np.ndarray) else value
            request.inputs[key].CopyFrom(proto)
        return request


@pytest.fixture
def connect():
    """A function: server -> Client, closed after the test."""
    clients = []

    def make(running):
        clients.append(Client(running.target))
        return clients[-1]

    yield make
    for client in clients:
        client.channel.close()


@pytest.fixture
def client(standin, connect):
    return connect(standin)
