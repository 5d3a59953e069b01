"""Data, pushed models and checkpoints on an S3 server: locally, and step by step as Kubeflow Pipelines would."""

import json
from pathlib import Path

import pytest
from kfp_local import Cluster

from crowdflow.config import presets
from crowdflow.pipeline.kubeflow.compiling import compile_to
from crowdflow.pipeline.kubeflow.executor_input import ROOT_VARIABLE
from crowdflow.storage import object_store
from crowdflow.storage.store_path import StorePath
from crowdflow.storage.versions import PUSH_MARK, complete_versions

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


def upload(paths, address):
    for path in paths:
        with object_store.open_to_write(f"{address}/{Path(path).name}") as file:
            file.write(Path(path).read_bytes())
    return address


@pytest.fixture
def crowdflow(crowdflow, s3):
    """The command, with the server's address in its environment."""
    return crowdflow.called_by(crowdflow.command, **s3)


@pytest.fixture
def data(bucket, city, side_files) -> str:
    """The address of a folder with the city's files."""
    return upload(city["parquet"] + side_files, f"{bucket}/flows")


def test_data_and_serving_folder_in_an_object_store(crowdflow, data, bucket, tmp_path):
    serving = StorePath(f"{bucket}/serving/crowdflow")
    given = {"data": [data]}
    run = crowdflow(tmp_path / "root", f"--serving={serving}", **given)
    assert run.code == 0, run.output
    [version] = complete_versions(serving)
    assert run.summary["pushed_model"] == str(version)
    assert f"Pushed to {version}" in run.output
    assert run.summary["metrics"]["last_pushed"] is None
    assert not (run.root / "serving").exists()

    again = crowdflow(run.root, f"--serving={serving}", **given)
    assert again.code == 0, again.output
    assert "Trainer" not in again.executed and "FlowExampleGen" not in again.executed
    assert complete_versions(serving) == [version]

    other = crowdflow(run.root, f"--serving={serving}", **given, training__epochs=26)
    assert other.code in (0, 2), other.output
    last, first = other.summary["metrics"]["last_pushed"], run.summary["metrics"]["model"]
    assert last["rmse_active_cells"] == pytest.approx(first["rmse_active_cells"], rel=1e-6)
    assert len(complete_versions(serving)) == (2 if other.code == 0 else 1)
    assert not [path for path in serving.iterdir() if path.name.startswith(PUSH_MARK)]


def test_a_serving_folder_that_cannot_be_reached_stops_a_run_before_it_trains(
    crowdflow, data, tmp_path
):
    run = crowdflow(tmp_path / "root", "--serving=s3://no-such/serving", data=[data])
    assert run.code == 1
    assert "Error: s3://no-such/serving: the object store has no bucket no-such." in run.output
    assert "Traceback" not in run.output and run.summary["nodes"] == []


def test_every_step_on_kubeflow_without_a_volume(crowdflow, s3, data, bucket, tmp_path):
    config = presets.load("tiny-city").replace(
        {
            **crowdflow.settings,
            "training.epochs": 2,
            "training.final_epochs": 1,
            "kubeflow.image": "crowdflow:test",
            "kubeflow.serving_folder": f"{bucket}/serving/crowdflow",
            "kubeflow.checkpoints": f"{bucket}/checkpoints",
            "evaluation.naive_margin": 0.0,
            "paths.data": [f"{bucket}/nowhere"],
        }
    )
    compile_to(config, tmp_path / "pipeline.yaml")
    # Each step starts from nothing here, as in a container.
    cluster = Cluster(tmp_path / "cluster", ROOT_VARIABLE, **s3)
    run = cluster.run(tmp_path / "pipeline.yaml", data=data)
    assert set(run.states.values()) == {"executed"}
    account = json.loads(
        (cluster.path(run, "FlowReportGen", "report") / "metrics.json").read_text()
    )
    assert account["counters"]["frames"]["frames"] == 35 * 24
    pushed = complete_versions(StorePath(f"{bucket}/serving/crowdflow"))
    assert len(pushed) == account["blessed"]
    checkpoints = list(StorePath(f"{bucket}/checkpoints").files())
    trainings = 1 + account["blessed"]  # an approved model is trained once more
    assert len(checkpoints) == trainings * config.model.members
    assert all(entry.address.endswith("/checkpoint.npz") for entry in checkpoints)
