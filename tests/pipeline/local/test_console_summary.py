"""A run's console output and summary.json, and the lock on its root."""

import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2
from rich.console import Console

from crowdflow.config import Config
from crowdflow.pipeline.local import console as console_module
from crowdflow.pipeline.local import summary
from crowdflow.pipeline.local.console import UNBLESSED, Progress, print_outcome, results_table
from crowdflow.pipeline.local.root import Root
from crowdflow.schema.errors import RootBusyError

ERRORS = {
    "rmse_active_cells": 5.0,
    "inflow_rmse_active_cells": 4.5,
    "outflow_rmse_active_cells": 5.5,
    "mae_active_cells": 2.25,
    "rmse_all_cells": 3.976,
}


def errors(factor):
    return {name: factor * value for name, value in ERRORS.items()}


METRICS = {
    "model": errors(1),
    "last_pushed": None,
    "last_interval": errors(2),
    "last_week": errors(1.9),
    "historical_average": errors(1.5),
}

DRIFT = {
    "version": "16",
    "newest": "a to b",
    "training": "c to d",
    "not_compared": None,
    "measurements": [{}] * 10,
    "anomalies": ["inflow, by cell: 0.1, above 0.05"],
}


def screen(terminal=False):
    return Console(
        file=io.StringIO(), force_terminal=terminal, width=60, highlight=False, color_system=None
    )


def tfx_log(progress):
    """A logger that writes as TFX's local runner and launcher do."""
    log = logging.Logger("absl")
    log.addHandler(progress)
    return log


def run_nodes(progress):
    log = tfx_log(progress)
    log.info("Component %s is running.", "Trainer")
    log.info("some other line of TFX")
    ours = logging.Logger("crowdflow.training")
    ours.addHandler(progress)
    ours.info("phase 1  epoch 1/5  [loss] %s", "1.2e-02 " + "x" * 80)
    log.info("Component %s is finished.", "Trainer")
    log.info("Component %s is running.", "Evaluator")
    log.info("A cached execution %d is used.", 7)
    log.info("Component %s is finished.", "Evaluator")
    log.info("Component %s is running.", "Pusher")


def test_nodes_and_epochs_are_shown_as_they_run():
    console = screen()
    progress = Progress(console)
    run_nodes(progress)
    assert progress.current == "Pusher"
    progress.stop()
    lines = console.file.getvalue().splitlines()
    # An epoch's line keeps its brackets and is not wrapped; TFX's own talk is left out.
    assert lines[0] == f"    phase 1  epoch 1/5  [loss] 1.2e-02 {'x' * 80}"
    assert re.fullmatch(r"  Trainer +done +\d+\.\d s", lines[1])
    assert re.fullmatch(r"  Evaluator +cached +\d+\.\d s", lines[2])
    assert len(lines) == 3
    assert list(progress.seconds) == ["Trainer", "Evaluator", "Pusher"]
    assert all(0 <= seconds < 5 for seconds in progress.seconds.values())
    assert progress.current is None


def test_a_terminal_sees_a_node_begin():
    console = screen(terminal=True)
    run_nodes(Progress(console))
    text = console.file.getvalue()
    assert text.index("Trainer ...") < text.index("phase 1") < text.index("done")
    assert "Pusher ..." in text


def test_tfx_still_logs_the_lines_that_are_followed():
    folder = Path(util.find_spec("tfx").origin).parent / "orchestration"
    runner = (folder / "local" / "local_dag_runner.py").read_text()
    launcher = (folder / "portable" / "launcher.py").read_text()
    assert console_module._NODE_STARTS in runner and console_module._NODE_ENDS in runner
    assert console_module._NODE_CACHED in launcher


def test_the_table_has_a_row_for_each_forecast_there_is():
    console = Console(file=io.StringIO(), width=80)
    console.print(results_table(METRICS))
    text = console.file.getvalue()
    assert re.search(r"this model.*5\.000.*4\.500.*5\.500.*2\.250.*3\.976", text)
    assert re.search(r"historical average.*7\.500", text)
    assert "last pushed" not in text
    console.print(results_table({**METRICS, "last_pushed": errors(1.1)}))
    assert re.search(r"last pushed model.*5\.500.*4\.950", console.file.getvalue())
    console.print(results_table({**METRICS, "model": errors(30)}))  # still no cell is cut short
    assert "…" not in console.file.getvalue()


def printed(**given):
    """The lines that are printed for a completed run."""
    console = screen()
    frames = {
        "files": 3,
        "records_read": 99000,
        "frames": 99,
        "rejected": {"negative_flow": 3, "outside_grid": 0},
        "rejects_listed": 3,
        "missing_intervals": 2,
        "interval_incomplete": 0,
        "weather_unknown": 4,
        "first_interval": "2024-05-01 00:00",
        "last_interval": "2024-05-05 04:00",
    }
    windows = {"dropped": {"trend-1": 160}, "naive_fallbacks": 1}
    outcome = {
        "config": {"paths": {"root": "runs/x"}},
        "metrics": METRICS,
        "counters": {"frames": {**frames, **given.pop("frames", {})}, "windows": windows},
        "windows": {"train": 90, "eval": 10, "test": 24},
        "reasons": ["rmse_active_cells 5.0000 is below 7.5000, the best naive forecast"],
        "drift": DRIFT,
        "report": "report/index.html",
        **given,
    }
    print_outcome(console, outcome)
    return console.file.getvalue().splitlines()


def test_the_outcome_tells_what_was_read_and_what_was_left_out():
    lines = printed(blessed=False, pushed_model=None)
    for line in (
        "records read 99,000",
        "records rejected: negative_flow 3",
        "also counted: weather_unknown 4",
        "99 intervals from 2024-05-01 00:00 to 2024-05-05 04:00, 2 missing",
        "windows: 90 train, 10 eval, 24 test",
        "windows whose naive forecasts fall back: 1",
        "windows dropped by first missing lag: trend-1 160",
        "rmse_active_cells 5.0000 is below 7.5000, the best naive forecast",
        "drift: 1 of 10 distributions, a to b against the training data of version 16",
        "  inflow, by cell: 0.1, above 0.05",
    ):
        assert line in lines
    assert lines[-1] == "Report: runs/x/report/index.html"


def test_what_was_read_is_not_called_a_gap():
    counts = {"trips_read": 31500, "starts_binned": 31000, "ends_binned": 30000}
    rejects = {"start_rejects": {"outside_grid": 500}, "end_rejects": {}, "point_rejects": {}}
    lines = printed(blessed=False, pushed_model=None, frames={**counts, **rejects})
    assert "trips read 31,500, starts binned 31,000, ends binned 30,000" in lines
    assert "starts rejected: outside_grid 500" in lines
    assert not [line for line in lines if "gap" in line]


@pytest.mark.parametrize(
    ("blessed", "pushed", "verdict"),
    [
        (True, "serving/crowdflow/17", "Blessed. Pushed to runs/x/serving/crowdflow/17"),
        (True, "s3://city/serving/17", "Blessed. Pushed to s3://city/serving/17"),
        (False, None, "Refused, nothing pushed."),
        (False, "s3://city/serving/17", f"{UNBLESSED} Pushed to s3://city/serving/17"),
    ],
)
def test_the_outcome_says_whether_a_model_was_blessed_and_pushed(blessed, pushed, verdict):
    assert verdict in printed(blessed=blessed, pushed_model=pushed)


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

    def write(blessed):
        folder, root = tmp_path / "artifact", Root(tmp_path / "root")
        folder.mkdir()
        root.path.mkdir()
        (folder / "index.html").write_text("<html>")
        account = {
            "versions": {"tfx": "1.16.0"},
            "counters": COUNTERS,
            "metrics": METRICS,
            "blessed": blessed,
            "reasons": ["good"],
            "drift": DRIFT,
            "pushed_version": "1700000000",
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
