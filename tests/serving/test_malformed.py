"""Requests that are none, on the wire: each gets an error code, and the server answers on."""

import json

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from crowdflow.schema import features
from crowdflow.serving import request

CODE = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
def good(history, pushed):
    targets = [history.frames.starts[-1] + 60]
    return request.build(history, targets, pushed.config)


def changed(good):
    """What is wrong -> inputs."""

    def with_value(name, value):
        values = good[name].astype(type(value)) if isinstance(value, str) else good[name].copy()
        values.reshape(-1)[0] = value
        return good | {name: values}

    without = {name: values for name, values in good.items() if name != features.TEMPERATURE}
    many = {n: np.repeat(v, features.MAX_BATCH + 1, axis=0) for n, v in good.items()}
    return {
        "wrong shape": good | {features.CLOSENESS: good[features.CLOSENESS][:, :2]},
        "wrong rank": good | {features.PERIOD: good[features.PERIOD][0]},
        "wrong dtype": good | {features.TARGET_TIME: good[features.TARGET_TIME] + 0.5},
        "NaN": with_value(features.CLOSENESS, np.nan),
        "negative": with_value(features.TREND, -1.0),
        "unknown kind of weather": with_value(features.WEATHER, 17),
        "off the raster": good | {features.TARGET_TIME: good[features.TARGET_TIME] + 7},
        "missing covariate": without,
        "huge batch": many,
        "batches that differ": good | {features.HOLIDAY: np.zeros(3, np.int64)},
    }


def test_over_rest(good, standin):
    def ask(inputs):
        # NaN as it is, which the server's parser takes.
        columns = {name: values.tolist() for name, values in inputs.items()}
        return requests.post(f"{standin.url}:predict", data=json.dumps({"inputs": columns}))

    for what, inputs in changed(good).items():
        answer = ask(inputs)
        assert answer.status_code == 400, what
        assert answer.json()["error"], what
        assert ask(good).status_code == 200, what


def test_over_grpc(good, standin):
    channel = grpc.insecure_channel(standin.target, [("grpc.max_send_message_length", -1)])
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def ask(inputs):
        asked = predict_pb2.PredictRequest()
        asked.model_spec.name = "crowdflow"
        for name, values in inputs.items():
            asked.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        return stub.Predict(asked, timeout=60)

    with channel:
        unknown = {"unknown input": good | {"humidity": np.zeros(1, np.float32)}}  # REST ignores it
        for what, inputs in (changed(good) | unknown).items():
            with pytest.raises(grpc.RpcError) as raised:
                ask(inputs)
            assert raised.value.code() == CODE and raised.value.details(), what
            assert ask(good).outputs["flow"].tensor_shape.dim[0].size == 1, what
