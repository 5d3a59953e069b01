"""Ingest, windows and a whole run on a real Flink and a real Spark, with two workers each."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from worlds import beam_runs

pytestmark = [pytest.mark.engines, pytest.mark.timeout(3600)]
COMMAND = Path(sys.executable).with_name("crowdflow")


@pytest.fixture(scope="module", params=beam_runs.FORMS)
def world(request, tmp_path_factory):
    return beam_runs.make_world(request.param, tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def one_process(world, tmp_path_factory):
    return beam_runs.run(*world, [], tmp_path_factory.mktemp("one") / "out")


def test_frames_and_windows_are_those_of_one_process(engine, world, one_process, tmp_path):
    assert beam_runs.run(*world, engine, tmp_path / "out") == one_process
    assert len(one_process[0]["frames"]) == (14 + 7 + 1) * 24
    assert all(one_process[0].values())


def test_a_whole_run_pushes_the_model_of_one_process(engine, tmp_path):
    metrics = []
    for name, options in (("engine", engine), ("one", [])):
        settings = {"beam.all": options, "evaluation.refit": False}
        chosen = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
        command = [COMMAND, "run", "--preset=tiny-city", f"--root={tmp_path / name}", *chosen]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        summary = json.loads((tmp_path / name / "summary.json").read_text())
        assert summary["pushed_model"]
        metrics.append(summary["metrics"])
    for source, values in metrics[1].items():  # sums in another order
        assert (metrics[0][source] or {}) == pytest.approx(values or {}, rel=1e-9)
