"""The image: its Dockerfile is clean, holds what it must, and its installation works."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dockerfile import execute, read
from kfp_local import Cluster

from crowdflow.config.stack import IMAGE_STACK, STACK, TODAY

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))


@pytest.fixture(scope="module")
def instructions():
    return read(DOCKERFILE)


def test_the_linter_has_nothing_to_say():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_would_say_something(tmp_path):
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /tmp && pip install tfx\n")
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, bad], capture_output=True, text=True)
    assert done.returncode == 1
    assert {"DL3006", "DL3013"} <= set(re.findall(r"DL\d+", done.stdout))


def test_every_package_is_copied_and_sent_along(instructions):
    copied = {
        source
        for one in instructions
        if one.word == "COPY" and not one.text.startswith("--from")
        for source in one.text.split()[:-1]
    }
    assert set(PACKAGES) <= copied
    assert all((ROOT / source).exists() for source in copied)
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    sent = {line[1:] for line in lines if line.startswith("!")}
    assert sent == copied


def test_the_image_does_not_run_as_root(instructions):
    [user] = [one.text for one in instructions if one.word == "USER"]
    assert user == "10001"
    assert any(f"--uid {user}" in one.text for one in instructions if one.word == "RUN")
    last = [one.word for one in instructions if one.stage == "run"]
    assert last.index("USER") > last.index("COPY")


def test_both_stages_are_of_one_base_with_todays_python(instructions):
    images = [one.text.split()[0] for one in instructions if one.word == "FROM"]
    build, run = (re.fullmatch(r"(.+@sha256:[0-9a-f]{64})", image)[1] for image in images)
    assert build == run  # the environment is copied from one into the other
    assert IMAGE_STACK == TODAY and run.startswith("python:3.13-slim-trixie@")
    [lock] = [one.text for one in instructions if one.text.startswith("LOCK=")]
    assert lock == f"LOCK={IMAGE_STACK}"


def test_what_only_tests_need_is_taken_out(instructions):
    text = (ROOT / "setup.py").read_text()
    listed = re.findall(
        r'"([\w-]+)(?:\[\w+\])?>', re.search(r'"dev": \[(.*?)\]', text, re.DOTALL)[1]
    )
    removed = next(one.text for one in instructions if "uninstall" in one.text)
    assert set(listed) <= set(removed.split())


@pytest.mark.parametrize(
    ("target", "lock", "name"),
    [
        ("image", "today", "crowdflow:0.1.0"),
        ("image-gpu", "today-gpu", "crowdflow:0.1.0-gpu"),
    ],
)
def test_make_image_says_what_it_would_run(tmp_path, target, lock, name):
    for program in ("bash", "dirname"):  # a PATH without docker
        (tmp_path / program).symlink_to(f"/usr/bin/{program}")
    done = subprocess.run(
        ["/usr/bin/make", target],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    expected = f"docker build --file deploy/Dockerfile --build-arg LOCK={lock} --tag {name} ."
    assert done.stdout.splitlines()[-1] == expected


@pytest.fixture(scope="module")
def installed(instructions, tmp_path_factory) -> Path:
    """What the stage `build` installs, in an environment with nothing of ours: of the stack that runs here."""
    root = tmp_path_factory.mktemp("image")
    kept = ("PIP_", "UV_", "HTTP", "http", "SSL_", "REQUESTS_", "NO_PROXY", "no_proxy")
    environment = {name: v for name, v in os.environ.items() if name.startswith(kept)}
    base = root / "base"  # the base image has Python by this name, a distribution may not
    base.mkdir()
    (base / "python").symlink_to(Path(sys.executable).resolve())
    environment |= {
        "PATH": f"{base}:{sys.base_prefix}/bin:/usr/bin:/bin",
        "HOME": str(root),
    }
    prefix = root / "opt" / "crowdflow"
    execute(instructions, "build", ROOT, root, environment, PREFIX=str(prefix), LOCK=STACK)
    return prefix


def run(prefix: Path, *command: str, folder: Path) -> subprocess.CompletedProcess:
    environment = {"PATH": f"{prefix}/bin:/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )


@pytest.mark.e2e
@pytest.mark.timeout(1800)
def test_installation_gives_a_command_and_an_entry_point(installed, tmp_path):
    assert run(installed, "crowdflow", "--version", folder=tmp_path).stdout.startswith("crowdflow")
    assert "tiny-city" in run(installed, "crowdflow", "presets", folder=tmp_path).stdout
    command = ("python", "-m", "crowdflow.pipeline.kubeflow.entrypoint", "--help")
    assert "--executor_class_path" in run(installed, *command, folder=tmp_path).stdout
    names = {path.name for path in (installed / "bin").iterdir()}
    assert not names & {"pytest", "ruff", "hadolint"}
    [packages] = installed.glob("lib/python3.*/site-packages")
    assert (packages / "crowdflow" / "pipeline" / "kubeflow" / "entrypoint.py").is_file()
    assert not list(packages.glob("__editable__*"))
    bill = json.loads((installed / "sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    listed = {one["name"]: one for one in bill["components"]}
    assert {"crowdflow", "tfx", "tensorflow"} <= listed.keys() and "pytest" not in listed
    assert listed["tfx"]["externalReferences"][0]["hashes"]


@pytest.mark.e2e
@pytest.mark.timeout(1800)
def test_a_step_runs_in_the_installed_environment(installed, tmp_path):
    golden = ROOT / "tests" / "pipeline" / "kubeflow" / "golden.yaml"
    spec = next(iter(yaml.safe_load_all(golden.read_text())))
    task = {"FlowSchema": spec["root"]["dag"]["tasks"]["FlowSchema"]}
    spec["root"]["dag"]["tasks"] = task
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(spec))
    path = f"{installed}/bin:/usr/bin:/bin"
    cluster = Cluster(tmp_path / "cluster", "CROWDFLOW_MOUNT_ROOT", PATH=path)
    done = cluster.run(tmp_path / "one.yaml")
    assert done.states == {"FlowSchema": "executed"}
    schema = cluster.path(done, "FlowSchema", "frame_schema") / "schema.pbtxt"
    assert "feature {" in schema.read_text()
