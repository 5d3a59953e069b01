"""The two phases, and a training that is interrupted anywhere and goes on as if it had not been."""

import json
import logging
import math
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from crowdflow.config import ModelConfig, TrainingConfig, WindowConfig
from crowdflow.schema import features
from crowdflow.schema.errors import ConfigError
from crowdflow.trainer import input_fn
from crowdflow.trainer.model import build_model
from crowdflow.trainer.training import (
    Checkpoint,
    Trainer,
    TrainingState,
    describe_epoch,
    steps_at_once,
)

STILL = 1e-30  # a learning rate that moves no float32 weight


@pytest.fixture(autouse=True, scope="module")
def deterministic():
    from tensorflow.python.framework import config

    tf.config.experimental.enable_op_determinism()
    yield
    config.disable_op_determinism()


def make_trainer(splits, folder, seed=3, **settings):
    values = {"epochs": 3, "final_epochs": 2, "batch_size": 5, "learning_rate": 3e-3, **settings}
    keras.utils.set_random_seed(seed)
    train, evaluation = splits["train"], splits["eval"]
    model = build_model(
        ModelConfig(residual_units=1, filters=4, batch_norm=True, head="linear"),
        WindowConfig(closeness=3, period=0, trend=0, horizon=2),
        rows=4,
        cols=3,
        external_size=train[features.EXTERNAL].shape[1],
        seed=seed,
    )
    config = TrainingConfig(precision="float32", **values)
    checkpoint = Checkpoint(folder / "checkpoint")
    return Trainer(model, config, train, evaluation, seed, checkpoint, str(folder / "logs"))


def answers(model, arrays):
    inputs = {name: arrays[name] for name in model.input}
    return keras.ops.convert_to_numpy(model(inputs, training=False))


def rmse(model, arrays):
    """Over every window, cell and direction, in trips, by numpy."""
    span = arrays["flow_max"][0] - arrays["flow_min"][0]
    error = (answers(model, arrays).astype(np.float64) - arrays["target"]) / 2 * span
    return math.sqrt((error**2).mean())


def assert_equal_weights(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


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
    assert int(trainer.model.optimizer.iterations) == steps


class Interrupted(Exception):
    pass


class _Stop(logging.Handler):
    """Ends a training right after it told of an epoch, as a kill would."""

    def __init__(self, phase, epoch):
        super().__init__()
        self._place = f"phase {phase}  epoch {epoch}/"

    def emit(self, record):
        if record.getMessage().startswith(self._place):
            raise Interrupted


def run_interrupted(trainer, phase, epoch):
    log, stop = logging.getLogger("crowdflow.training"), _Stop(phase, epoch)
    level = log.level
    log.setLevel(logging.INFO)
    log.addHandler(stop)
    try:
        with pytest.raises(Interrupted):
            trainer.run()
    finally:
        log.removeHandler(stop)
        log.setLevel(level)


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
    assert int(trainer.model.optimizer.iterations) == steps
    return settings, places, trainer


def test_an_interrupted_training_ends_with_the_same_bits(undisturbed, splits, tmp_path):
    settings, places, whole = undisturbed
    for phase, epoch in places:
        run_interrupted(make_trainer(splits, tmp_path, **settings), phase, epoch)
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

    run_interrupted(make_trainer(splits, tmp_path / "b", **settings), 1, len(scores))
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
    state, groups = trainer.checkpoint.load()
    assert state.phase == 3 and math.isfinite(state.best_rmse)
    assert_equal_weights(groups["weight"], trainer.model.get_weights())
    assert not list(folder.glob(f"*.{os.getpid()}.partial"))


def test_a_checkpoint_before_the_first_epoch_comes_back(splits, tmp_path):
    """The best RMSE is infinite then, which plain JSON does not know."""
    trainer = make_trainer(splits, tmp_path, epochs=0, final_epochs=1)
    trainer.model.compile("adam")
    trainer.model.optimizer.build(trainer.model.trainable_variables)
    trainer.checkpoint.save(TrainingState(), trainer.model, trainer.best)
    assert trainer.checkpoint.load()[0] == TrainingState()


def test_an_epochs_line(splits):
    entry = {"phase": 1, "epoch": 3, "loss": 0.01234, "eval_rmse": 7.5, "seconds": 1.25}
    assert describe_epoch(entry, 9) == "phase 1  epoch 3/9  loss 1.234e-02  eval rmse 7.5000  1.2 s"
    entry |= {"phase": 2, "eval_rmse": None}
    assert describe_epoch(entry, 9) == "phase 2  epoch 3/9  loss 1.234e-02  1.2 s"


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
    original = input_fn.batches

    def watched(*args):
        def note(inputs, target):
            taken.append(len(target))
            return np.int64(0)

        def see(inputs, target):
            seen = tf.numpy_function(lambda t: note(None, t), [target], tf.int64)
            with tf.control_dependencies([seen]):
                return inputs, tf.identity(target)

        return original(*args).map(see)

    monkeypatch.setattr(input_fn, "batches", watched)
    trainer = make_trainer(splits, tmp_path, epochs=2, final_epochs=0, batch_size=4)
    trainer.run()
    size = len(splits["train"]["target"])
    assert sum(taken[: math.ceil(size / 4)]) == size and trainer.model.optimizer.iterations == 2 * 4
