"""Object stores and the files layer, over HTTP to an S3 server, compared with local paths."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import boto3
import pytest

from crowdflow.schema.errors import StoreError
from crowdflow.storage import files, object_store
from crowdflow.storage.store_path import StorePath, as_path, files_in


def put(address, content=b"content"):
    with object_store.open_to_write(address) as file:
        file.write(content)
    return address


def test_an_object_is_read_as_it_was_written(bucket):
    content = bytes(range(256)) * 100_000  # more than one part
    put(f"{bucket}/a/b", content)
    assert object_store.read(f"{bucket}/a/b") == content
    entry = object_store.info(f"{bucket}/a/b")
    assert (entry.is_folder, entry.size) == (False, len(content))
    assert 0 <= time.time() - entry.modified / 1e9 < 60
    with object_store.open_to_read(f"{bucket}/a/b") as file:
        file.seek(-2, os.SEEK_END)
        assert file.read() == content[-2:]


def test_folders_come_with_their_objects(bucket):
    assert object_store.info(f"{bucket}/a") is None
    assert object_store.entries(f"{bucket}/a") == []
    put(f"{bucket}/a/b/c")
    put(f"{bucket}/a/d")
    assert object_store.info(f"{bucket}/a").is_folder
    assert object_store.info(f"{bucket}/a/").is_folder
    assert object_store.info(bucket).is_folder
    found = object_store.entries(f"{bucket}/a")
    assert [(e.address, e.is_folder) for e in found] == [
        (f"{bucket}/a/b", True),
        (f"{bucket}/a/d", False),
    ]
    deep = object_store.entries(f"{bucket}/a/", recursive=True)
    assert [e.address for e in deep if not e.is_folder] == [f"{bucket}/a/b/c", f"{bucket}/a/d"]


def test_the_same_paths_are_found_as_in_a_local_folder(bucket, tmp_path):
    names = ["2024/04/01/a.csv", "2024/04/02/b.csv", "2024/05/01/c.csv", "x[1].csv", ".hid", "d/_e"]
    for name in names:
        put(f"{bucket}/in/{name}", name.encode())
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    patterns = ["*", "2024/0[4]/*", "2024/*/01/*", "2024/??/0?/[ac].csv", "x[[]1].csv", "none/*"]
    patterns += ["*/_e", "2024/*/02/b.csv", ".h*", "x*"]
    for pattern in patterns:
        here = sorted(files.glob(f"{tmp_path}/in/{pattern}"))
        there = sorted(files.glob(f"{bucket}/in/{pattern}"))
        expected = [(m.path.removeprefix(str(tmp_path)), m.is_file) for m in here]
        assert [(m.path.removeprefix(bucket), m.is_file) for m in there] == expected, pattern
    for path in ("in", "in/2024/04", "in/2024/04/01/a.csv", "in/x[1].csv", "nowhere", "in/*"):
        is_folder, here = files.find(f"{tmp_path}/{path}")
        found_folder, there = files.find(f"{bucket}/{path}")
        expected = sorted((m.path.removeprefix(str(tmp_path)), m.is_file) for m in here)
        assert sorted((m.path.removeprefix(bucket), m.is_file) for m in there) == expected, path
        assert found_folder == is_folder, path


def test_a_local_path_is_its_own_copy(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert files.local(str(path)) == str(path)
    assert files.size(str(path)) == 5
    with files.fetched_folder(tmp_path) as folder:
        assert folder == tmp_path


def test_an_object_is_fetched_once_until_it_changes(bucket, s3):
    address = put(f"{bucket}/deep/flows.csv.gz", b"first")
    files.fetch([address, "/not/looked/at"])
    copy = files.local(address)
    assert copy.startswith(s3["CROWDFLOW_FETCHED"]) and copy.endswith("flows.csv.gz")
    with open(copy, "rb") as file:
        assert file.read() == b"first"
    assert files.size(address) == 5
    before = os.stat(copy).st_mtime_ns
    files.find(address)  # lists it again
    assert files.local(address) == copy and os.stat(copy).st_mtime_ns == before
    put(address, b"second")
    files.find(address)
    with open(files.local(address), "rb") as file:
        assert file.read() == b"second"
    assert not os.path.exists(copy)


def test_copies_are_deleted_with_their_process_and_after_a_killed_one(
    bucket, tmp_path, monkeypatch
):
    address = put(f"{bucket}/a")
    monkeypatch.delenv("CROWDFLOW_FETCHED")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code = (
        "import os, signal, sys\n"
        "from crowdflow.storage import files\n"
        f"path = files.local({address!r})\n"
        "assert open(path, 'rb').read() == b'content'\n"
        "print(path, flush=True)\n"
        "if len(sys.argv) > 1: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, "kill"], capture_output=True, text=True)
    assert os.path.exists(killed.stdout.strip())
    clean = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert clean.stdout.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_copied_and_the_copy_deleted(bucket):
    for name in ("saved_model.pb", "variables/data"):
        put(f"{bucket}/1/{name}", name.encode())
    with files.fetched_folder(f"{bucket}/1") as folder:
        assert (folder / "variables" / "data").read_bytes() == b"variables/data"
        assert sorted(p.name for p in folder.iterdir()) == ["saved_model.pb", "variables"]
    assert not folder.exists()


def test_a_path_in_a_store_behaves_like_a_local_path(bucket, tmp_path):
    for name in ("assets.extra/a", "assets/b", "c"):
        put(f"{bucket}/m/{name}", name.encode())
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    path = as_path(f"{bucket}/m/")
    assert isinstance(path, StorePath) and path == StorePath(f"{bucket}/m")
    assert (path.name, str(path / "c"), path.absolute()) == ("m", f"{bucket}/m/c", path)
    assert path.is_dir() and path.exists() and not path.is_file()
    assert (path / "c").is_file() and not (path / "c").is_dir() and not (path / "d").exists()
    assert {p.name for p in path.iterdir()} == {p.name for p in tmp_path.iterdir()}
    assert (path / "c").read_text() == "c"
    names = [[name for name, _, _ in files_in(folder)] for folder in (path, tmp_path)]
    assert names[0] == names[1]  # in one order
    assert as_path(str(tmp_path)) == tmp_path


def test_errors_are_one_message_with_the_address(bucket, s3, monkeypatch):
    for wrong in ("s3://", "s3:///a", f"{bucket}//a"):
        with pytest.raises(StoreError, match="expected s3://BUCKET/KEY"):
            object_store.info(wrong)
    with pytest.raises(
        StoreError, match="s3://no-such/flows: the object store has no bucket no-such"
    ):
        object_store.info("s3://no-such/flows")
    with pytest.raises(StoreError, match="the object store has no bucket no-such"):
        object_store.entries("s3://no-such/flows")
    for read in (object_store.read, files.local, files.size):
        with pytest.raises(StoreError, match=f"{bucket}/none: no such object"):
            read(f"{bucket}/none")
    with pytest.raises(StoreError, match="s3://no-such/a: .*no such bucket"):
        put("s3://no-such/a")
    monkeypatch.setenv("CROWDFLOW_FETCHED", "/proc/none")
    address = put(f"{bucket}/a")
    with pytest.raises(StoreError, match=f"{address}: expected to keep a copy in /proc/none"):
        files.local(address)


@pytest.mark.parametrize("address", ["s3://user:pa55@city/trips", "gs://AK:pa55/w@city/trips"])
def test_credentials_in_an_address_are_refused_and_not_shown(s3, address):
    for read in (object_store.info, object_store.entries, files.find, files.local, files.glob):
        with pytest.raises(StoreError, match="without credentials.*environment") as raised:
            read(address)
        assert "pa55" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://user:pa55@127.0.0.1:1", "user:pa55@127.0.0.1:1"])
@pytest.mark.parametrize(
    ("variable", "address"),
    [("AWS_ENDPOINT_URL", "s3://b/a"), ("STORAGE_EMULATOR_HOST", "gs://b/a")],
)
def test_credentials_in_the_stores_url_are_refused_and_not_shown(
    s3, monkeypatch, variable, address, url
):
    monkeypatch.setenv(variable, url)
    with pytest.raises(StoreError, match=f"{variable}: expected a URL without user") as raised:
        object_store.info(address)
    assert "pa55" not in str(raised.value)


@pytest.mark.timeout(60)
def test_a_store_that_does_not_answer_is_reported_soon(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    started = time.monotonic()
    message = "s3://b/flows: the object store at http://127.0.0.1:1 does not answer. Check AWS_ENDPOINT_URL"
    with pytest.raises(StoreError, match=message):
        object_store.info("s3://b/flows")
    assert time.monotonic() - started < 30


@pytest.fixture
def strict(bucket, s3_server):
    """The bucket on a server that checks credentials; nobody has valid ones."""

    def allow(requests):
        url, body = f"{s3_server}/moto-api/reset-auth", str(requests).encode()
        headers = {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(url, body, headers)).read()

    allow(0)
    yield bucket
    allow("inf")


def test_a_store_that_refuses_access_is_reported_with_what_to_check(strict):
    for ask in (object_store.info, object_store.entries, object_store.read, put):
        with pytest.raises(
            StoreError, match=f"{strict}/a: .* refuses access. Check AWS_ACCESS_KEY_ID"
        ):
            ask(f"{strict}/a")


@pytest.mark.timeout(120)
def test_google_cloud_storage_has_the_same_messages(monkeypatch):
    """No emulator runs here: this tests the client, its time limit and the message."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    started = time.monotonic()
    message = "gs://b/flows: the object store at http://127.0.0.1:1 does not answer. Check STORAGE"
    with pytest.raises(StoreError, match=message):
        files.find("gs://b/flows")
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("key", ["model/../../escaped", "model/variables/../../../escaped"])
def test_a_key_with_two_dots_is_refused_before_anything_is_written(key, bucket, s3, tmp_path):
    put(f"{bucket}/model/saved_model.pb")
    client = boto3.client("s3", endpoint_url=s3["AWS_ENDPOINT_URL"])
    client.put_object(Bucket=bucket.removeprefix("s3://"), Key=key, Body=b"x")
    tempfile.tempdir = str(tmp_path / "in")
    Path(tempfile.tempdir).mkdir()
    try:
        with pytest.raises(StoreError, match="expected keys without '..'"):
            with files.fetched_folder(f"{bucket}/model"):
                pass
    finally:
        tempfile.tempdir = None
    assert [path.name for path in tmp_path.rglob("*")] == ["in"]
