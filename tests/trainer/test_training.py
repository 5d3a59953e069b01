"""The two phases of a training."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from worlds.small_training import (  # noqa: F401
    answers,
    assert_equal_weights,
    deterministic,
    make_trainer,
    rmse,
)

from crowdflow.trainer.loop import keras_fit
from crowdflow.trainer.loop.keras_fit import steps_at_once
from crowdflow.trainer.training import describe_epoch

STILL = 1e-30  # a learning rate that moves no float32 weight


def test_history_tells_both_phases(splits, tmp_path):
    trainer = make_trainer(splits, tmp_path, final_learning_rate=1e-3, schedule="cosine")
    state = trainer.run()
    assert state.phase == 3
    assert [(e["phase"], e["epoch"]) for e in state.history] == [
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 1),
        (2, 2),
    ]
    assert [e["eval_rmse"] is None for e in state.history] == [False] * 3 + [True] * 2
    assert all(e["seconds"] > 0 and math.isfinite(e["loss"]) for e in state.history)
    # Cosine to zero over a phase's epochs: after epoch k of n, (1 + cos(pi k / n)) / 2 of the rate.
    rates = [e["learning_rate"] for e in state.history]
    phases = [(3e-3, 3, k) for k in (1, 2, 3)] + [(1e-3, 2, k) for k in (1, 2)]
    expected = [rate * (1 + math.cos(math.pi * k / n)) / 2 for rate, n, k in phases]
    np.testing.assert_allclose(rates, expected, atol=1e-9)
    assert state.history[2]["loss"] < state.history[0]["loss"]
    assert json.loads(json.dumps(state.history)) == state.history
    assert {
        p.parts[-2] for p in (tmp_path / "logs").rglob("events.*") if p.parts[-3] == "phase1"
    } == {
        "train",
        "validation",
    }


def test_eval_rmse_is_global_and_in_trips(splits, tmp_path):
    """Batches of 4 over 7 windows: a mean of batch means would be another number."""
    trainer = make_trainer(splits, tmp_path, epochs=1, final_epochs=0, batch_size=1)
    [entry] = trainer.run().history
    expected = rmse(trainer.model, splits["eval"])
    assert entry["eval_rmse"] == pytest.approx(expected, rel=1e-5)
    error = (answers(trainer.model, splits["eval"]) - splits["eval"]["target"]) ** 2
    of_batches = math.sqrt((error[:4].mean() + error[4:].mean()) / 2) * trainer.trips_per_unit
    assert abs(of_batches - expected) > 1e-4 * expected


def test_the_best_weights_are_restored_before_phase_2(splits, tmp_path):
    trainer = make_trainer(
        splits, tmp_path, epochs=6, final_epochs=0, learning_rate=0.3, patience=None
    )
    history = trainer.run().history
    scores = [entry["eval_rmse"] for entry in history]
    assert min(scores) < scores[-1], (
        "the rate is too small for this test: the last epoch is the best"
    )
    assert trainer.state.best_rmse == min(scores)
    assert rmse(trainer.model, splits["eval"]) == pytest.approx(min(scores), rel=1e-5)

    # With a rate that moves nothing, phase 2 ends with the best weights too (moving averages apart).
    again = make_trainer(
        splits,
        tmp_path / "b",
        epochs=6,
        final_epochs=1,
        learning_rate=0.3,
        patience=None,
        final_learning_rate=STILL,
    )
    again.run()
    for variable, best in zip(again.model.trainable_variables, trainer.model.trainable_variables):
        np.testing.assert_allclose(variable, best, rtol=0, atol=1e-20)


@pytest.mark.parametrize(
    "settings, epochs, steps",
    [
        ({}, (3, 2), 3 * 3 + 2 * 4),  # 13 train windows, 20 with eval, batches of 5
        ({"epochs": 0}, (0, 2), 2 * 4),
    ],
    ids=["both", "phase_2_only"],
)
def test_phase_1_takes_train_and_phase_2_train_and_eval(splits, tmp_path, settings, epochs, steps):
    trainer = make_trainer(splits, tmp_path, **settings)
    phases = [entry["phase"] for entry in trainer.run().history]
    assert (phases.count(1), phases.count(2)) == epochs
    assert int(trainer.loop.optimizer.iterations) == steps


def test_an_epochs_line(splits):
    entry = {"phase": 1, "epoch": 3, "loss": 0.01234, "eval_rmse": 7.5, "seconds": 1.25}
    line = "phase 1  epoch 3/9  loss 1.234e-02  eval rmse 7.5000  1.2 s"
    assert describe_epoch([entry], 9) == line
    other = entry | {"loss": 0.02, "eval_rmse": 8.25}
    line = "phase 1  epoch 3/9  loss 1.234e-02 2.000e-02  eval rmse 7.5000 8.2500  1.2 s"
    assert describe_epoch([entry, other], 9) == line
    entry |= {"phase": 2, "eval_rmse": None}
    assert describe_epoch([entry], 9) == "phase 2  epoch 3/9  loss 1.234e-02  1.2 s"


def test_steps_of_a_call_divide_the_epoch():
    assert [steps_at_once(steps) for steps in (1, 5, 32, 64, 209, 211, 300)] == [
        1,
        5,
        32,
        32,
        19,
        1,
        30,
    ]


def test_an_epoch_of_several_calls_takes_every_window_once(splits, tmp_path, monkeypatch):
    taken = []
    original = keras_fit.taken

    def watched(*args):
        def note(inputs, target):
            taken.append(len(target))
            return np.int64(0)

        def see(inputs, target):
            seen = tf.numpy_function(lambda t: note(None, t), [target], tf.int64)
            with tf.control_dependencies([seen]):
                return inputs, tf.identity(target)

        return original(*args).map(see)

    monkeypatch.setattr(keras_fit, "taken", watched)
    trainer = make_trainer(splits, tmp_path, epochs=2, final_epochs=0, batch_size=4)
    trainer.run()
    size = len(splits["train"]["target"])
    assert sum(taken[: math.ceil(size / 4)]) == size and trainer.loop.optimizer.iterations == 2 * 4
