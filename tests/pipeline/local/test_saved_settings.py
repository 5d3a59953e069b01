"""What a run writes about its settings and its failures has no secrets."""

import logging
import subprocess
import sys
from pathlib import Path

import yaml
from rich.console import Console

from crowdflow.pipeline.local.console import Progress
from crowdflow.pipeline.local.root import Root
from crowdflow.pipeline.local.runner import _log_to_file, _reason

COMMAND = Path(sys.executable).with_name("crowdflow")


def test_a_run_that_fails_keeps_names_and_no_values(tmp_path):
    done = subprocess.run(
        [
            *(COMMAND, "run", "--root", "root", "--preset", "bikenyc", "--data", "no-such-file"),
            *("--set", "kubeflow.environment=[AWS_SECRET_ACCESS_KEY=s3cr3t]"),
            *("--set", "beam.all=[--s3_secret_access_key=s3cr3t]"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "no-such-file" in done.stdout
    saved = yaml.safe_load((tmp_path / "root" / "config.yaml").read_text())
    assert saved["kubeflow"]["environment"] == ["AWS_SECRET_ACCESS_KEY=***"]
    assert saved["beam"]["all"] == ["--s3_secret_access_key=***"]
    written = [path for path in (tmp_path / "root").rglob("*") if path.is_file()]
    assert {"summary.json", "config.yaml"} <= {path.name for path in written}
    assert [path for path in written if b"s3cr3t" in path.read_bytes()] == []
    assert "s3cr3t" not in done.stdout + done.stderr


def test_neither_the_log_nor_the_reason_of_a_failure_has_a_password(tmp_path, monkeypatch):
    for name in (None, "crowdflow", "absl"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
    root = Root(tmp_path)
    progress = Progress(Console())
    path = _log_to_file(root, progress)
    try:
        raise ValueError("http://user:s3cr3t@host/ does not answer")
    except ValueError as error:
        reason = _reason(error, path)
    assert reason.startswith("ValueError: http://***@host/ does not answer")
    logging.getLogger("other").warning("beam_pipeline_args: %r", "--s3_session_token=s3cr3t")
    logging.captureWarnings(False)
    for handler in logging.getLogger().handlers:
        handler.close()
    text = path.read_text()
    assert "--s3_session_token=***" in text and "s3cr3t" not in text
