"""The compiled spec of the simulated city, with every part that a spec can have, and a server to submit it to."""

import copy
from pathlib import Path

import pytest
from kfp_local.recorder import Recorder

from crowdflow.config import Config, presets
from crowdflow.pipeline.kubeflow import backfill
from crowdflow.pipeline.kubeflow.checks import Expectations
from crowdflow.pipeline.kubeflow.submit import Submission, submit

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


@pytest.fixture
def server():
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture
def send(server, monkeypatch):
    """Submits the golden spec, and returns the lines that it printed."""
    monkeypatch.setattr(backfill, "WAIT", 0.01)

    def run(**options) -> list[str]:
        lines: list[str] = []
        submit(
            Submission(Path(__file__).with_name("golden.yaml"), server.url, **options), lines.append
        )
        return lines

    return run
