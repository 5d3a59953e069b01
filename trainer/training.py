"""The two phases of training, resumable after every epoch.

Phase 1 trains on `train` and stops early on `eval`; phase 2 goes on from the best weights, on train + eval, for
a fixed number of epochs. Nothing here ever sees the test split.
"""

import dataclasses
import logging
import math
import os
import time
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from crowdflow.config import TrainingConfig
from crowdflow.schema import features
from crowdflow.schema.errors import ConfigError
from crowdflow.trainer.loop.checkpoint import DONE, Checkpoint, Standing, TrainingState
from crowdflow.trainer.loop.keras_fit import KerasFit
from crowdflow.trainer.loop.orders import epoch_order
from crowdflow.trainer.loop.program import Program
from crowdflow.trainer.quantiles.folds import FOLDS, folds_of
from crowdflow.trainer.windows import Windows

log = logging.getLogger("crowdflow.training")


@dataclasses.dataclass(eq=False)
class Member:
    """A network of the ensemble.

    Attributes:
      model: built, not compiled; in `[-1, 1]` units. It has its final weights when the training is done.
      seed: seed of the order of windows.
      checkpoint: checkpoint to resume from and save to.
      log_dir: folder for TensorBoard.
      name: number in the ensemble.
      fold: the fold of `eval` that phase 2 leaves out, see `quantiles.folds`; None trains on all of it.
    """

    model: keras.Model
    seed: int
    checkpoint: Checkpoint
    log_dir: str
    name: str = "1"
    fold: int | None = None

    def __post_init__(self):
        first = self.model.get_weights()
        self.standing = Standing(TrainingState(), first, (), first)
        self._boards: dict[str, tf.summary.SummaryWriter] = {}

    @property
    def state(self) -> TrainingState:
        """Where its training stands."""
        return self.standing.state

    def board(self, part: str, epoch: int, **scalars: float) -> None:
        """Writes an epoch's numbers for TensorBoard, under Keras' names."""
        folder = os.path.join(self.log_dir, f"phase{self.state.phase}", part)
        if folder not in self._boards:
            self._boards[folder] = tf.summary.create_file_writer(folder)
        with self._boards[folder].as_default():
            for name, value in scalars.items():
                tf.summary.scalar(f"epoch_{name}", value, step=epoch)
        self._boards[folder].flush()


class Trainer:
    """Trains members by one loop: those that are equally far train their next epoch together.

    Args:
      members: as many as the loop has networks.
      loop: with the members' models, and the windows of `train` and then `eval`, which it tests on.
      config: settings of both phases.
      train: transformed windows of `train`, in order of time.
      evaluation: those of `eval`.
    """

    def __init__(
        self,
        members: Sequence[Member],
        loop: KerasFit | Program,
        config: TrainingConfig,
        train: Windows,
        evaluation: Windows,
    ):
        self.members, self.loop, self.config = members, loop, config
        self._count = train.count + evaluation.count
        self._sizes = {1: train.count, 2: self._count}
        if (
            members[0].fold is not None
        ):  # each epoch has as many windows for each member, whatever its fold
            folds = folds_of(evaluation[features.TARGET_TIME])
            self._left_out = [train.count + np.flatnonzero(folds == fold) for fold in range(FOLDS)]
            self._sizes[2] -= max(map(len, self._left_out))
        # The range of flows is 2 in scaled units.
        span = train[features.FLOW_MAX][0] - train[features.FLOW_MIN][0]
        self.trips_per_unit = float(span) / 2
        self._optimizer = 0  # the phase that it was made for
        self._fresh: Sequence[np.ndarray] = ()
        self._held: list[Member] = []  # those whose standing is in the loop

    def run(self) -> None:
        """Trains both phases, resuming where they stopped. The models then have their final weights.

        Raises:
          ConfigError: a loss is no longer a number; names the rate that did it.
        """
        for member in self.members:
            saved = member.checkpoint.load()
            if saved is not None:
                member.standing = saved
                log.info("resumed: phase %d after epoch %d", saved.state.phase, saved.state.epoch)
            self._pass_on(member)
        while going := [member for member in self.members if member.state.phase < DONE]:
            least = min(map(_place, going))
            self._epoch([member for member in going if _place(member) == least])
        for member in self.members:
            member.model.set_weights(member.standing.weights)

    def _pass_on(self, member: Member) -> None:
        """Takes a member past the end of a phase."""
        standing, state, config = member.standing, member.state, self.config
        early = bool(config.patience) and state.waited >= config.patience
        if state.phase == 1 and (state.epoch >= config.epochs or early):
            standing.weights = standing.best
            state.phase, state.epoch = 2, 0
            if config.final_learning_rate is not None:
                standing.optimizer = ()
            self._held = []
            member.checkpoint.save(standing)
        if state.phase == 2 and state.epoch >= config.final_epochs:
            state.phase = DONE
            member.checkpoint.save(standing)

    def _epoch(self, group: Sequence[Member]) -> None:
        phase, epoch = group[0].state.phase, group[0].state.epoch
        started = time.monotonic()
        self._optimize(phase)
        self._write(group)
        size = self._sizes[phase]
        seen = min(size, self._steps(phase) * self.config.batch_size)
        orders = [self._order(m, phase, epoch)[:seen] for m in self._seats(group)]
        losses = self.loop.train(orders, self.config.batch_size)
        errors = [None] * self.loop.count
        if phase == 1:
            errors = self.loop.test(4 * self.config.batch_size)
        seconds = time.monotonic() - started
        rate = float(self.loop.optimizer.learning_rate)
        found = zip(self.members, losses, errors, self.loop.read(), strict=True)
        for member, loss, error, (weights, optimizer) in found:
            if member in group:
                entry = {
                    "phase": phase,
                    "epoch": epoch + 1,
                    "loss": float(loss),
                    "eval_rmse": None if error is None else math.sqrt(error) * self.trips_per_unit,
                    "seconds": seconds,
                    "learning_rate": rate,
                }
                _require_finite(entry, self.config)
                member.standing.weights, member.standing.optimizer = weights, optimizer
                self._note(member, entry, error)
        epochs = self.config.epochs if phase == 1 else self.config.final_epochs
        line = describe_epoch([member.state.history[-1] for member in group], epochs)
        if len(self.members) > 1:
            line = f"{line}  (member {', '.join(member.name for member in group)})"
        log.info(line)
        for member in group:
            self._pass_on(member)

    def _note(self, member: Member, entry: dict, error: float | None) -> None:
        """History, best weights, TensorBoard and checkpoint of a member's epoch."""
        state = member.state
        state.epoch = entry["epoch"]
        number = state.epoch - 1
        member.board("train", number, loss=entry["loss"], learning_rate=entry["learning_rate"])
        if error is not None:
            member.board("validation", number, loss=error)
            state.waited += 1
            if entry["eval_rmse"] < state.best_rmse:
                state.best_rmse, state.waited = entry["eval_rmse"], 0
                member.standing.best = member.standing.weights
        state.history.append(entry)
        member.checkpoint.save(member.standing)

    def _optimize(self, phase: int) -> None:
        """Makes the phase's optimizer, where it has one of its own."""
        config = self.config
        own = 1 if config.final_learning_rate is None else phase
        if self._optimizer == own:
            return
        rate, epochs = config.learning_rate, config.epochs
        if own == 2:
            rate, epochs = config.final_learning_rate, config.final_epochs
        if config.schedule == "cosine":
            steps = max(1, self._steps(own) * epochs)
            rate = keras.optimizers.schedules.CosineDecay(rate, steps)
        self._fresh = self.loop.optimize_at(rate, config.cell_decay)
        self._optimizer, self._held = own, []

    def _order(self, member: Member, phase: int, epoch: int) -> np.ndarray:
        """The order of the member's windows in an epoch, by their numbers."""
        if phase == 1 or member.fold is None:
            return epoch_order(self._sizes[phase], member.seed, phase, epoch)
        rows = np.delete(np.arange(self._count), self._left_out[member.fold])
        return rows[epoch_order(len(rows), member.seed, phase, epoch)]

    def _seats(self, group: Sequence[Member]) -> list[Member]:
        """For each network of the loop, the member that it trains; the first of the group fills other seats."""
        return [member if member in group else group[0] for member in self.members]

    def _write(self, group: Sequence[Member]) -> None:
        """Brings the group's standings into the loop, unless it has them from the epoch before."""
        if any(member not in self._held for member in group):
            seated = [member.standing for member in self._seats(group)]
            self.loop.write([(one.weights, one.optimizer or self._fresh) for one in seated])
        self._held = list(group)

    def _steps(self, phase: int) -> int:
        whole = math.ceil(self._sizes[phase] / self.config.batch_size)
        return min(whole, self.config.steps_per_epoch or whole)


def _place(member: Member) -> tuple[int, int, int]:
    """Members of one place have the same epoch before them, and as many behind them."""
    return member.state.phase, member.state.epoch, len(member.state.history)


def _require_finite(entry: dict, config: TrainingConfig) -> None:
    second = entry["phase"] == 2 and config.final_learning_rate is not None
    name = "final_learning_rate" if second else "learning_rate"
    if not math.isfinite(entry["loss"]):
        raise ConfigError(
            f"training.{name}: expected a rate at which the loss stays finite. Received: "
            f"{getattr(config, name)} with batches of {config.batch_size}, and a loss of {entry['loss']} in "
            f"phase {entry['phase']}, epoch {entry['epoch']}."
        )


def describe_epoch(entries: Sequence[dict], epochs: int) -> str:
    """The line of progress for an epoch, of one member or several."""
    first = entries[0]
    losses = " ".join(f"{entry['loss']:.3e}" for entry in entries)
    scored = ""
    if first["eval_rmse"] is not None:
        scored = "  eval rmse " + " ".join(f"{entry['eval_rmse']:.4f}" for entry in entries)
    return (
        f"phase {first['phase']}  epoch {first['epoch']}/{epochs}  loss {losses}{scored}"
        f"  {first['seconds']:.1f} s"
    )
