"""What a run writes about its settings and its failures has no secrets."""

import subprocess
import sys
from pathlib import Path

import yaml

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


LOGGING = """
import logging, sys
from rich.console import Console
from crowdflow.config import Config
from crowdflow.pipeline.local.console import Progress
from crowdflow.pipeline.local.root import Root
from crowdflow.pipeline.local.runner import _log_to_file, _reason
root = Root(sys.argv[1])
path = _log_to_file(root, Progress(Console()))
try:
    raise ValueError("http://user:s3cr3t@host/ does not answer")
except ValueError as error:
    print(_reason(error, path, root, Config()))
logging.getLogger("other").warning("beam_pipeline_args: %r", "--s3_session_token=s3cr3t")
logging.getLogger("other").exception("http://user:s3cr3t@host/")
"""


def test_neither_the_log_nor_the_reason_of_a_failure_has_a_password(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LOGGING, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("ValueError: http://***@host/ does not answer")
    [path] = (tmp_path / "logs").iterdir()
    text = path.read_text()
    assert "--s3_session_token=***" in text and "ERROR other http://***@host/" in text
    assert "s3cr3t" not in text + done.stdout + done.stderr
