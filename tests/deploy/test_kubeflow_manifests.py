"""The Kubeflow manifests, and their description in docs/operations.md."""

import os
import subprocess
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubeflow"
HOUR = 3600


@pytest.fixture(scope="module")
def pod() -> dict:
    text = (FOLDER / "pushed-recently.yaml").read_text()
    return yaml.safe_load(text)["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def look(pod: dict, folder: Path) -> subprocess.CompletedProcess:
    """Runs the job's command as it stands, on another serving folder."""
    [container] = pod["containers"]
    given = {entry["name"]: entry["value"] for entry in container["env"]}
    command = [*container["command"], *container["args"]]
    environment = {**os.environ, **given, "SERVING": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(("hours", "code"), [(1, 0), (35, 0), (36, 1), (1000, 1)])
def test_the_job_fails_when_the_newest_version_is_old(pod, tmp_path, hours, code):
    for age in (2000, hours):
        (tmp_path / str(int(time.time()) - age * HOUR - 5)).mkdir()
    for name in (".push-9999999999", "x9999999999"):  # unfinished, and put aside
        (tmp_path / name).mkdir()
    done = look(pod, tmp_path)
    assert done.returncode == code
    assert f"{hours} hours old" in done.stdout


def test_the_job_fails_without_a_version(pod, tmp_path):
    assert look(pod, tmp_path).returncode == 1
    assert look(pod, tmp_path / "missing").returncode == 1


def test_manifests_fit_each_other_and_the_golden_spec(pod):
    claim = yaml.safe_load((FOLDER / "volume.yaml").read_text())
    name = claim["metadata"]["name"]
    [volume] = pod["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == name
    golden = ROOT / "tests" / "pipeline" / "kubeflow" / "golden.yaml"
    spec, platform = yaml.safe_load_all(golden.read_text())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    [mount] = executors["Pusher_executor"]["pvcMount"]
    [mounted] = pod["containers"][0]["volumeMounts"]
    assert mount == {"constant": name, "mountPath": mounted["mountPath"]}
    given = spec["root"]["dag"]["tasks"]["LastPushedModel"]["inputs"]["parameters"]
    [folder] = [e["value"] for e in pod["containers"][0]["env"] if e["name"] == "SERVING"]
    assert given["serving_folder"]["runtimeValue"]["constant"] == folder
    images = {e["container"]["image"] for e in spec["deploymentSpec"]["executors"].values()}
    assert images == {pod["containers"][0]["image"]}


def test_the_docs_name_every_manifest():
    text = (ROOT / "docs" / "operations.md").read_text()
    assert [path.name for path in FOLDER.iterdir() if f"`{path.name}`" not in text] == []
