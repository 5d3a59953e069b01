"""A training that is interrupted anywhere resumes as if it had not been."""

import gc
import math
import os

import numpy as np
import pytest
from worlds.small_disk import resize, small_disk
from worlds.small_training import (  # noqa: F401
    answers,
    assert_equal_weights,
    deterministic,
    interrupt,
    make_trainer,
    rmse,
)

from crowdflow.schema.errors import ConfigError
from crowdflow.trainer.loop.checkpoint import Standing, TrainingState

# How it is trained, where it is interrupted (phase, epoch), and the optimizer's steps in the end.
INTERRUPTIONS = {
    "inside_a_phase": ({"steps_per_epoch": 2}, [(1, 2), (2, 1)], 3 * 2 + 2 * 2),
    "after_a_phase": (
        {"final_learning_rate": 1e-3, "schedule": "cosine"},
        [(1, 3), (2, 2)],
        2 * 4,  # of an optimizer of its own
    ),
}


@pytest.fixture(scope="module", params=INTERRUPTIONS)
def undisturbed(request, splits, tmp_path_factory):
    settings, places, steps = INTERRUPTIONS[request.param]
    trainer = make_trainer(splits, tmp_path_factory.mktemp("whole"), **settings)
    trainer.run()
    assert int(trainer.loop.optimizer.iterations) == steps
    return settings, places, trainer


def test_an_interrupted_training_ends_with_the_same_bits(undisturbed, splits, tmp_path):
    settings, places, whole = undisturbed
    for phase, epoch in places:
        interrupt(make_trainer(splits, tmp_path, **settings), phase, epoch)
    resumed = make_trainer(splits, tmp_path, **settings)
    state = resumed.run()
    assert_equal_weights(resumed.model.get_weights(), whole.model.get_weights())
    assert_equal_weights(resumed.best, whole.best)
    assert state.best_rmse == whole.state.best_rmse

    def told(history):
        return [{k: v for k, v in entry.items() if k != "seconds"} for entry in history]

    assert told(state.history) == told(whole.state.history)
    done = make_trainer(splits, tmp_path, **settings)
    assert done.run().history == state.history  # nothing left to do
    assert_equal_weights(done.model.get_weights(), whole.model.get_weights())


def test_patience_stops_phase_1_and_a_restart_knows_it(splits, tmp_path):
    settings = {"epochs": 9, "patience": 1, "learning_rate": 0.5, "final_epochs": 1}
    whole = make_trainer(splits, tmp_path / "a", **settings)
    scores = [entry["eval_rmse"] for entry in whole.run().history if entry["phase"] == 1]
    assert len(scores) == int(np.argmin(scores)) + 2 < 9
    assert whole.state.history[-1]["phase"] == 2

    interrupt(make_trainer(splits, tmp_path / "b", **settings), 1, len(scores))
    resumed = make_trainer(splits, tmp_path / "b", **settings)
    assert len(resumed.run().history) == len(whole.state.history)
    assert_equal_weights(resumed.model.get_weights(), whole.model.get_weights())


@pytest.mark.parametrize("name", ["learning_rate", "final_learning_rate"])
def test_a_training_that_diverges_ends_with_a_word_on_the_rate(splits, tmp_path, name):
    settings = {"epochs": 2, name: 1e30}
    message = rf"training\.{name}: .* Received: 1e\+30 with batches of \d+, and a loss of (nan|inf) in phase"
    for _ in range(2):  # a restart does not take the broken weights for good ones
        with pytest.raises(ConfigError, match=message):
            make_trainer(splits, tmp_path, **settings).run()


def test_a_half_written_checkpoint_is_ignored(splits, tmp_path):
    trainer = make_trainer(splits, tmp_path, epochs=1, final_epochs=0)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "checkpoint.4242.partial").write_bytes(b"PK\x03\x04 half of")
    assert trainer.checkpoint.load() is None
    trainer.run()
    saved = trainer.checkpoint.load()
    assert saved.state.phase == 3 and math.isfinite(saved.state.best_rmse)
    assert_equal_weights(saved.weights, trainer.model.get_weights())
    assert not list(folder.glob(f"*.{os.getpid()}.partial"))


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_keeps_the_checkpoint_before(splits, tmp_path):
    trainer = make_trainer(splits, tmp_path, epochs=1, final_epochs=0)
    trainer.run()
    folder = tmp_path / "checkpoint"
    with small_disk(folder, 1 << 20):
        standing = trainer.members[0].standing
        standing.state = TrainingState(epoch=1)
        trainer.checkpoint.save(standing)
        resize(folder, sum(file.stat().st_blocks * 512 for file in folder.iterdir()))
        with pytest.raises(OSError, match="No space left on device"):
            standing.state = TrainingState(epoch=2)
            trainer.checkpoint.save(standing)
        gc.collect()  # a zip file that was not closed would print a traceback now
        assert [file.name for file in folder.iterdir()] == ["checkpoint.npz"]
        assert trainer.checkpoint.load().state.epoch == 1


def test_a_checkpoint_before_the_first_epoch_comes_back(splits, tmp_path):
    """The best RMSE is infinite then, which plain JSON does not know."""
    trainer = make_trainer(splits, tmp_path, epochs=0, final_epochs=1)
    trainer.checkpoint.save(Standing(TrainingState(), trainer.best, (), trainer.best))
    assert trainer.checkpoint.load().state == TrainingState()
