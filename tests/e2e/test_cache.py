"""What runs again after a change, and what is taken from cache, on the first run's root."""

import os
import shutil
from pathlib import Path

import pytest
from worlds.metrics import close

import crowdflow as package

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

# They look at the serving folder each time.
ALWAYS = {"LastPushedModel", "Pusher"}
FROM_TRAINER = {
    "Trainer",
    "LastPushedModel",
    "FlowDrift",
    "Evaluator",
    "Refit",
    "Pusher",
    "FlowReportGen",
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """A copy of the installed packages, whose files can be edited."""
    folder = tmp_path_factory.mktemp("sources")
    skip = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(Path(package.__file__).parent, folder / "crowdflow", ignore=skip)


@pytest.fixture(scope="module")
def from_sources(second, crowdflow, sources):
    """The command on those sources. It depends on `second`: the first run's root is changed from here on."""
    return crowdflow.called_by(None, PYTHONPATH=str(sources.parent))


@pytest.fixture
def edit():
    """Edits a file until the test's end."""
    before = {}

    def change(path: Path, old: str, new: str) -> None:
        text = before.setdefault(path, path.read_text())
        assert old in text
        path.write_text(text.replace(old, new))

    yield change
    for path, text in before.items():
        path.write_text(text)


def test_touched_files_and_moved_code_change_nothing(first, from_sources, crowdflow):
    for path in crowdflow.data:
        os.utime(path, (1, 1))
    run = from_sources(first.root)
    assert run.code == 0
    assert run.executed <= ALWAYS
    assert run.summary["metrics"] == first.summary["metrics"]


@pytest.mark.parametrize(
    ("library", "executed"),
    [
        ("jinja2", {"FlowReportGen"}),
        ("tensorflow-model-analysis", {"Evaluator", "Refit", "FlowReportGen"}),
        ("rich", set()),
    ],
)
def test_an_upgrade_reruns_what_depends_on_the_library(
    first, from_sources, crowdflow, sources, tmp_path, library, executed
):
    name = library.replace("-", "_")
    (tmp_path / f"{name}-99.dist-info").mkdir()
    described = f"Metadata-Version: 2.1\nName: {library}\nVersion: 99\n"
    (tmp_path / f"{name}-99.dist-info" / "METADATA").write_text(described)
    upgraded = crowdflow.called_by(None, PYTHONPATH=f"{sources.parent}:{tmp_path}")
    run = upgraded(first.root)
    assert run.code == 0
    assert run.executed - ALWAYS == executed
    if library == "jinja2":
        assert run.summary["libraries"]["FlowReportGen"][library] == "99"
    assert run.summary["metrics"] == first.summary["metrics"]
    # The earlier version's results are still there, but for a report of what the Pusher found this time.
    assert from_sources(first.root).executed <= {*ALWAYS, "FlowReportGen"}


def test_a_deleted_version_is_pushed_again(first, from_sources):
    shutil.rmtree(
        (first.root / first.summary["pushed_model"]).parent
    )  # upgrades may have pushed more
    run = from_sources(first.root)
    assert run.code == 0
    assert run.executed == {"LastPushedModel", "Pusher", "FlowReportGen"}
    [version] = run.versions
    assert (version / "saved_model.pb").is_file()
    assert run.summary["pushed_model"] == f"serving/crowdflow/{version.name}"
    assert run.summary["metrics"] == first.summary["metrics"]


def test_edited_model_code_reruns_the_trainer_on(first, from_sources, sources, edit):
    edit(sources / "trainer" / "model.py", "\nimport keras\n", "\nimport keras  # edited\n")
    run = from_sources(first.root)
    assert run.executed == FROM_TRAINER
    assert set(run.states) == set(first.states)
    assert run.summary["metrics"]["model"] == close(first.summary["metrics"]["model"])


def test_a_setting_of_training_reruns_the_trainer_on(first, from_sources):
    run = from_sources(first.root, training__epochs=2, training__final_epochs=1)
    assert run.executed == FROM_TRAINER
    assert set(run.states) == set(first.states)


def test_an_edited_schema_reruns_validation_on(first, from_sources, sources, edit):
    edit(sources / "schema" / "frames.pbtxt", "max: $max_flow", "max: 1999.0")
    run = from_sources(first.root)
    assert run.executed == set(first.states) - {"FlowExampleGen", "StatisticsGen"}
    assert run.summary["metrics"]["model"] == close(first.summary["metrics"]["model"])


def test_changed_data_reruns_everything_that_reads_it(first, from_sources, city, edit):
    [holidays] = city["holidays"]
    day = holidays.read_text().splitlines()[0]
    edit(holidays, day, f"{day}\n20240410")
    run = from_sources(first.root)
    assert run.executed == set(first.states) - {"FlowSchema"}
    assert run.summary["metrics"]["last_interval"] == first.summary["metrics"]["last_interval"]
    assert run.summary["metrics"]["model"] != close(first.summary["metrics"]["model"])
