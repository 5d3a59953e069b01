"""A checkpoint in an object store is the file that a folder would hold."""

import logging

import numpy as np
import pytest

from crowdflow.storage import object_store
from crowdflow.storage.store_path import as_path
from crowdflow.trainer.loop.checkpoint import Checkpoint, Standing, TrainingState
from crowdflow.trainer.store_checkpoint import StoreCheckpoint, checkpoint_in

WEIGHTS = [np.arange(6, dtype=np.float32).reshape(3, 2), np.ones(2, np.float32)]


def make_standing(**state):
    optimizer = [np.int64(4), *(0 * weight for weight in WEIGHTS)]
    return Standing(TrainingState(**state), WEIGHTS, optimizer, [-weight for weight in WEIGHTS])


def test_it_is_found_again_as_it_was_saved(bucket):
    folder = as_path(f"{bucket}/checkpoints/key/1")
    assert checkpoint_in(folder).load() is None
    for epoch in (1, 2):  # the second takes the first's place
        standing = make_standing(epoch=epoch, history=[{"epoch": epoch}])
        checkpoint_in(folder).save(standing)
    found = checkpoint_in(folder).load()
    assert found.state == standing.state
    for name in ("weights", "optimizer", "best"):
        for saved, array in zip(getattr(found, name), getattr(standing, name), strict=True):
            np.testing.assert_array_equal(saved, array)
    assert [e.address for e in object_store.entries(str(folder))] == [f"{folder}/checkpoint.npz"]


def test_a_folder_here_has_the_checkpoint_of_ever(tmp_path):
    found = checkpoint_in(as_path(str(tmp_path)))
    assert isinstance(found, Checkpoint) and not isinstance(found, StoreCheckpoint)


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_short_checkpoint_is_ignored_with_a_warning(kept, bucket, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("crowdflow"), "propagate", True)
    for folder in (as_path(f"{bucket}/checkpoints/key/1"), tmp_path):
        checkpoint_in(folder).save(make_standing(epoch=3))
        whole = (folder / "checkpoint.npz").read_bytes()
        size = int(kept * len(whole)) if isinstance(kept, float) else kept
        if folder == tmp_path:
            (folder / "checkpoint.npz").write_bytes(whole[:size])
        else:
            with object_store.open_to_write(f"{folder}/checkpoint.npz") as file:
                file.write(whole[:size])
        caplog.clear()
        assert checkpoint_in(folder).load() is None
        assert "not a whole checkpoint" in caplog.text
