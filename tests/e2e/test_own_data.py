"""Data and nothing else: the settings are proposed, kept and taken again; and the same over several dates."""

import json
import os

import pytest
import yaml
from worlds import warm

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

QUICK = ["--set=model.members=1", "--set=training.final_epochs=8"]


@pytest.fixture(scope="module")
def command(city, side_files, tmp_path_factory):
    """Runs a command of `crowdflow` on the city's files; returns its exit code and output."""
    folder = tmp_path_factory.mktemp("own")

    def run(name, *more):
        out = folder / f"{name}.out"
        arguments = [name, f"--root={folder / 'root'}", *QUICK, *more]
        arguments += [f"--data={path}" for path in city["parquet"]]
        module = "crowdflow.pipeline.cli.__main__"
        process = warm.Process(module, arguments, out, dict(os.environ), folder)
        return process.wait(), out.read_text()

    return folder / "root", run


def test_data_alone_are_enough(command):
    root, run = command
    code, output = run("run")
    assert code == 0, output
    proposed = yaml.safe_load((root / "proposed.yaml").read_text())
    assert proposed["grid"] == {"rows": 4, "cols": 4}
    assert "settings: none given; proposing some from the data" in output
    summary = json.loads((root / "summary.json").read_text())
    assert summary["blessed"] and summary["refit"]["outcome"] == "trained on all windows"
    frames = summary["counters"]["frames"]
    assert summary["refit"]["trained_until"] == frames["last_interval"]
    test_days = summary["config"]["split"]["test_days"]
    assert summary["windows"]["test"] == test_days * 24
    assert (root / summary["pushed_model"] / "assets.extra/approved/saved_model.pb").is_file()

    (root / "proposed.yaml").write_text(
        (root / "proposed.yaml").read_text().replace(f"test_days: {test_days}", "test_days: 3")
    )
    code, output = run("run")
    assert code in (0, 2), output
    assert f"settings: {root / 'proposed.yaml'}, of an earlier run" in output
    assert json.loads((root / "summary.json").read_text())["windows"]["test"] == 3 * 24


def test_a_backtest_trains_anew_at_each_date(command):
    root, run = command
    code, output = run("backtest", "--folds=2", "--step=3", "--test-days=3")
    assert code == 0, output
    found = json.loads((root / "backtest.json").read_text())
    assert [fold["until"] for fold in found["folds"]] == ["2024-05-05", "2024-05-02"]
    assert [fold["windows"]["test"] for fold in found["folds"]] == [72, 72]
    rmse = [fold["metrics"]["model"]["rmse_active_cells"] for fold in found["folds"]]
    assert rmse[0] != rmse[1]
    for value in rmse:
        assert f"{value:.3f}" in output
    assert "mean ± spread" in output
    assert (root / "backtest.png").read_bytes().startswith(b"\x89PNG")
