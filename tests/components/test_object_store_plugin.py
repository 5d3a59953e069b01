"""TFX's file layer on an S3 server, beside the same calls on a folder of this machine."""

import pytest
from tfx.dsl.io import fileio, filesystem_registry
from tfx.utils import io_utils

from crowdflow.components.object_store_plugin import ObjectStore
from crowdflow.schema.errors import StoreError


def write(path, text="text"):
    with fileio.open(path, "w") as file:
        file.write(text)
    return path


@pytest.fixture(params=["here", "store"])
def folder(request, tmp_path):
    """The same is held true of a folder here, by TFX's own plugin, and of one in a store."""
    if request.param == "here":
        return str(tmp_path / "in")
    return f"{request.getfixturevalue('bucket')}/in"


@pytest.fixture
def tree(folder):
    for name in ("a", "b/c", "b/d/e"):
        io_utils.write_string_file(f"{folder}/{name}", name)
    return folder


def test_both_schemes_come_here():
    registry = filesystem_registry.DEFAULT_FILESYSTEM_REGISTRY
    for path in ("s3://b/k", "gs://b/k", b"s3://b/k"):
        assert registry.get_filesystem_for_path(path) is ObjectStore
    for path in ("/b/k", "b", "hdfs://b/k"):
        assert registry.get_filesystem_for_path(path) is not ObjectStore


def test_texts_and_bytes_are_read_as_they_were_written(tree):
    write(f"{tree}/text", "façade\nsecond\n")
    with fileio.open(f"{tree}/text") as file:
        assert list(file) == ["façade\n", "second\n"]
    content = bytes(range(256)) * 50_000
    with fileio.open(f"{tree}/bytes", "wb") as file:
        file.write(content[:10])
        file.write(content[10:])
    with fileio.open(f"{tree}/bytes", "rb") as file:
        assert file.read(3) == content[:3]
        file.seek(1000)
        assert file.read() == content[1000:]
    write(f"{tree}/text", "less")  # in the place of the other
    with fileio.open(f"{tree}/text") as file:
        assert file.read() == "less"


@pytest.mark.parametrize("mode", ["a", "ab", "r+", "rb+", "x"])
def test_an_object_is_not_changed(bucket, mode):
    with pytest.raises(ValueError, match=f"{bucket}/a: expected the mode r, rb, w or wb"):
        fileio.open(f"{bucket}/a", mode)


def test_what_is_there(tree):
    for name in ("", "/a", "/b", "/b/d", "/b/d/e"):
        assert fileio.exists(tree + name)
    assert not fileio.exists(f"{tree}/z") and not fileio.exists(f"{tree}/b/c/d")
    assert fileio.isdir(tree) and fileio.isdir(f"{tree}/b") and not fileio.isdir(f"{tree}/a")
    assert not fileio.isdir(f"{tree}/z")
    assert sorted(name.rstrip("/") for name in fileio.listdir(f"{tree}/b")) == ["c", "d"]
    assert sorted(fileio.glob(f"{tree}/*")) == [f"{tree}/a", f"{tree}/b"]
    assert sorted(fileio.glob(f"{tree}/b/[cd]")) == [f"{tree}/b/c", f"{tree}/b/d"]
    assert fileio.glob(f"{tree}/z*") == []
    stat = fileio.stat(f"{tree}/b/c")
    assert (stat.length, stat.is_directory, stat.mtime_nsec > 0) == (3, False, True)
    assert fileio.stat(f"{tree}/b").is_directory


@pytest.mark.parametrize("topdown", [True, False])
def test_walks(tree, topdown):
    expected = [(tree, ["b"], ["a"]), (f"{tree}/b", ["d"], ["c"]), (f"{tree}/b/d", [], ["e"])]
    found = list(fileio.walk(tree, topdown=topdown))
    assert [(str(a), list(b), list(c)) for a, b, c in found] == expected[:: 1 if topdown else -1]
    assert list(fileio.walk(f"{tree}/z")) == []


def test_copies(tree, tmp_path, bucket):
    for target in (f"{tree}/b/f", f"{bucket}/elsewhere", str(tmp_path / "there")):
        fileio.copy(f"{tree}/b/c", target)
        with fileio.open(target) as file:
            assert file.read() == "b/c"
        with pytest.raises(Exception, match="exist|overwrite|there already"):
            fileio.copy(f"{tree}/a", target)
        fileio.copy(f"{tree}/a", target, overwrite=True)
        with fileio.open(target) as file:
            assert file.read() == "a"
    with pytest.raises(fileio.NotFoundError):
        fileio.copy(f"{tree}/z", f"{tree}/y")


def test_a_folder_is_copied_from_anywhere_to_anywhere(tree, tmp_path, bucket):
    for target in (str(tmp_path / "copy"), f"{bucket}/copy"):
        io_utils.copy_dir(tree, target)
        for name in ("a", "b/c", "b/d/e"):
            with fileio.open(f"{target}/{name}") as file:
                assert file.read() == name


def test_renames(tree):
    fileio.rename(f"{tree}/a", f"{tree}/z")
    assert not fileio.exists(f"{tree}/a") and fileio.exists(f"{tree}/z")
    with pytest.raises(Exception, match="exist|overwrite|there already"):
        fileio.rename(f"{tree}/z", f"{tree}/b/c")
    fileio.rename(f"{tree}/z", f"{tree}/b/c", overwrite=True)
    fileio.rename(f"{tree}/b", f"{tree}/moved")
    assert not fileio.exists(f"{tree}/b")
    for name, text in (("c", "a"), ("d/e", "b/d/e")):
        with fileio.open(f"{tree}/moved/{name}") as file:
            assert file.read() == text
    with pytest.raises(fileio.NotFoundError):
        fileio.rename(f"{tree}/z", f"{tree}/y")


def test_removes(tree):
    fileio.remove(f"{tree}/b/d/e")
    assert not fileio.exists(f"{tree}/b/d/e") and fileio.isdir(f"{tree}/b/d")
    with pytest.raises(fileio.NotFoundError):
        fileio.remove(f"{tree}/z")
    fileio.rmtree(f"{tree}/b")
    assert not fileio.exists(f"{tree}/b") and fileio.exists(f"{tree}/a")
    with pytest.raises(fileio.NotFoundError):
        fileio.rmtree(f"{tree}/z")


def test_makes_folders(tree):
    fileio.mkdir(f"{tree}/new")
    fileio.makedirs(f"{tree}/more/and/more")
    fileio.makedirs(f"{tree}/more/and")  # there already
    assert fileio.isdir(f"{tree}/new") and fileio.isdir(f"{tree}/more/and/more")
    assert list(fileio.listdir(f"{tree}/new")) == []


def test_what_is_not_there_is_told(bucket):
    for ask in (fileio.open, fileio.listdir, fileio.stat, fileio.remove, fileio.rmtree):
        with pytest.raises(fileio.NotFoundError, match=f"{bucket}/z: no such"):
            ask(f"{bucket}/z")
    for ask in (fileio.exists, fileio.open, fileio.listdir, fileio.makedirs):
        with pytest.raises(StoreError, match="s3://no-such/a: .* no bucket no-such"):
            ask("s3://no-such/a")
