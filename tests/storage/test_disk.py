"""A full disk is known by whatever a library makes of it, and named by its folder."""

import errno
import shutil
import sqlite3
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from worlds.small_disk import full_disk, small_disk

from crowdflow.schema.errors import ConfigError, DiskFullError, StoreError
from crowdflow.storage import disk, files, object_store

TABLE = pd.DataFrame({"flow": np.random.default_rng(1).random(10_000)})


def write_bytes(folder):
    (folder / "file").write_bytes(bytes(10_000))


def write_numpy(folder):
    np.savez(folder / "file.npz", TABLE["flow"].to_numpy())


def write_parquet(folder):
    TABLE.to_parquet(folder / "file.parquet")


def write_csv(folder):
    TABLE.to_csv(folder / "file.csv")


def write_hdf5(folder):
    import h5py

    with h5py.File(folder / "file.h5", "w") as file:
        file["flow"] = TABLE["flow"].to_numpy()


def write_sqlite(folder):
    with sqlite3.connect(folder / "file.sqlite") as connection:
        connection.execute("CREATE TABLE flows (flow REAL)")


def write_tensorflow(folder):
    import tensorflow as tf

    with tf.io.gfile.GFile(str(folder / "file"), "w") as file:
        file.write("flow" * 10_000)


def copy_folder(folder):
    (folder.parent / "source").mkdir()
    (folder.parent / "source" / "file").write_bytes(bytes(10_000))
    shutil.copytree(folder.parent / "source", folder / "copy")


def worded_by_another(folder):
    try:
        write_bytes(folder)
    except OSError as error:
        raise RuntimeError("a step failed") from error


@pytest.mark.parametrize(
    "write",
    [write_bytes, write_numpy, write_parquet, write_csv, write_hdf5, write_sqlite, write_tensorflow,
     copy_folder, worded_by_another],
)  # fmt: skip
def test_every_librarys_error_becomes_one_with_the_folder(write, tmp_path):
    with small_disk(tmp_path / "roomy", 1 << 30) as roomy, full_disk(tmp_path / "full") as full:
        with pytest.raises(DiskFullError) as raised:
            with disk.clear_errors(roomy, full, "s3://bucket/serving"):
                write(full)
    assert str(raised.value) == f"{full}: its disk is full. Make room, then repeat the command."


def test_a_folder_that_is_still_to_be_made_is_named(tmp_path):
    with full_disk(tmp_path / "full") as full:
        with pytest.raises(DiskFullError, match=f"{full}/to/come: "):
            with disk.clear_errors(full / "to" / "come"):
                write_bytes(full)


def test_the_inner_of_two_folders_is_named_where_the_error_names_it():
    error = OSError(errno.ENOSPC, "No space left on device", "/proc/root/serving/1")
    assert str(disk.full_disk(error, "/proc/root", "/proc/root/serving")).startswith(
        "/proc/root/serving: "
    )


def test_the_first_of_two_folders_on_one_disk_is_named_while_others_write_to_it(
    tmp_path, monkeypatch
):
    left = iter(range(1000, 0, -100))
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: SimpleNamespace(total=1000, free=next(left))
    )
    error = OSError(errno.ENOSPC, "No space left on device")
    folders = [tmp_path / "root", tmp_path / "root" / "serving"]
    assert str(disk.full_disk(error, *folders)).startswith(f"{folders[0]}: its disk is full")


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EACCES, "Permission denied"), StoreError("s3://b: No space left on device")],
)
def test_other_errors_stay_as_they_are(error, tmp_path):
    with pytest.raises(type(error)) as raised:
        with disk.clear_errors(tmp_path):
            raise error
    assert raised.value is error


def test_the_copy_of_an_object(bucket, tmp_path, monkeypatch):
    with object_store.open_to_write(f"{bucket}/model/variables") as file:
        file.write(bytes(10_000))
    with full_disk(tmp_path / "full") as full:
        monkeypatch.setenv(files.FOLDER_VARIABLE, str(full))
        with pytest.raises(DiskFullError, match=f"{full}.*: its disk is full"):
            files.local(f"{bucket}/model/variables")
        monkeypatch.setattr("tempfile.tempdir", str(full))
        with pytest.raises(DiskFullError, match=f"{full}.*: its disk is full"):
            with files.fetched_folder(f"{bucket}/model"):
                pass


def test_the_folder_of_the_copies_is_on_this_machine(bucket, monkeypatch):
    with object_store.open_to_write(f"{bucket}/flows") as file:
        file.write(b"flows")
    monkeypatch.setenv(files.FOLDER_VARIABLE, f"{bucket}/copies")
    expected = f"CROWDFLOW_FETCHED: expected a folder on this machine. Received: {bucket}/copies"
    with pytest.raises(ConfigError, match=expected):
        files.local(f"{bucket}/flows")
