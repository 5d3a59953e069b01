"""Which folders count as versions, and which changes of the serving folder matter."""

import shutil
import time

import pytest

from crowdflow.storage import digests
from crowdflow.storage.versions import (
    APPROVED,
    approved,
    complete_versions,
    model_digest,
    pushed_before,
    serving_state,
)


def make_version(serving, name, content="weights"):
    folder = serving / name
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "data").write_text(content)
    return folder


@pytest.fixture
def serving(tmp_path):
    """Versions 9 and 10 are complete; the rest must not count."""
    folder = tmp_path / "serving"
    for name in ("10", "9"):
        make_version(folder, name, f"weights of {name}")
    (folder / "11" / "variables").mkdir(parents=True)  # killed while it was copied
    (folder / "11" / "variables" / "data").write_text("half")
    (folder / "12" / "saved_model.pb").mkdir(parents=True)
    (folder / "13").write_text("a file")
    for name in (".push-14", "latest", "1.5", "-3", "7a"):
        make_version(folder, name)
    return folder


def test_only_complete_numeric_versions_count_in_order_of_number(serving):
    assert [path.name for path in complete_versions(serving)] == ["9", "10"]


def test_no_folder_has_no_versions(tmp_path):
    assert complete_versions(tmp_path / "none") == []
    assert pushed_before(tmp_path / "none", "digest") == {}


def test_a_digest_is_of_names_and_bytes(tmp_path):
    first, second = (make_version(tmp_path, name) for name in "ab")
    assert model_digest(first) == model_digest(second)
    (second / "variables" / "data").write_text("weightz")
    assert model_digest(first) != model_digest(second)
    (second / "variables" / "data").write_text("weights")
    (second / "variables" / "data").rename(second / "data")
    assert model_digest(first) != model_digest(second)


def test_copies_of_the_candidate_are_skipped(serving, tmp_path):
    candidate = make_version(tmp_path, "candidate")
    digest = model_digest(candidate)
    assert [path.name for path in pushed_before(serving, digest)] == ["10", "9"]
    shutil.copytree(candidate, serving / "20")
    assert [path.name for path in pushed_before(serving, digest)] == ["10", "9"]
    assert [path.name for path in pushed_before(serving, "another")] == ["20", "10", "9"]


def test_a_refitted_version_counts_by_the_model_that_was_approved(serving, tmp_path):
    candidate = make_version(tmp_path, "candidate")
    digest = model_digest(candidate)
    version = make_version(serving, "20", "refitted")
    assert approved(version) == version
    state = serving_state(serving, "another", "code")
    shutil.copytree(candidate, version / APPROVED)
    assert approved(version) == version / APPROVED
    assert [path.name for path in pushed_before(serving, digest)] == ["10", "9"]
    assert [path.name for path in pushed_before(serving, "another")] == ["20", "10", "9"]
    assert serving_state(serving, "another", "code") != state


def test_the_state_is_of_code_candidate_and_earlier_versions(serving, tmp_path):
    candidate = make_version(tmp_path, "candidate")
    digest = model_digest(candidate)
    state = serving_state(serving, digest, "code")
    shutil.copytree(candidate, serving / "20")  # the candidate's own push
    (serving / "11" / "more").write_text("partial still")
    assert serving_state(serving, digest, "code") == state
    changed = {serving_state(serving, digest, "other"), serving_state(serving, "other", "code")}
    make_version(serving, "21", "a newer model")
    changed.add(serving_state(serving, digest, "code"))
    (serving / "9" / "variables" / "data").write_text("swapped")
    changed.add(serving_state(serving, digest, "code"))
    assert state not in changed and len(changed) == 4


def test_a_version_is_read_once_not_in_every_run(serving, monkeypatch):
    now, read, digest = time.time_ns, [], digests._digest
    monkeypatch.setattr(digests.time, "time_ns", lambda: now() + 10 * 10**9)
    monkeypatch.setattr(digests, "_digest", lambda *given: read.append(given[0]) or digest(*given))
    state = serving_state(serving, "another", "code")
    assert len(read) == 4  # two versions of two files
    assert serving_state(serving, "another", "code") == state
    assert len(read) == 4
    assert [path.name for path in complete_versions(serving)] == ["9", "10"]
