"""SIGKILL at any moment, then the same command again: nothing is lost and nothing is half there."""

import json
import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest
from worlds.metrics import close

pytestmark = pytest.mark.e2e


def kill_during(crowdflow, root: Path, node: str, seconds: float) -> str:
    """Kills a run `seconds` after a node began; the log up to then."""
    with crowdflow.followed(root) as (run, log):
        log.wait_for(f"Component {node} is running.")
        time.sleep(seconds)
        run.kill()
    assert not log.has(f"Component {node} is finished."), f"{node} was faster than the kill"
    return log.text


def kill_after(crowdflow, root: Path, words: str) -> str:
    """Kills a run right after it logged these words; the log up to then."""
    with crowdflow.followed(root) as (run, log):
        log.wait_for(words)
        run.kill()
    log.has("")
    return log.text


@pytest.mark.timeout(1800)
def test_a_run_killed_in_every_node_ends_as_if_undisturbed(first, crowdflow, tmp_path):
    root = tmp_path / "root"
    seconds = {node["id"]: node["seconds"] for node in first.summary["nodes"]}
    for node in first.states:
        if node == "Trainer":  # before it trained, then in each of its phases
            assert "resumed" not in kill_during(crowdflow, root, node, 0)
            assert "resumed" not in kill_after(crowdflow, root, "phase 1  epoch 3/25")
            assert "resumed: phase 1 " in kill_after(crowdflow, root, "phase 2  epoch 2/10")
        elif node == "Refit":
            assert "resumed" not in kill_after(crowdflow, root, "phase 2  epoch 3/")
        else:
            text = kill_during(crowdflow, root, node, 0.1 * seconds[node])
            after_training = node in ("LastPushedModel", "Pusher")
            assert ("resumed: phase 2 " in text) == after_training
    [left] = json.loads((root / "summary.json").read_text())["reasons"]
    assert "was killed" in left  # not the account of a run before
    run = crowdflow(root)
    assert run.code == 0
    assert run.summary["metrics"] == close(first.summary["metrics"])
    assert run.summary["windows"] == first.summary["windows"]
    assert set(run.states) == set(first.states)
    assert set(run.states.values()) == {"executed", "cached"}
    [version] = run.versions
    assert run.summary["pushed_model"] == f"serving/crowdflow/{version.name}"
    assert (version / "saved_model.pb").is_file()
    assert (root / run.summary["report"]).is_file()
    [history] = root.glob("artifacts/Trainer/model_run/*/history.json")
    epochs = [
        (entry["phase"], entry["epoch"]) for entry in json.loads(history.read_text())["history"]
    ]
    assert epochs == [(1, n) for n in range(1, 26)] + [(2, n) for n in range(1, 11)]

    again = crowdflow(root)
    assert again.executed <= {"LastPushedModel", "Pusher"}
    assert again.versions == [version]


@pytest.mark.timeout(600)
def test_a_push_killed_while_it_copies_leaves_no_half_version(tmp_path):
    from crowdflow.components.pusher.executor import push
    from crowdflow.storage.versions import complete_versions, model_digest

    model, serving = tmp_path / "model", tmp_path / "serving"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph" * 1000)
    for n in range(40):
        (model / "variables" / str(n)).write_bytes(np.random.default_rng(n).bytes(1 << 20))
    processes = multiprocessing.get_context("fork")
    began = time.monotonic()
    version = push(model, serving)
    whole = time.monotonic() - began
    during = 0
    for delay in np.linspace(0, whole, 30):
        if version.exists():
            version.rename(tmp_path / f"away-{delay}")
        process = processes.Process(target=push, args=(model, serving))
        process.start()
        time.sleep(delay)
        process.kill()
        process.join()
        during += any(serving.glob(".push-*"))
        for version in complete_versions(serving):
            assert model_digest(version) == model_digest(model)
        assert all(path.name.startswith(".push-") for path in serving.iterdir() if path != version)
    assert during
    last = push(model, serving)
    assert list(serving.iterdir()) == [last] == complete_versions(serving)
    assert model_digest(last) == model_digest(model)
    assert push(model, serving) == last
