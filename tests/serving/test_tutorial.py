"""The tutorial's commands, on a run of its own and the stand-in server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from standin import server
from worlds.pages import read_page

from crowdflow.storage.versions import complete_versions

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CITY = Path("runs", "tiny-city")
MODEL = CITY / "serving" / "crowdflow"
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": PATH}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where `make run` ended with a pushed model."""
    folder = tmp_path_factory.mktemp("tutorial")
    run(["crowdflow", "run", "--preset", "tiny-city"], folder)
    return folder


def test_the_blocks_do_what_they_say(folder):
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    blocks = [b for b in BLOCK.findall(text) if not re.search(r"^make run$|docker", b[1], re.M)]
    assert [language for language, _ in blocks] == ["bash", "bash", "python", "bash"]
    said = []
    with server.process(folder / MODEL) as standin:
        for language, script in blocks:
            script = script.replace("localhost:8501", f"127.0.0.1:{standin.rest}")
            script = script.replace("localhost:8500", f"127.0.0.1:{standin.grpc}")
            start = ["bash", "-euo", "pipefail"] if language == "bash" else [sys.executable]
            said.append(run([*start, "-c", script], folder))
    by_folder, by_server, python, by_batch = said
    [forecast] = re.findall(r"^\d{4}-.*inflow.*$", by_folder, re.MULTILINE)
    assert by_server.count(forecast) == 2  # REST and gRPC
    assert "AVAILABLE" in by_server
    assert "(1, 1, 8, 8, 2)" in python
    for picture in ("next.png", "served.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    assert len(pd.read_parquet(folder / "forecasts.parquet")) == 48 * 8 * 8
    assert "168 forecasts" in by_batch and "168 steps scored" in by_batch
    assert len(read_page((folder / "forecast.html").read_text())["times"]) == 168


def test_the_signature_is_what_the_tutorial_shows(folder):
    [version] = complete_versions(folder / MODEL)
    command = ["saved_model_cli", "show", "--dir", str(version)]
    said = run([*command, "--tag_set", "serve", "--signature_def", "serving_default"], folder)
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"^```text\n(The given SavedModel .*?)^```$", text, re.M | re.S)
    assert said.strip() == shown.strip()
