"""A run from records to a pushed model, one that finds nothing to do, and one that must wait."""

import importlib.metadata
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from crowdflow.config import Config
from crowdflow.pipeline.local.console import LABELS
from crowdflow.schema.features import NAIVE_FORECASTS
from crowdflow.storage.versions import model_digest

# A whole run or two: the imports alone take 20 s.
pytestmark = pytest.mark.timeout(900)

TRAINING = Path(__file__).parents[2] / "benchmarks" / "training.py"
METRICS = {
    "rmse_active_cells",
    "rmse_all_cells",
    "mae_active_cells",
    "inflow_rmse_active_cells",
    "outflow_rmse_active_cells",
}


def test_a_run_ends_with_a_pushed_model_and_its_account(first, crowdflow):
    assert first.code == 0
    account = first.summary
    assert list(account) == [
        "preset", "config", "seed", "versions", "libraries", "nodes", "counters", "windows", "metrics",
        "quantiles", "blessed", "reasons", "refit", "drift", "live", "pushed_model", "report",
    ]  # fmt: skip
    assert (account["preset"], account["seed"]) == ("tiny-city", 1)
    config = Config.load(first.root / "config.yaml")
    assert account["config"] == config.to_dict()
    assert (config.grid.rows, config.grid.cols, config.training.epochs) == (4, 4, 25)
    assert config.paths.root == str(first.root)
    for name in ("crowdflow", "tfx", "tensorflow", "keras", "apache-beam", "numpy"):
        assert account["versions"][name] == importlib.metadata.version(name)

    assert set(account["libraries"]) == set(crowdflow.nodes)
    for found in account["libraries"].values():
        assert found == {name: importlib.metadata.version(name) for name in found}
    assert {"keras", "tensorflow"} <= account["libraries"]["Trainer"].keys()
    assert sorted(first.states) == sorted(crowdflow.nodes)
    assert set(first.states.values()) == {"executed"}
    for node in account["nodes"]:
        assert set(node) == {"id", "state", "seconds"}
        assert 0 <= node["seconds"] < 600

    # 35 days of 24 hours; the first week has no trend lag, the last 5 days are the test.
    assert account["counters"]["frames"]["frames"] == 35 * 24
    assert account["counters"]["windows"]["windows"] == account["windows"]
    assert account["windows"]["test"] == 5 * 24
    # Nor have the first four hours after it an average at each closeness lag.
    assert sum(account["windows"].values()) == 28 * 24 - 4
    assert account["windows"]["eval"] == math.ceil(0.1 * (23 * 24 - 4))


def test_nothing_that_a_run_leaves_has_a_secret_of_its_settings(first, crowdflow):
    secret = crowdflow.secret.encode()
    left = [path for path in first.root.rglob("*") if path.is_file()]
    assert {"metadata.sqlite", "summary.json", "index.html"} <= {path.name for path in left}
    assert [path for path in left if secret in path.read_bytes()] == []
    assert crowdflow.secret not in first.output
    for name in ("CITY_PASSWORD=***", "--s3_secret_access_key=***"):
        assert name in (first.root / "report" / "index.html").read_text()


def test_the_metrics_say_why_the_model_was_pushed(first):
    metrics = first.summary["metrics"]
    assert set(metrics) == {"model", "median", "last_pushed", *NAIVE_FORECASTS}
    held = first.summary["quantiles"]
    assert held["levels"] == first.summary["config"]["model"]["quantiles"]
    assert set(held["sources"]) == {"model", "hour_of_week", "poisson"}
    assert held["sources"]["model"]["pinball"] < held["sources"]["poisson"]["pinball"]
    assert 0.6 < held["sources"]["model"]["coverage_80"] < 0.95
    assert len(held["by_part"]) == 4 and len(held["by_size"]) == 3
    assert metrics["last_pushed"] is None
    for source in ("model", *NAIVE_FORECASTS):
        values = metrics[source]
        assert set(values) >= METRICS
        assert values["rmse_all_cells"] <= values["rmse_active_cells"]
        assert values["mae_active_cells"] <= values["rmse_active_cells"]
        # Both directions have as many values: the whole is their quadratic mean.
        both = values["inflow_rmse_active_cells"] ** 2 + values["outflow_rmse_active_cells"] ** 2
        assert (both / 2) ** 0.5 == pytest.approx(values["rmse_active_cells"], rel=1e-6)
    best = min(metrics[source]["rmse_active_cells"] for source in NAIVE_FORECASTS)
    own = metrics["model"]["rmse_active_cells"]
    assert own < best
    assert first.summary["blessed"] is True
    by_rmse, by_mae = first.summary["reasons"]
    assert f"{own:.4f}" in by_rmse and f"{best:.4f}" in by_rmse
    own = metrics["model"]["mae_active_cells"]
    best = min(metrics[source]["mae_active_cells"] for source in NAIVE_FORECASTS)
    assert own < best
    assert f"{own:.4f}" in by_mae and f"{best:.4f}" in by_mae


def test_the_pushed_model_was_trained_on_the_test_days_too(first, pushed):
    frames = first.summary["counters"]["frames"]
    assert first.summary["refit"] == {
        "outcome": "trained on all windows",
        "trained_until": frames["last_interval"],
        "approved_until": "2024-04-30 23:00",
    }
    approved = pushed / "assets.extra" / "approved"
    assert model_digest(approved) == model_digest(
        first.artifact("Trainer", "model") / "Format-Serving"
    )


def test_what_a_run_leaves_is_where_its_account_says(first, pushed):
    version = first.root / first.summary["pushed_model"]
    assert first.summary["pushed_model"] == f"serving/crowdflow/{version.name}"
    assert version.name.isdigit()
    assert first.versions == [version]
    assert (pushed / "saved_model.pb").is_file()
    page = first.root / first.summary["report"]
    assert first.summary["report"] == "report/index.html"
    assert "<html" in page.read_text(encoding="utf-8")[:500]
    assert (first.root / "config.yaml").is_file()


def test_its_windows_go_into_a_file_for_a_machine_without_tfx(first, tmp_path):
    file = tmp_path / "windows.npz"
    command = [sys.executable, str(TRAINING), "--write-windows", str(file), "--root"]
    subprocess.run([*command, str(first.root)], check=True)
    with np.load(file) as found:
        sizes = {split: len(found[f"{split}/target"]) for split in first.summary["windows"]}
        assert sizes == first.summary["windows"]
        assert 0 < found["active"] <= 4 * 4
        assert found["maps"].shape[1:] == (4, 4, 2)


def test_the_output_is_an_account_for_people(first, crowdflow):
    lines = first.output.splitlines()
    for node in crowdflow.nodes:
        assert (
            sum(re.fullmatch(rf"  {node} +done +\d+\.\d s", line) is not None for line in lines)
            == 1
        )
    assert sum("phase 1  epoch" in line for line in lines) == 25
    [(windows, epochs)] = re.findall(r"once more on all (\d+) windows, (\d+) epochs", first.output)
    assert int(windows) == sum(first.summary["windows"].values())
    assert 10 < int(epochs) <= 35
    assert sum("phase 2  epoch" in line for line in lines) == 10 + int(epochs)
    for label in ("this model", *map(LABELS.get, NAIVE_FORECASTS)):
        assert any(line.strip().startswith(label) for line in lines), label
    assert lines[-2] == f"Blessed. Pushed to {first.root / first.summary['pushed_model']}"
    assert lines[-1] == f"Report: {first.root / 'report/index.html'}"
    assert max(map(len, lines)) < 250
    assert "Warning" not in first.output  # libraries' chatter goes to the log


def test_nothing_changed_takes_every_cacheable_node_from_cache(first, second):
    assert second.code == 0
    assert second.executed <= {"LastPushedModel", "Pusher"}
    assert set(second.states) == set(first.states)
    for name in ("metrics", "windows", "counters", "blessed", "reasons", "pushed_model", "report"):
        assert second.summary[name] == first.summary[name], name
    assert [path.name for path in second.versions] == [
        second.summary["pushed_model"].split("/")[-1]
    ]
    assert len(re.findall(r"^  \w+ +cached ", second.output, re.MULTILINE)) >= 10


def test_two_runs_on_one_root_at_once(contested):
    run, other = contested
    assert other.returncode == 1
    output = other.stdout + other.stderr
    assert output.count("\n") == 1
    assert str(run.root) in output and "another run (process" in output
    assert run.code == 0
