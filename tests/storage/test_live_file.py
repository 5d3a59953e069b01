"""The live record's file is whole, keeps every line, and is not written for nothing."""

import json
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from crowdflow.schema.errors import ServingError
from crowdflow.schema.features import LIVE_FILE
from crowdflow.storage import live_file
from crowdflow.storage.store_path import StorePath
from crowdflow.storage.versions import complete_versions

EMPTY = {"format": 1, "pushes": {}, "days": []}


def with_line(number, pause=0.0):
    """A change that adds a line, slowly."""

    def change(record):
        time.sleep(pause)
        return record | {"days": [*record["days"], number]}

    return change


def test_an_empty_record_needs_no_file(tmp_path):
    assert live_file.read(tmp_path / "none") == EMPTY
    assert live_file.update(tmp_path, lambda record: record) == EMPTY
    assert list(tmp_path.iterdir()) == []


def test_a_change_replaces_the_file_and_no_change_leaves_it(tmp_path):
    path = tmp_path / LIVE_FILE
    found = live_file.update(tmp_path, with_line(1))
    assert (
        found == live_file.read(tmp_path) == json.loads(path.read_text()) == EMPTY | {"days": [1]}
    )
    before = path.stat()
    live_file.update(tmp_path, lambda record: record | {"days": [1]})
    assert path.stat().st_ino == before.st_ino and path.stat().st_mtime_ns == before.st_mtime_ns
    assert [p.name for p in tmp_path.iterdir()] == [LIVE_FILE]
    assert complete_versions(tmp_path) == []


def test_writers_of_one_folder_lose_no_line(tmp_path):
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: live_file.update(tmp_path, with_line(n, 0.02)), range(12)))
    assert sorted(live_file.read(tmp_path)["days"]) == list(range(12))


def _write_on(folder):
    for number in range(10**6):
        live_file.update(folder, with_line(f"{number} " + "x" * 20_000))


def test_a_killed_writer_leaves_a_whole_record_and_no_lock(tmp_path):
    processes = multiprocessing.get_context("fork")
    for delay in (0.02, 0.05, 0.1, 0.15):
        process = processes.Process(target=_write_on, args=(tmp_path,))
        process.start()
        time.sleep(delay)
        process.kill()
        process.join()
        assert live_file.read(tmp_path).keys() == EMPTY.keys()
    before = live_file.read(tmp_path)["days"]
    assert live_file.update(tmp_path, with_line("end"))["days"] == [*before, "end"]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 2, "pushes": {}, "days": []}', '{"format": 1}']
)
def test_what_is_no_record_is_an_error_and_stays(tmp_path, text):
    (tmp_path / LIVE_FILE).write_text(text)
    with pytest.raises(ServingError, match="expected a live record of format 1. Move it out"):
        live_file.update(tmp_path, with_line(1))
    assert (tmp_path / LIVE_FILE).read_text() == text


def test_an_object_store_has_the_same_record(bucket):
    serving = StorePath(f"{bucket}/serving")
    assert live_file.read(serving) == EMPTY
    for number in (1, 2):
        live_file.update(serving, with_line(number))
    assert live_file.read(serving) == EMPTY | {"days": [1, 2]}
    assert [path.name for path in serving.iterdir()] == [LIVE_FILE]
    assert complete_versions(serving) == []
