"""The two phases of training, resumable after every epoch.

Phase 1 trains on `train` and stops early on `eval`; phase 2 goes on from the best weights, on train + eval, for
a fixed number of epochs. Nothing here ever sees the test split.
"""

import dataclasses
import io
import json
import logging
import math
import os
import time
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np

from crowdflow.config import TrainingConfig
from crowdflow.schema import features
from crowdflow.schema.errors import ConfigError
from crowdflow.trainer import input_fn
from crowdflow.trainer.windows import Windows, join

log = logging.getLogger("crowdflow.training")

MOST_AT_ONCE = 32


@dataclasses.dataclass
class TrainingState:
    """The state of a training, saved with the weights after every epoch.

    Attributes:
      phase: 1, 2, or 3 when it is done.
      epoch: finished epochs of this phase.
      best_rmse: best eval RMSE so far, trips per interval, over all cells.
      waited: epochs since the best.
      history: one dict per epoch: phase, epoch, loss (scaled), eval_rmse (trips, phase 1), seconds, learning_rate.
    """

    phase: int = 1
    epoch: int = 0
    best_rmse: float = math.inf
    waited: int = 0
    history: list[dict] = dataclasses.field(default_factory=list)


class Checkpoint:
    """One file with state, weights, optimizer and best weights, replaced atomically.

    Args:
      folder: named by a hash of configuration, data and code, so that a restart finds it.
    """

    def __init__(self, folder: Path):
        self._path = folder / "checkpoint.npz"

    def save(self, state: TrainingState, model: keras.Model, best: list[np.ndarray]) -> None:
        """Writes the file under another name, then renames it."""
        groups = {
            "weight": model.get_weights(),
            "optimizer": [np.asarray(v) for v in model.optimizer.variables],
            "best": best,
        }
        arrays = {
            f"{name}_{i:05d}": a for name, group in groups.items() for i, a in enumerate(group)
        }
        content = io.BytesIO()  # a zip file on a full disk prints tracebacks of its own
        np.savez(content, state=json.dumps(dataclasses.asdict(state)), **arrays)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(f".{os.getpid()}.partial")
        try:
            partial.write_bytes(content.getbuffer())
            partial.replace(self._path)
        finally:
            partial.unlink(missing_ok=True)

    def load(self) -> tuple[TrainingState, dict[str, list[np.ndarray]]] | None:
        """State and the groups `weight`, `optimizer` and `best`, or None if there is no checkpoint."""
        if not self._path.exists():
            return None
        groups: dict[str, list[np.ndarray]] = {"weight": [], "optimizer": [], "best": []}
        try:
            with np.load(self._path) as saved:
                for name in sorted(set(saved.files) - {"state"}):
                    groups[name.rsplit("_", 1)[0]].append(saved[name])
                return TrainingState(**json.loads(str(saved["state"]))), groups
        except (ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            log.warning(
                "%s: not a whole checkpoint (%s); training starts at the first epoch",
                self._path.name,
                error,
            )
            return None


class _EpochEnd(keras.callbacks.Callback):
    """Runs after every epoch: history, best weights, early stopping, checkpoint, a line of progress."""

    def __init__(self, trainer: "Trainer", epochs: int):
        super().__init__()
        self._trainer = trainer
        self._epochs = epochs

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        trainer, state = self._trainer, self._trainer.state
        entry = {
            "phase": state.phase,
            "epoch": epoch + 1,
            "loss": float(logs["loss"]),
            "eval_rmse": None,
            "seconds": time.monotonic() - self._started,
            "learning_rate": float(self.model.optimizer.learning_rate),
        }
        _require_finite(entry, trainer.config)
        state.epoch = epoch + 1
        if "val_loss" in logs:
            entry["eval_rmse"] = math.sqrt(logs["val_loss"]) * trainer.trips_per_unit
            state.waited += 1
            if entry["eval_rmse"] < state.best_rmse:
                state.best_rmse, state.waited = entry["eval_rmse"], 0
                trainer.best = self.model.get_weights()
            if trainer.config.patience and state.waited >= trainer.config.patience:
                self.model.stop_training = True
        state.history.append(entry)
        trainer.checkpoint.save(state, self.model, trainer.best)
        log.info(describe_epoch(entry, self._epochs))


def _require_finite(entry: dict, config: TrainingConfig) -> None:
    second = entry["phase"] == 2 and config.final_learning_rate is not None
    name = "final_learning_rate" if second else "learning_rate"
    if not math.isfinite(entry["loss"]):
        raise ConfigError(
            f"training.{name}: expected a rate at which the loss stays finite. Received: "
            f"{getattr(config, name)} with batches of {config.batch_size}, and a loss of {entry['loss']} in "
            f"phase {entry['phase']}, epoch {entry['epoch']}."
        )


def describe_epoch(entry: dict, epochs: int) -> str:
    """The line of progress for an epoch."""
    scored = "" if entry["eval_rmse"] is None else f"  eval rmse {entry['eval_rmse']:.4f}"
    return (
        f"phase {entry['phase']}  epoch {entry['epoch']}/{epochs}  loss {entry['loss']:.3e}{scored}"
        f"  {entry['seconds']:.1f} s"
    )


def steps_at_once(steps: int) -> int:
    """The number of steps in one call of the graph: a divisor of the epoch's steps, so that none is left over."""
    return max(n for n in range(1, MOST_AT_ONCE + 1) if steps % n == 0)


class Trainer:
    """Trains one model.

    Args:
      model: built, not compiled; in `[-1, 1]` units.
      config: settings of both phases.
      train: transformed windows of `train`, in order of time.
      evaluation: those of `eval`, which share their maps.
      seed: seed of the order of windows.
      checkpoint: checkpoint to resume from and save to.
      log_dir: folder for TensorBoard.
    """

    def __init__(
        self,
        model: keras.Model,
        config: TrainingConfig,
        train: Windows,
        evaluation: Windows,
        seed: int,
        checkpoint: Checkpoint,
        log_dir: str,
    ):
        self.model, self.config, self.checkpoint = model, config, checkpoint
        self._seed, self._log_dir = seed, log_dir
        self._inputs = list(model.input)
        self._eval = evaluation
        self._windows = join(train, evaluation)
        self._sizes = {1: train.count, 2: self._windows.count}
        # The range of flows is 2 in scaled units.
        span = train[features.FLOW_MAX][0] - train[features.FLOW_MIN][0]
        self.trips_per_unit = float(span) / 2
        self.state = TrainingState()
        self.best = model.get_weights()

    def run(self) -> TrainingState:
        """Trains both phases, resuming where they stopped. The model then has its final weights.

        Raises:
          ConfigError: the loss is no longer a number; names the rate that did it.
        """
        self._compile(1)
        self._resume()
        if self.state.phase == 1:
            self._fit(self.config.epochs)
            self.model.set_weights(self.best)
            self.state.phase, self.state.epoch = 2, 0
            if self.config.final_learning_rate is not None:
                self._compile(2)
            self.checkpoint.save(self.state, self.model, self.best)
        if self.state.phase == 2:
            self._fit(self.config.final_epochs)
            self.state.phase = 3
            self.checkpoint.save(self.state, self.model, self.best)
        return self.state

    def _compile(self, phase: int) -> None:
        config = self.config
        rate = config.learning_rate
        epochs = config.epochs
        if phase == 2:
            rate, epochs = config.final_learning_rate, config.final_epochs
        if config.schedule == "cosine":
            steps = max(1, self._steps(phase) * epochs)
            rate = keras.optimizers.schedules.CosineDecay(rate, steps)
        # XLA is slower on a CPU.
        self.model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse", jit_compile=False)
        self.model.optimizer.build(self.model.trainable_variables)

    def _resume(self) -> None:
        saved = self.checkpoint.load()
        if saved is None:
            return
        self.state, groups = saved
        self.best = groups["best"]
        if self.state.phase >= 2 and self.config.final_learning_rate is not None:
            self._compile(2)
        self.model.set_weights(groups["weight"])
        for variable, value in zip(
            self.model.optimizer.variables, groups["optimizer"], strict=True
        ):
            variable.assign(value)
        log.info("resumed: phase %d after epoch %d", self.state.phase, self.state.epoch)

    def _steps(self, phase: int) -> int:
        whole = math.ceil(self._sizes[phase] / self.config.batch_size)
        return min(whole, self.config.steps_per_epoch or whole)

    def _stopped_early(self) -> bool:
        patience = self.config.patience
        return self.state.phase == 1 and bool(patience) and self.state.waited >= patience

    def _fit(self, epochs: int) -> None:
        phase = self.state.phase
        if self.state.epoch >= epochs or self._stopped_early():
            return
        data = input_fn.batches(
            self._windows,
            self._inputs,
            self._sizes[phase],
            self.config.batch_size,
            self._steps(phase),
            self._seed,
            phase,
            self.state.epoch,
        )
        options = {}
        if phase == 1:
            batch = 4 * self.config.batch_size
            options["validation_data"] = input_fn.in_order(self._eval, self._inputs, batch)
        self.model.steps_per_execution = steps_at_once(self._steps(phase))
        self.model.make_train_function(force=True)
        board = keras.callbacks.TensorBoard(os.path.join(self._log_dir, f"phase{phase}"))
        self.model.fit(
            data,
            initial_epoch=self.state.epoch,
            epochs=epochs,
            steps_per_epoch=self._steps(phase),
            callbacks=[board, _EpochEnd(self, epochs)],
            verbose=0,
            **options,
        )
