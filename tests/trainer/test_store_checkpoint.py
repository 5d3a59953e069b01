"""A checkpoint in an object store is the file that a folder would hold."""

import logging

import keras
import numpy as np
import pytest

from crowdflow.storage import object_store
from crowdflow.storage.store_path import as_path
from crowdflow.trainer.store_checkpoint import StoreCheckpoint, checkpoint_in
from crowdflow.trainer.training import Checkpoint, TrainingState


def make_model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(optimizer="adam", loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_it_is_found_again_as_it_was_saved(bucket):
    folder, model = as_path(f"{bucket}/checkpoints/key/1"), make_model()
    assert checkpoint_in(folder).load() is None
    for epoch in (1, 2):  # the second takes the first's place
        state = TrainingState(epoch=epoch, history=[{"epoch": epoch}])
        checkpoint_in(folder).save(state, model, model.get_weights())
    found, groups = checkpoint_in(folder).load()
    assert found == state
    for saved, weight in zip(groups["best"], model.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, weight)
    assert [e.address for e in object_store.entries(str(folder))] == [f"{folder}/checkpoint.npz"]


def test_a_folder_here_has_the_checkpoint_of_ever(tmp_path):
    found = checkpoint_in(as_path(str(tmp_path)))
    assert isinstance(found, Checkpoint) and not isinstance(found, StoreCheckpoint)


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_short_checkpoint_is_ignored_with_a_warning(kept, bucket, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("crowdflow"), "propagate", True)
    model = make_model()
    for folder in (as_path(f"{bucket}/checkpoints/key/1"), tmp_path):
        checkpoint_in(folder).save(TrainingState(epoch=3), model, model.get_weights())
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
