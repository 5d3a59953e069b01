"""A file's digest is that of its bytes, and a file that did not change is not read again."""

import hashlib
import json
import os
import time

import pytest

from crowdflow.storage import digests, object_store
from crowdflow.storage.digests import Digests
from crowdflow.storage.store_path import StorePath


@pytest.fixture
def read(monkeypatch):
    """The paths whose bytes were read. All files of a test have been as they are for ten seconds."""
    paths, digest, now = [], digests._digest, time.time_ns
    monkeypatch.setattr(
        digests, "_digest", lambda path, entry: paths.append(path) or digest(path, entry)
    )
    monkeypatch.setattr(digests.time, "time_ns", lambda: now() + 10 * 10**9)
    return paths


def digests_of(kept, *paths):
    known = Digests(kept)
    found = [known.of(str(path)) for path in paths]
    known.keep()
    return found


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / name for name in "ab"]
    for path in paths:
        path.write_text(f"content of {path.name}")
    return paths


def test_a_file_is_read_once(files, tmp_path, read):
    kept = tmp_path / "kept" / "digests.json"
    assert digests_of(kept, *files) == digests_of(kept, *files) == [sha256(path) for path in files]
    assert read == [str(path) for path in files]


@pytest.mark.parametrize("change", ["bytes", "replaced", "time set back"])
def test_a_changed_file_of_the_same_size_is_read_again(change, files, tmp_path, read):
    kept = tmp_path / "digests.json"
    digests_of(kept, *files)
    before = os.stat(files[0])
    time.sleep(0.02)  # more than the resolution of the file system's clock
    if change == "replaced":
        (tmp_path / "new").write_text("CONTENT of a")
        os.replace(tmp_path / "new", files[0])
    else:
        files[0].write_text("CONTENT of a")
    if change == "time set back":
        os.utime(files[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digests_of(kept, *files) == [sha256(path) for path in files]
    assert read == [str(path) for path in [*files, files[0]]]


def test_a_file_that_has_just_changed_is_not_trusted_yet(files, tmp_path):
    kept = tmp_path / "digests.json"
    digests_of(kept, *files)
    assert not kept.exists()


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": []}', "\x00"])
def test_damaged_digests_are_not_used(text, files, tmp_path, read):
    kept = tmp_path / "digests.json"
    kept.write_text(text)
    assert digests_of(kept, *files) == [sha256(path) for path in files]
    assert digests_of(kept, *files) == [sha256(path) for path in files]
    assert len(read) == 2


def test_digests_of_files_that_are_gone_are_not_kept(files, tmp_path, read):
    kept = tmp_path / "digests.json"
    digests_of(kept, *files)
    digests_of(kept, files[1])
    assert list(json.loads(kept.read_text())) == [str(files[1])]


def test_where_they_cannot_be_kept_files_are_read(files, tmp_path, read):
    (tmp_path / "file").touch()
    kept = tmp_path / "file" / "digests.json"
    assert digests_of(kept, *files) == digests_of(kept, *files) == [sha256(path) for path in files]
    assert len(read) == 4


def test_objects_too(bucket, read):
    kept, address = StorePath(f"{bucket}/digests.json"), f"{bucket}/a"
    with object_store.open_to_write(address) as file:
        file.write(b"content")
    [entry] = object_store.entries(bucket)
    for _ in range(2):
        known = Digests(kept)
        assert known.of(address, entry) == hashlib.sha256(b"content").hexdigest()
        known.keep()
    assert read == [address]
    newer = entry._replace(modified=entry.modified + 1)
    Digests(kept).of(address, newer)
    assert read == [address, address]
