"""The set-up: what the wheel ships, what the locks pin, what is installed."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import crowdflow
from crowdflow.config.stack import STACK

ROOT = Path(__file__).resolve().parents[1]
STACKS = ["older", "today"]
LOCKS = [f"requirements/{stack}{gpu}.txt" for stack in STACKS for gpu in ("", "-gpu")]
# The Pythons that a lock is for.
PYTHONS = {"older": ["3.10"], "today": ["3.12", "3.13"]}
LOCKED = re.compile(
    r"(?P<name>[\w.-]+)(\[[\w,-]+\])?==(?P<version>\S+)( ; (?P<marker>[^\\]+))?"
    r"( \\\n    --hash=sha256:[0-9a-f]{64})+\n"
)
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))


def shipped_files() -> dict[str, bytes]:
    """Every file below our package folders, by the path that it must have in the wheel."""
    paths = (path for name in PACKAGES for path in (ROOT / name).rglob("*"))
    return {
        f"crowdflow/{path.relative_to(ROOT).as_posix().removeprefix('crowdflow/')}": path.read_bytes()
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
    }


def locked_blocks(lock: str) -> list[str]:
    """The entries of a lock, each with the indented lines that belong to it."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    return [
        block for block in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if block[:1] not in "#"
    ]


def versions(lock: str, python: str) -> dict[str, str]:
    """The version that a lock pins for each normalised name, on a Python such as 3.12."""
    environment = {"python_version": python, "python_full_version": f"{python}.1"}
    matches = (LOCKED.match(block) for block in locked_blocks(lock))
    return {
        canonicalize_name(match["name"]): match["version"]
        for match in matches
        if not match["marker"] or Marker(match["marker"].strip()).evaluate(environment)
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel, built from the checkout as `make install` builds it: nothing is left there."""
    scratch = tmp_path_factory.mktemp("wheel")
    options = scratch / "build.cfg"
    options.write_text(
        f"[build]\nbuild_base = {scratch / 'build'}\n[egg_info]\negg_base = {scratch}\n"
    )
    build = "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", build, scratch],
        cwd=ROOT,
        env=os.environ | {"DIST_EXTRA_CONFIG": str(options)},
        check=True,
        capture_output=True,
    )
    (path,) = scratch.glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_exactly_the_files_of_our_packages(wheel):
    in_wheel = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert in_wheel == set(shipped_files())


def test_building_leaves_nothing_in_the_checkout(wheel):
    assert not (ROOT / "build").exists()
    assert not list(ROOT.glob("*.egg-info"))


def test_wheel_ships_the_license(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("LICENSE"))
    assert b"Apache License" in wheel.read(name)


def test_tests_meet_the_installed_package():
    site_packages = Path(sysconfig.get_path("purelib"))
    assert Path(crowdflow.__file__).parent == site_packages / "crowdflow", "run `make test`"
    for name, content in shipped_files().items():
        assert (site_packages / name).read_bytes() == content, f"{name}: run `make install`"


def test_no_dependency_uses_our_package_name():
    owners = importlib.metadata.packages_distributions()
    assert owners["crowdflow"] == ["crowdflow"]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_entry_has_a_version_and_hashes(lock):
    blocks = locked_blocks(lock)
    assert len(blocks) > 200
    assert [block for block in blocks if not LOCKED.match(block)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_an_index(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links", text)


@pytest.mark.parametrize("stack", STACKS)
def test_gpu_lock_is_the_same_set_plus_cuda(stack):
    locks = (f"requirements/{stack}.txt", f"requirements/{stack}-gpu.txt")
    base, gpu = (versions(lock, PYTHONS[stack][-1]) for lock in locks)
    assert base.items() <= gpu.items()
    extra = gpu.keys() - base.keys()
    assert "nvidia-cudnn-cu12" in extra
    assert all(name.startswith("nvidia-") for name in extra)


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_satisfy_the_ranges_of_setup_py(wheel, lock):
    (name,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
    lines = wheel.read(name).decode().splitlines()
    needs = [Requirement(line[15:]) for line in lines if line.startswith("Requires-Dist: ")]
    assert len(needs) > 20
    active = ["", "dev", "kubeflow", *(["gpu"] if "gpu" in lock else [])]
    for python in PYTHONS[lock.partition("/")[2].partition("-")[0].removesuffix(".txt")]:
        locked, environment = versions(lock, python), {"python_version": python}
        for need in needs:
            if need.marker is None or any(
                need.marker.evaluate({**environment, "extra": extra}) for extra in active
            ):
                version = locked[canonicalize_name(need.name)]
                assert need.specifier.contains(version), f"{need}: run `make lock`"


def test_installed_versions_are_the_locked_ones():
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    locked = versions(f"requirements/{STACK}.txt", python)
    installed = {name: importlib.metadata.version(name) for name in locked}
    assert installed == locked


def test_crowdflow_answers_from_any_folder(tmp_path):
    script = Path(sys.executable).with_name("crowdflow")
    done = subprocess.run([script, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage: crowdflow" in done.stdout


def make(target: str, folder: Path, **env: str) -> str:
    """Runs make as from a shell of its own and returns what it printed."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", *target.split()], cwd=folder, env=outer | env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def stack_on(tmp_path):
    """What `scripts/stack.sh` says on a machine with another glibc: exit code, lock, why."""

    def run(libc: str, *arguments: str) -> tuple[int, str, str]:
        (tmp_path / "getconf").write_text(f"#!/bin/sh\necho {libc}\n")
        (tmp_path / "getconf").chmod(0o755)
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        command = [ROOT / "scripts" / "stack.sh", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    return run


@pytest.mark.parametrize(
    ("libc", "asked", "lock", "why"),
    [
        ("glibc 2.39", "", "today", "glibc 2.39 is 2.39 or later"),
        ("glibc 2.41", "-gpu", "today-gpu", "glibc 2.41 is 2.39 or later"),
        ("glibc 2.36", "", "older", "glibc 2.36; today's stack needs glibc 2.39 or later"),
        ("glibc 2.9", "-gpu", "older-gpu", "glibc 2.9; today's stack needs"),
        ("glibc 2.41", "older", "older", "as asked"),
        ("glibc 2.41", "today-gpu", "today-gpu", "as asked"),
    ],
)
def test_the_newest_stack_that_the_machine_can_run_is_taken(stack_on, libc, asked, lock, why):
    code, found, said = stack_on(libc, *filter(None, [asked]))
    assert (code, found) == (0, f"requirements/{lock}.txt")
    assert said.startswith(f"Stack {lock} (TFX 1.") and why in said
    assert (ROOT / found).is_file()


@pytest.mark.parametrize(
    ("libc", "asked", "fault"),
    [
        ("glibc 2.36", "today", "STACK=today: expected glibc 2.39 or later"),
        ("musl", "today-gpu", "Received: musl."),
        ("glibc 2.41", "newest", "STACK=newest: expected today, older, today-gpu or older-gpu."),
    ],
)
def test_a_stack_that_does_not_run_here_is_refused_in_words(stack_on, libc, asked, fault):
    code, found, said = stack_on(libc, asked)
    assert (code, found) == (1, "") and fault in said


def test_make_alone_lists_the_targets():
    listed = re.findall(r"^make ([a-z0-9-]+) +\S", make("", ROOT), re.MULTILINE)
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert set(listed) == set(phony[1].split())


def test_make_bench_names_every_benchmark():
    listed = make("bench", ROOT)
    for path in ROOT.glob("benchmarks/[a-z]*.py"):
        assert f"benchmarks/{path.name}\n" in listed


@pytest.mark.e2e
def test_fresh_checkout_installs_itself_and_only_what_changed():
    """With a distribution's own python3 first on PATH beside the tests' own interpreter."""
    path = f"/usr/bin:/bin:{sys.base_prefix}/bin"
    ignore = shutil.ignore_patterns(".git", ".venv", ".uv", "runs", "__pycache__", ".*_cache")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "checkout"
        shutil.copytree(ROOT, folder, ignore=ignore)
        before = set(os.listdir(folder))

        assert "crowdflow" in make("install", folder, PATH=path)
        assert make("install", folder, PATH=path) == ""

        (folder / "trainer" / "added.py").write_text('"""Added."""\n')
        assert make("install", folder, PATH=path) == "Installing crowdflow into .venv\n"
        [installed] = folder.glob(".venv/lib/python3.*/site-packages/crowdflow/trainer/added.py")

        (folder / "trainer" / "added.py").unlink()
        assert make("install", folder, PATH=path) == "Installing crowdflow into .venv\n"
        assert not installed.exists()
        assert set(os.listdir(folder)) - before <= {".venv", ".uv"}


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("entry", "changed", "message"),
    [
        (r"sha256:[0-9a-f]{8}", "sha256:00000000", "DO NOT MATCH THE HASHES"),
        (r" \\\n    --hash=\S+", "", "Hashes are required"),
    ],
)
def test_a_uv_without_its_hash_is_not_installed(tmp_path, entry, changed, message):
    scripts = Path(shutil.copytree(ROOT / "scripts", tmp_path / "scripts"))
    hashes = scripts / "uv.txt"
    hashes.write_text(re.sub(entry, changed, hashes.read_text()))
    environment = os.environ | {"PATH": f"/usr/bin:/bin:{sys.base_prefix}/bin"}
    command = [scripts / "uv.sh", "--version"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode and message in done.stderr
    assert not (tmp_path / ".uv" / "bin" / "uv").exists()
