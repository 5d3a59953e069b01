"""A full disk stops a run with one message that names the folder; with room the same command goes on."""

import json
import re
import sys
from pathlib import Path

import pytest
from worlds.metrics import close
from worlds.small_disk import small_disk

from crowdflow.schema.features import LIVE_FILE
from crowdflow.storage.versions import DIGESTS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

SCRIPT = Path(__file__).with_name("repeated_run.py")
# What is full, and the node that then fails.
FULL = {
    "artifacts/FlowExampleGen": "FlowExampleGen",
    "artifacts/FlowSchema": "FlowSchema",
    "artifacts/StatisticsGen": "StatisticsGen",
    "artifacts/ExampleValidator": "ExampleValidator",
    "artifacts/ValidationGate": "ValidationGate",
    "artifacts/WindowGen": "WindowGen",
    "artifacts/Transform": "Transform",
    "checkpoints": "Trainer",
    "artifacts/Trainer": "Trainer",
    "artifacts/LastPushedModel": "LastPushedModel",
    "artifacts/Evaluator": "Evaluator",
    "artifacts/FlowDrift": "FlowDrift",
    "artifacts/Refit": "Refit",
    "artifacts/Pusher": "Pusher",
    "serving/crowdflow": "Pusher",
    "artifacts/FlowReportGen": "FlowReportGen",
    "report": None,  # the page, after the last node
}
LOOK_OUTSIDE = {"LastPushedModel", "Pusher"}  # on every run


def repeated(crowdflow, way: str, places: str, root: Path) -> list[tuple[str, str, int]]:
    """Runs of one process: what the disk was, what was printed, and the exit code."""
    run = crowdflow.called_by([sys.executable, str(SCRIPT), way, places])(root)
    parts = re.findall(r"^--- (.+?)\n(.*?)^--- exit (\d)$", run.output, re.MULTILINE | re.DOTALL)
    assert parts, run.output
    return [(step, text, int(code)) for step, text, code in parts]


def nodes(text: str, how: str) -> set[str]:
    """The nodes that a run says it has done or taken from the cache."""
    return set(re.findall(rf"^  (\w+) +{how} ", text, re.MULTILINE))


def assert_nothing_is_done_twice(texts: list[str]) -> None:
    for earlier, later in zip(texts, texts[1:]):
        finished = nodes(earlier, "done") | nodes(earlier, "cached")
        assert finished - LOOK_OUTSIDE <= nodes(later, "cached")


def assert_one_message(text: str, beginning: str) -> None:
    """A run's only error is that of a full disk; the beginning of its message is a regular expression."""
    assert "Traceback" not in text and "Exception ignored" not in text
    [message] = re.findall(r"^Error.*", text, re.MULTILINE)
    assert re.match(f"{beginning}: its disk is full. Make room", message), message


def test_a_full_disk_in_each_node(crowdflow, tmp_path):
    with small_disk(tmp_path / "probe", 1 << 20):
        pass  # or the test is skipped
    root = tmp_path / "root"
    runs = repeated(crowdflow, "full", ",".join(FULL), root)
    assert [folder for folder, _, _ in runs] == list(FULL)
    for folder, text, code in runs:
        node, named = FULL[folder], root / folder if folder == "serving/crowdflow" else root
        assert_one_message(text, f"Error in {node}: {named}" if node else f"Error: {named}")
        assert code == 1
        # Nothing was pushed unless all of the Pusher's work was done.
        pushed = "The model was pushed before the run failed: serving/crowdflow/" in text
        assert pushed == ("Pusher" in nodes(text, "done"))
    assert_nothing_is_done_twice([text for _, text, _ in runs])

    run = crowdflow(root)
    assert run.code == 0 and run.executed == LOOK_OUTSIDE
    [version] = run.versions
    assert run.summary["pushed_model"] == f"serving/crowdflow/{version.name}"
    assert (root / run.summary["report"]).is_file()


def test_a_disk_that_is_too_small_for_everything(crowdflow, first, tmp_path):
    with small_disk(tmp_path / "root", 1 << 20) as root:
        runs = repeated(crowdflow, "grow", str(64 << 10), root)
        *failed, last = [code for _, _, code in runs]
        assert last == 0 and failed == [1] * len(failed) and len(failed) > 3
        for _, text, _ in runs[:-1]:
            assert_one_message(text, rf"Error(?: in \w+)?: {root}(?:/serving/crowdflow)?")
        assert_nothing_is_done_twice([text for _, text, _ in runs])
        summary = json.loads((root / "summary.json").read_text())
        assert summary["metrics"] == close(first.summary["metrics"])
        version = summary["pushed_model"].rsplit("/", 1)[1]
        assert {path.name for path in (root / "serving" / "crowdflow").iterdir()} - {DIGESTS} == {
            version,
            LIVE_FILE,
        }
