"""An epoch as one program trains as Keras' loop does, and members together as they do apart."""

import shutil

import numpy as np
import pytest
from worlds.small_training import (  # noqa: F401
    answers,
    assert_equal_weights,
    deterministic,
    interrupt,
    make_trainer,
)

BOTH = {"final_learning_rate": 1e-3, "schedule": "cosine"}
SEEDS = (3, 8, 5)


def told(history, *names):
    return np.array([[entry[name] or 0.0 for name in names] for entry in history])


def assert_same_history(first, second):
    """Of members whose numbers were added in another order."""
    names = "phase", "epoch", "loss", "eval_rmse", "learning_rate"
    np.testing.assert_allclose(
        told(first.state.history, *names), told(second.state.history, *names), rtol=5e-4
    )


def assert_alike(first, second):
    assert_same_history(first, second)
    pairs = zip(first.model.get_weights(), second.model.get_weights(), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4)


@pytest.fixture(scope="module")
def alone(splits, tmp_path_factory):
    """Each member by Keras' loop."""
    folder = tmp_path_factory.mktemp("alone")
    trainers = [make_trainer(splits, folder, seed, **BOTH) for seed in SEEDS]
    for trainer in trainers:
        trainer.run()
    return [trainer.members[0] for trainer in trainers]


@pytest.mark.parametrize("loop", ["graph", "xla", "blocks"])
def test_a_program_trains_as_keras_does(alone, splits, tmp_path, loop):
    trainer = make_trainer(splits, tmp_path, loop=loop, **BOTH)
    trainer.run()
    assert_alike(trainer.members[0], alone[0])


@pytest.mark.parametrize("loop", ["graph", "xla"])
def test_members_together_are_the_members_apart(alone, splits, tmp_path, loop):
    trainer = make_trainer(splits, tmp_path, *SEEDS, loop=loop, **BOTH)
    trainer.run()
    for member, apart in zip(trainer.members, alone, strict=True):
        assert_alike(member, apart)
    first, second = (member.model.get_weights()[0] for member in trainer.members[:2])
    assert np.abs(first - second).max() > 0.01


def test_a_member_that_stops_early_waits_for_the_others(splits, tmp_path):
    settings = {"epochs": 9, "patience": 1, "learning_rate": 0.03, "final_epochs": 1}
    apart = []
    for seed in SEEDS:
        trainer = make_trainer(splits, tmp_path / "apart", seed, **settings)
        trainer.run()
        apart.append(trainer.members[0])
    together = make_trainer(splits, tmp_path / "together", *SEEDS, loop="graph", **settings)
    together.run()
    lengths = [len(member.state.history) for member in apart]
    assert len(set(lengths)) > 1, f"{lengths}: they stop at the same epoch"
    assert [len(member.state.history) for member in together.members] == lengths
    for member, other in zip(together.members, apart):
        assert_same_history(member, other)
        # A bias before a normalisation has no gradient but noise, so weights need not be alike after many steps.
        one, two = (answers(found.model, splits["eval"]) for found in (member, other))
        np.testing.assert_allclose(one, two, atol=5e-3)


@pytest.mark.parametrize("loop, seeds", [("xla", ()), ("graph", SEEDS)], ids=["one", "together"])
def test_an_interrupted_program_ends_with_the_same_bits(splits, tmp_path, loop, seeds):
    def make(folder):
        return make_trainer(splits, tmp_path / folder, *seeds, loop=loop, **BOTH)

    whole = make("whole")
    whole.run()
    for place in [(1, 2), (2, 1)]:
        interrupt(make("killed"), *place)
    resumed = make("killed")
    resumed.run()
    for one, other in zip(resumed.members, whole.members, strict=True):
        assert_equal_weights(one.model.get_weights(), other.model.get_weights())
        assert_equal_weights(one.standing.best, other.standing.best)


def test_a_kill_between_two_members_checkpoints_costs_one_of_them_an_epoch(splits, tmp_path):
    def make(folder):
        return make_trainer(splits, tmp_path / folder, *SEEDS, loop="graph", **BOTH)

    whole = make("whole")
    whole.run()
    interrupt(make("killed"), 1, 1)
    behind = tmp_path / "killed" / str(SEEDS[1]) / "checkpoint"
    shutil.copytree(behind, tmp_path / "kept")
    interrupt(make("killed"), 1, 2)
    shutil.copytree(tmp_path / "kept", behind, dirs_exist_ok=True)
    resumed = make("killed")
    resumed.run()
    for one, other in zip(resumed.members, whole.members, strict=True):
        assert_equal_weights(one.model.get_weights(), other.model.get_weights())
