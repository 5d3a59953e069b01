"""`make pin` fixes images by the digests that docker answers; a small program answers here in docker's place."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKER = """#!/bin/bash
[[ "$*" == "buildx imagetools inspect --format {{.Manifest.Digest}} "* ]] || exit 2
image=${@: -1}
[[ $image != $REFUSED ]] || { echo "no such image" >&2; exit 1; }
echo "sha256:$(echo "$image$DAY" | sha256sum | cut -c1-64)"
"""
REFERENCE = re.compile(r"^(?:FROM| *image:) (\S+)", re.MULTILINE)


@pytest.fixture
def pin(tmp_path):
    """Runs the script on a copy of deploy/."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(DOCKER)
    (tmp_path / "bin" / "docker").chmod(0o755)

    def run(**environment: str) -> subprocess.CompletedProcess:
        path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
        command = [tmp_path / "scripts" / "pin.sh"]
        environment = {**os.environ, "PATH": path, "REFUSED": "", "DAY": "", **environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    return run


def references(deploy: Path) -> dict[str, str]:
    """The digest of every image that is named in deploy/, "" where there is none."""
    found = {}
    for path in [deploy / "Dockerfile", *sorted(deploy.rglob("*.yaml"))]:
        for image in REFERENCE.findall(path.read_text()):
            name, _, digest = image.partition("@")
            assert found.setdefault(name, digest) == digest, f"{name} differs in {path}"
    return found


def test_every_image_that_is_not_ours_gets_its_digest(pin, tmp_path):
    before = references(ROOT / "deploy")
    done = pin()
    assert done.returncode == 0, done.stderr
    found = references(tmp_path / "deploy")
    assert found.keys() == before.keys()
    assert found.pop("crowdflow:0.1.0") == ""
    assert len(found) == len(set(found.values())) == 5
    assert set(done.stdout.splitlines()) == {f"{name}@{digest}" for name, digest in found.items()}
    kustomization = (tmp_path / "deploy/serving/kubernetes-gpu/kustomization.yaml").read_text()
    tag, digest = re.search(r"newTag: (\S+)\n    digest: (\S+)\n", kustomization).groups()
    assert digest == found[f"tensorflow/serving:{tag}"]


def test_a_later_day_replaces_the_digests_and_nothing_else(pin, tmp_path):
    def files() -> dict[Path, str]:
        paths = [path for path in (tmp_path / "deploy").rglob("*") if path.is_file()]
        return {path: re.sub("sha256:[0-9a-f]{64}", "DIGEST", path.read_text()) for path in paths}

    pin()
    first, before = references(tmp_path / "deploy"), files()
    pin(DAY="later")
    later = references(tmp_path / "deploy")
    assert [name for name in first if first[name] == later[name]] == ["crowdflow:0.1.0"]
    assert files() == before


def test_nothing_is_written_where_an_image_has_no_answer(pin, tmp_path):
    before = references(tmp_path / "deploy")
    done = pin(REFUSED="tensorflow/serving:2.19.1")
    assert done.returncode and "no such image" in done.stderr
    assert references(tmp_path / "deploy") == before
