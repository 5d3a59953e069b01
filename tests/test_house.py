"""The house: a floor imports only from those below it, one import name, modules that a reader can take in."""

import ast
import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import crowdflow

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = sorted({path.parent for path in ROOT.glob("*/__init__.py")})
MODULES = sorted(path for folder in FOLDERS for path in folder.rglob("*.py"))
EVERY_FILE = [*MODULES, *ROOT.glob("benchmarks/*.py"), *ROOT.glob("tests/**/*.py")]
WIRING = "create_pipeline"  # one long list of nodes


@pytest.fixture
def house(tmp_path) -> Path:
    """A copy of the installed package that a test may edit."""
    source = Path(crowdflow.__file__).parent
    return shutil.copytree(
        source, tmp_path / "crowdflow", ignore=shutil.ignore_patterns("__pycache__")
    )


def lint_imports(house: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
        + ["--config", ROOT / "pyproject.toml"],
        cwd=house.parent,
        env={**os.environ, "PYTHONPATH": str(house.parent)},
        capture_output=True,
        text=True,
    )


def test_no_floor_looks_up(house):
    done = lint_imports(house)
    assert done.returncode == 0, done.stdout
    assert "4 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        (
            "flows/grids.py",
            "from crowdflow.trainer import model",
            "flows is not allowed to import crowdflow.trainer",
        ),
        (
            "trainer/device.py",
            "from crowdflow.pipeline import fingerprint",
            "trainer is not allowed to import crowdflow.pipeline",
        ),
        (
            "ingest/chunks.py",
            "import tensorflow",
            "ingest is not allowed to import tensorflow",
        ),
        (
            "components/window_gen/frames.py",
            "from tfx.dsl.io import fileio",
            "window_gen.transform is not allowed to import tfx",
        ),
        (
            "components/state.py",
            "import apache_beam",
            "pusher.executor is not allowed to import apache_beam",
        ),
        (
            "config/checks.py",
            "def f():\n    from tfx import v1",
            "config is not allowed to import tfx",
        ),
    ],
)
def test_one_import_against_the_floors_is_told(file, line, broken, house):
    with (house / file).open("a") as module:
        module.write(f"\n{line}\n")
    done = lint_imports(house)
    assert done.returncode == 1
    assert broken in done.stdout


def test_the_import_alone_loads_nothing_but_python():
    code = (
        "import sys; before = set(sys.modules); import crowdflow;"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - sys.stdlib_module_names == {"crowdflow"}


def test_foreign_packages_may_have_the_names_of_floors(tmp_path):
    for name in ("pipeline", "serving", "trainer", "schema", "components"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("FOREIGN = True\n")
    code = (
        "import pipeline, serving, trainer, sys; from crowdflow import Forecaster, RestServer;"
        "print(pipeline.FOREIGN, Forecaster.__module__, RestServer.__module__, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = done.stdout.split()
    assert found == ["True", "crowdflow.serving.forecaster", "crowdflow.serving.rest", "False"]


def test_every_name_of_the_package_is_there():
    assert {"Config", "Forecaster", "GrpcServer", "RestServer", "create_pipeline"} <= set(
        crowdflow.__all__
    )
    for name in crowdflow.__all__:
        assert getattr(crowdflow, name).__name__ == name
    assert crowdflow.__version__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = crowdflow.nothing


def test_a_checkout_is_importable_where_it_stands(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "from crowdflow.schema import errors; print(errors.__file__)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()) == ROOT / "schema" / "errors.py"


def test_modules_and_functions_are_short():
    found = []
    for path in EVERY_FILE:
        text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT)
        if len(text.splitlines()) > 300:
            found.append(f"{name}: {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.name != WIRING:
                length = node.end_lineno - node.lineno + 1
                found += [f"{name}: {node.name} has {length} lines"] if length > 60 else []
    assert len(EVERY_FILE) > 200 and found == []


def test_folders_have_few_modules():
    counts = {}
    for path in MODULES:
        if path.name != "__init__.py":
            counts[path.parent] = counts.get(path.parent, 0) + 1
    assert len(counts) > 20
    assert {folder: count for folder, count in counts.items() if count > 15} == {}


def test_the_way_of_a_frame_never_returns_to_a_folder():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.split("## The way of one frame")[1].split("\n## ")[0]
    modules = re.findall(r"^\d+\. `([\w/]+\.py)`", section, re.MULTILINE)
    assert len(modules) > 10 and [name for name in modules if not (ROOT / name).is_file()] == []
    folders = [name for name, _ in itertools.groupby(modules, os.path.dirname)]
    assert len(folders) == len(set(folders)) and "components/window_gen" in folders


def test_documents_name_every_floor_in_order():
    floors = [folder.name for folder in FOLDERS if folder.name != "crowdflow"]
    layers = re.search(r"layers = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL)[1]
    from_the_top = re.findall(r'"(\w+)"', layers)
    assert sorted(from_the_top) == floors
    table = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \d+ \| `(\w+)/`", table, re.MULTILINE) == from_the_top[::-1]
    picture = (
        (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8").split('id="floors"')[1]
    )
    assert re.findall(r'class="name left" [^>]*>(\w+)</text>', picture) == from_the_top
