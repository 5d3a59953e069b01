"""The code fingerprint: which files it follows, in a copy of the packages that the tests may edit."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import components
import pipeline
import schema
import trainer
from pipeline.fingerprint import closure, fingerprint

PACKAGES = (components, pipeline, schema, trainer)
NODES = (
    "components.flow_example_gen.executor",
    "components.validation_gate.component",
    "components.window_gen.executor",
    "components.baseline.executor",
    "components.pusher.executor",
    "components.flow_report.component",
    "trainer.preprocessing",
    "trainer.run_fn",
    "trainer.flow_errors",
)


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of our packages."""
    root = tmp_path_factory.mktemp("copy")
    for package in PACKAGES:
        source = Path(package.__file__).parent
        shutil.copytree(source, root / source.name, ignore=shutil.ignore_patterns("*.pyc"))
    return root


@pytest.fixture
def fingerprints(copied):
    """The fingerprints of some modules, in a new process that meets the copy."""

    def run(*modules):
        code = (
            "import json, sys; from pipeline import fingerprint as f;"
            "names = sys.argv[1:];"
            "print(json.dumps([f.__file__, {n: f.fingerprint(n) for n in names}]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *modules],
            env={**os.environ, "PYTHONPATH": str(copied)},
            cwd=copied,
            capture_output=True,
            text=True,
            check=True,
        )
        where, found = json.loads(done.stdout)
        assert where.startswith(str(copied))
        return found

    return run


@pytest.mark.parametrize(
    ("file", "follow"),
    [
        ("trainer/model.py", {"trainer.run_fn"}),
        ("trainer/preprocessing.py", {"trainer.preprocessing"}),
        ("components/window_gen/windows.py", {"components.window_gen.executor"}),
        ("components/validation_gate/anomalies.py", {"components.validation_gate.component"}),
        (
            "components/flow_example_gen/table_reader.py",
            {"components.flow_example_gen.executor"},
        ),
        ("components/pusher/__init__.py", {"components.pusher.executor"}),
        ("components/flow_report/theme.py", {"components.flow_report.component"}),
        ("components/__init__.py", set(NODES) - {"trainer.flow_errors"}),
        (
            "trainer/features.py",
            set(NODES) - {"components.validation_gate.component", "components.pusher.executor"},
        ),
        ("pipeline/cli/running.py", set()),
        ("schema/README.md", set()),
    ],
)
def test_a_byte_changes_the_nodes_that_run_the_file(file, follow, copied, fingerprints):
    before = fingerprints(*NODES)
    with (copied / file).open("a") as changed:
        changed.write("\n# edited\n")
    after = fingerprints(*NODES)
    assert {name for name in NODES if after[name] != before[name]} == follow


def test_fingerprints_are_the_same_from_process_to_process(fingerprints):
    assert fingerprints(*NODES) == fingerprints(*NODES)
    assert len(set(fingerprints(*NODES).values())) == len(NODES)


def test_imports_in_functions_and_of_imports_are_followed(copied, fingerprints):
    (copied / "trainer/probe.py").write_text("def f():\n    from trainer import probe_a\n")
    (copied / "trainer/probe_a.py").write_text("import trainer.probe_b as b\n")
    (copied / "trainer/probe_b.py").write_text("from trainer.probe import f\n")  # a circle
    (copied / "trainer/probe_c.py").write_text("")
    [before] = fingerprints("trainer.probe").values()
    for name, follows in (("probe_a", True), ("probe_b", True), ("probe_c", False)):
        with (copied / f"trainer/{name}.py").open("a") as file:
            file.write("# edited\n")
        [after] = fingerprints("trainer.probe").values()
        assert (after != before) == follows, name
        before = after


# What a node must not be run again for.
FOREIGN = {
    "components.flow_example_gen.executor": ("components.window_gen", "schema"),
    "components.validation_gate.component": ("components.window_gen", "pipeline", "trainer"),
    "components.window_gen.executor": ("components.flow_example_gen", "schema"),
    "trainer.preprocessing": ("components.window_gen", "trainer.run_fn", "trainer.training"),
    "trainer.run_fn": ("components.window_gen", "trainer.flow_errors", "trainer.preprocessing"),
    "trainer.flow_errors": ("components", "pipeline", "schema"),
    "components.baseline.executor": ("components.window_gen", "trainer.training"),
    "components.pusher.executor": ("components.window_gen", "pipeline", "trainer"),
    "components.flow_report.component": ("components.window_gen", "trainer.training"),
}


@pytest.mark.parametrize("node", NODES)
def test_a_node_does_not_follow_what_it_does_not_run(node):
    found = set(closure(node))
    assert node in found
    foreign = (
        *FOREIGN[node],
        "pipeline.cli",
        "pipeline.local_runner",
        "pipeline.pipeline",
        "pipeline.presets",
        *(() if node == "trainer.run_fn" else ("trainer.model",)),
    )
    for name in foreign:
        assert not [m for m in found if m == name or m.startswith(f"{name}.")], name


def test_every_file_of_a_closure_is_ours_and_has_its_packages():
    roots = {Path(package.__file__).parent.parent for package in PACKAGES}
    for node in NODES:
        for name, path in closure(node).items():
            assert any(path.is_relative_to(root) for root in roots)
            assert not name.count(".") or name.rpartition(".")[0] in closure(node)


def test_several_modules_have_one_fingerprint():
    both = fingerprint("trainer.model", "trainer.preprocessing")
    assert both == fingerprint("trainer.preprocessing", "trainer.model")
    assert both not in (fingerprint("trainer.model"), fingerprint("trainer.preprocessing"))


@pytest.mark.parametrize("name", ["trainer.nothing", "numpy", "trainer.features.CHANNELS"])
def test_a_name_that_is_no_module_of_ours_is_refused(name):
    with pytest.raises(ModuleNotFoundError, match=f"^{name}: expected a module of"):
        closure(name)
