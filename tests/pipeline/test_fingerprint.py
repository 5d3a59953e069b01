"""The code fingerprint: which files it follows, in a copy of the packages that the tests may edit."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import crowdflow
from crowdflow.pipeline.fingerprint import closure, fingerprint

NODES = (
    "crowdflow.components.flow_example_gen.executor",
    "crowdflow.components.validation_gate.executor",
    "crowdflow.components.window_gen.executor",
    "crowdflow.components.last_pushed_model.executor",
    "crowdflow.components.pusher.executor",
    "crowdflow.components.flow_report.component",
    "crowdflow.trainer.preprocessing",
    "crowdflow.trainer.run_fn",
    "crowdflow.evaluation.flow_errors",
)


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of our packages."""
    root = tmp_path_factory.mktemp("copy")
    source = Path(crowdflow.__file__).parent
    shutil.copytree(source, root / source.name, ignore=shutil.ignore_patterns("*.pyc"))
    return root / source.name


@pytest.fixture
def fingerprints(copied):
    """The fingerprints of some modules, in a new process that meets the copy."""

    def run(*modules):
        code = (
            "import json, sys; from crowdflow.pipeline import fingerprint as f;"
            "names = sys.argv[1:];"
            "print(json.dumps([f.__file__, {n: f.fingerprint(n) for n in names}]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *modules],
            env={**os.environ, "PYTHONPATH": str(copied.parent)},
            cwd=copied.parent,
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
        ("trainer/model.py", {"crowdflow.trainer.run_fn"}),
        ("trainer/preprocessing.py", {"crowdflow.trainer.preprocessing"}),
        (
            "flows/windows.py",
            {
                "crowdflow.components.last_pushed_model.executor",
                "crowdflow.components.window_gen.executor",
                "crowdflow.trainer.run_fn",
            },
        ),
        (
            "components/validation_gate/anomalies.py",
            {"crowdflow.components.validation_gate.executor"},
        ),
        (
            "ingest/records/table_reader.py",
            {"crowdflow.components.flow_example_gen.executor"},
        ),
        (
            "components/pusher/__init__.py",
            {
                "crowdflow.components.pusher.executor",
                "crowdflow.components.flow_report.component",  # it says why a model was held back
            },
        ),
        ("components/flow_report/theme.py", {"crowdflow.components.flow_report.component"}),
        (
            "components/flow_report/templates/page.html.j2",
            {"crowdflow.components.flow_report.component"},
        ),
        (
            "components/flow_report/templates/style.css",
            {"crowdflow.components.flow_report.component"},
        ),
        ("maps/vendor/leaflet.js", {"crowdflow.components.flow_report.component"}),
        ("components/__init__.py", {name for name in NODES if ".components." in name}),
        ("schema/__init__.py", set(NODES)),
        ("schema/features.py", set(NODES) - {"crowdflow.components.validation_gate.executor"}),
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
    (copied / "trainer/probe.py").write_text(
        "def f():\n    from crowdflow.trainer import probe_a\n"
    )
    (copied / "trainer/probe_a.py").write_text("import crowdflow.trainer.probe_b as b\n")
    (copied / "trainer/probe_b.py").write_text(
        "from crowdflow.trainer.probe import f\n"
    )  # a circle
    (copied / "trainer/probe_c.py").write_text("")
    [before] = fingerprints("crowdflow.trainer.probe").values()
    for name, follows in (("probe_a", True), ("probe_b", True), ("probe_c", False)):
        with (copied / f"trainer/{name}.py").open("a") as file:
            file.write("# edited\n")
        [after] = fingerprints("crowdflow.trainer.probe").values()
        assert (after != before) == follows, name
        before = after


# What a node must not be run again for.
FOREIGN = {
    "crowdflow.components.flow_example_gen.executor": (
        "crowdflow.components.window_gen",
        "crowdflow.components.flow_schema",
    ),
    "crowdflow.components.validation_gate.executor": (
        "crowdflow.components.window_gen",
        "crowdflow.pipeline",
        "crowdflow.trainer",
    ),
    "crowdflow.components.window_gen.executor": (
        "crowdflow.components.flow_example_gen",
        "crowdflow.components.flow_schema",
    ),
    "crowdflow.trainer.preprocessing": (
        "crowdflow.components.window_gen",
        "crowdflow.trainer.run_fn",
        "crowdflow.trainer.training",
    ),
    "crowdflow.trainer.run_fn": (
        "crowdflow.components.window_gen",
        "crowdflow.evaluation.flow_errors",
        "crowdflow.trainer.preprocessing",
    ),
    "crowdflow.evaluation.flow_errors": (
        "crowdflow.components",
        "crowdflow.pipeline",
        "crowdflow.trainer",
    ),
    "crowdflow.components.last_pushed_model.executor": (
        "crowdflow.components.window_gen",
        "crowdflow.trainer.training",
    ),
    "crowdflow.components.pusher.executor": (
        "crowdflow.components.window_gen",
        "crowdflow.pipeline",
        "crowdflow.trainer",
    ),
    "crowdflow.components.flow_report.component": (
        "crowdflow.components.window_gen",
        "crowdflow.trainer.training",
    ),
}


@pytest.mark.parametrize("node", NODES)
def test_a_node_does_not_follow_what_it_does_not_run(node):
    found = set(closure(node))
    assert node in found
    foreign = (
        *FOREIGN[node],
        "crowdflow.pipeline.cli",
        "crowdflow.pipeline.local.runner",
        "crowdflow.pipeline.pipeline",
        "crowdflow.config.presets",
        *(() if node == "crowdflow.trainer.run_fn" else ("crowdflow.trainer.model",)),
    )
    for name in foreign:
        assert not [m for m in found if m == name or m.startswith(f"{name}.")], name


def test_every_file_of_a_closure_is_ours_and_has_its_packages():
    roots = {Path(crowdflow.__file__).parent.parent}
    for node in NODES:
        for name, path in closure(node).items():
            assert any(path.is_relative_to(root) for root in roots)
            assert not name.count(".") or name.rpartition(".")[0] in closure(node)


def test_several_modules_have_one_fingerprint():
    both = fingerprint("crowdflow.trainer.model", "crowdflow.trainer.preprocessing")
    assert both == fingerprint("crowdflow.trainer.preprocessing", "crowdflow.trainer.model")
    assert both not in (
        fingerprint("crowdflow.trainer.model"),
        fingerprint("crowdflow.trainer.preprocessing"),
    )


@pytest.mark.parametrize(
    "name", ["crowdflow.trainer.nothing", "numpy", "crowdflow.schema.features.CHANNELS"]
)
def test_a_name_that_is_no_module_of_ours_is_refused(name):
    with pytest.raises(ModuleNotFoundError, match=f"^{name}: expected a module of"):
        closure(name)
