"""The compiled spec of the simulated city, with every part that a spec can have."""

import copy

import pytest

from crowdflow.config import Config, presets
from crowdflow.pipeline.kubeflow.checks import Expectations

SETTINGS = {
    "kubeflow.image": "crowdflow:0.1.0",
    "kubeflow.volumes": ["crowdflow:/mnt/crowdflow"],
    "kubeflow.trainer_gpus": 1,
    "kubeflow.nodes": ["FlowExampleGen=8/32"],
    "paths.data": ["/mnt/crowdflow/flows"],
}


@pytest.fixture(scope="session")
def config() -> Config:
    return presets.load("tiny-city").replace(SETTINGS)


@pytest.fixture(scope="session")
def documents(config) -> list[dict]:
    from crowdflow.pipeline.kubeflow.compiling import compile_documents

    return compile_documents(config)


@pytest.fixture
def spec(documents) -> dict:
    """A copy, to break."""
    return copy.deepcopy(documents[0])


@pytest.fixture(scope="session")
def expected() -> Expectations:
    uncached = {"FlowExampleGen", "LastPushedModel", "Pusher"}
    return Expectations(uncached, ["/mnt/crowdflow"], gpus=1)
