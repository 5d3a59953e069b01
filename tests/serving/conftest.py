"""A simulated city with gaps, the pipeline's own windows of it, and a pushed model of random weights."""

import json

import numpy as np
import pytest
from worlds.pushed_city import Pushed, parse, push

from crowdflow.components.flow_schema.render import render
from crowdflow.ingest.history import History
from crowdflow.schema import templates


@pytest.fixture(scope="session")
def pushed(tmp_path_factory) -> Pushed:
    return push(tmp_path_factory.mktemp("pushed"))


@pytest.fixture(scope="session")
def every_window(pushed) -> dict[str, np.ndarray]:
    """All of the pipeline's windows as arrays, in order of target time."""
    import tensorflow as tf

    described = templates.parse(render(templates.WINDOWS, pushed.config))
    kinds = {"INT": tf.int64, "FLOAT": tf.float32}
    spec = {
        feature.name: tf.io.FixedLenFeature(
            [dim.size for dim in feature.shape.dim], kinds[schema_type(feature)]
        )
        for feature in described.feature
    }
    return parse([record for part in pushed.windows.values() for record in part], spec)


def schema_type(feature) -> str:
    from tensorflow_metadata.proto.v0 import schema_pb2

    return schema_pb2.FeatureType.Name(feature.type)


@pytest.fixture(scope="session")
def history(pushed) -> History:
    from crowdflow.ingest.history import read_history

    return read_history(pushed.data, pushed.config)


@pytest.fixture(scope="session")
def standin(pushed):
    from standin import server

    with server.running(pushed.serving, file_system_poll_wait_seconds=0) as running:
        yield running


@pytest.fixture(scope="session")
def address(pushed, standin):
    """A function: kind of transport -> where the model is."""
    rest = standin.url.split("/v1/")[0]
    found = {"folder": str(pushed.serving), "rest": rest, "grpc": f"grpc://{standin.target}"}
    return found.__getitem__


@pytest.fixture
def account(pushed):
    path = pushed.serving / "1" / "assets.extra" / "crowdflow.json"
    return json.loads(path.read_text())
