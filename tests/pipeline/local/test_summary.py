"""summary.json, and the lock on a run's root."""

import json
import os
import signal
import subprocess
import sys

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2

from crowdflow.config import Config
from crowdflow.pipeline.local import summary
from crowdflow.pipeline.local.root import Root
from crowdflow.schema.errors import RootBusyError


@pytest.fixture
def store(tmp_path):
    """MLMD as TFX fills it: a run's context, and a context for each node."""
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(tmp_path / "metadata.sqlite")
    found = metadata_store.MetadataStore(connection)
    run_type = found.put_context_type(metadata_store_pb2.ContextType(name="pipeline_run"))
    node_type = found.put_context_type(metadata_store_pb2.ContextType(name="node"))
    execution_type = found.put_execution_type(metadata_store_pb2.ExecutionType(name="Any"))
    report_type = found.put_artifact_type(
        metadata_store_pb2.ArtifactType(name="crowdflow.FlowReport")
    )
    states = metadata_store_pb2.Execution
    nodes = {"Trainer": states.COMPLETE, "Transform": states.CACHED, "Pusher": states.FAILED}
    for run in ("first", "second"):
        context = metadata_store_pb2.Context(type_id=run_type, name=run)
        [run_id] = found.put_contexts([context])
        for node, state in nodes.items() if run == "second" else ():
            node_context = metadata_store_pb2.Context(type_id=node_type, name=f"crowdflow-x.{node}")
            [node_id] = found.put_contexts([node_context])
            execution = states(type_id=execution_type, last_known_state=state)
            [execution_id] = found.put_executions([execution])
            links = [
                metadata_store_pb2.Association(context_id=c, execution_id=execution_id)
                for c in (run_id, node_id)
            ]
            found.put_attributions_and_associations([], links)
    report = metadata_store_pb2.Artifact(type_id=report_type, uri=str(tmp_path / "artifact"))
    [report_id] = found.put_artifacts([report])
    link = metadata_store_pb2.Attribution(context_id=run_id, artifact_id=report_id)
    found.put_attributions_and_associations([link], [])
    return found


def test_a_runs_nodes_come_with_state_and_time_in_their_order(store):
    seconds = {"Transform": 0.123, "Trainer": 61.5, "Pusher": 1.0, "Report": 0.0}
    assert summary.node_states(store, "second", seconds) == [
        {"id": "Transform", "state": "cached", "seconds": 0.12},
        {"id": "Trainer", "state": "executed", "seconds": 61.5},
        {"id": "Pusher", "state": "failed", "seconds": 1.0},
        {"id": "Report", "state": "failed", "seconds": 0.0},  # killed before MLMD knew of it
    ]
    assert summary.node_states(store, "none", {}) == []


def test_the_report_of_a_run_is_found(store, tmp_path):
    assert summary.report_folder(store, "second") == tmp_path / "artifact"
    assert summary.report_folder(store, "first") is None


COUNTERS = {"frames": {}, "windows": {"windows": {"train": 9, "eval": 1, "test": 2}}}


@pytest.fixture
def reported(tmp_path):
    """Writes a report's artifact and a root; returns both folders."""

    def write(blessed, held_back=None):
        folder, root = tmp_path / "artifact", Root(tmp_path / "root")
        folder.mkdir()
        root.path.mkdir()
        (folder / "index.html").write_text("<html>")
        account = {
            "versions": {"tfx": "1.16.0"},
            "libraries": {"Trainer": {"tfx": "1.16.0"}},
            "counters": COUNTERS,
            "metrics": {"model": {"rmse_active_cells": 5.0}},
            "quantiles": None,
            "blessed": blessed,
            "reasons": ["good"],
            "refit": {"outcome": "evaluation.refit is off"},
            "drift": {"anomalies": []},
            "live": {"version": "1600000000", "record": [{"day": "2024-05-06"}]},
            "pushed_version": "1700000000",
            "held_back": held_back,
        }
        (folder / "metrics.json").write_text(json.dumps(account))
        return folder, root

    return write


def test_a_summary_is_written_as_a_whole_with_paths_under_the_root(reported):
    folder, root = reported(blessed=True)
    empty = summary.empty(Config(preset="x", seed=7), [])
    pushed = {**empty, "pushed_model": "serving/crowdflow/1700000000"}
    complete = summary.complete(pushed, folder, root)
    assert list(complete) == list(empty)
    assert complete["pushed_model"] == "serving/crowdflow/1700000000"
    assert complete["report"] == "report/index.html"
    assert (root.path / complete["report"]).read_text() == "<html>"
    assert complete["windows"] == {"train": 9, "eval": 1, "test": 2}
    assert complete["live"] == {
        "version": "1600000000"
    }  # the whole record is in the serving folder
    assert (complete["preset"], complete["seed"]) == ("x", 7)
    assert Config.from_dict(complete["config"]) == Config(preset="x", seed=7)
    summary.write(complete, root)
    assert json.loads(root.summary.read_text()) == complete
    assert sorted(p.name for p in root.path.iterdir()) == ["report", "summary.json"]


@pytest.mark.parametrize("unblessed", [False, True])
def test_a_model_that_the_infra_validator_refuses_is_not_blessed_in_the_end(reported, unblessed):
    folder, root = reported(blessed=not unblessed)
    config = Config().replace({"evaluation.push_unblessed": unblessed})
    complete = summary.complete(summary.empty(config, []), folder, root)
    assert (complete["blessed"], complete["pushed_model"]) == (False, None)
    assert complete["reasons"] == ["good", summary.NOT_SERVED]


def test_a_model_that_is_pushed_unblessed_is_not_called_blessed(reported):
    folder, root = reported(blessed=False)
    config = Config().replace({"evaluation.push_unblessed": True})
    pushed = {**summary.empty(config, []), "pushed_model": "serving/crowdflow/17"}
    complete = summary.complete(pushed, folder, root)
    assert (complete["blessed"], complete["reasons"]) == (False, ["good"])


HOLD = """
import sys, time
from crowdflow.pipeline.local.root import Root
with Root(sys.argv[1]).lock():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_root_is_held_by_one_process_at_a_time_however_that_ends(tmp_path):
    root = Root(tmp_path / "root")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root.path)], stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout.readline() == "held\n"
            with pytest.raises(RootBusyError, match=rf"process {other.pid}\) holds this root"):
                with root.lock():
                    pytest.fail("two runs hold one root")
        finally:
            other.send_signal(signal.SIGKILL)
    with root.lock():
        assert (root.path / ".lock").read_text() == str(os.getpid())
    with root.lock():  # given back
        pass


def test_an_approved_model_that_is_held_back_says_why(reported):
    folder, root = reported(blessed=True, held_back="version 17 has a newer model")
    complete = summary.complete(summary.empty(Config(), []), folder, root)
    assert complete["reasons"] == ["good", "version 17 has a newer model"]
    assert not complete["blessed"]
