"""Where a network's training stands, and the file that keeps it."""

import dataclasses
import io
import json
import logging
import math
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

log = logging.getLogger("crowdflow.training")

DONE = 3
_GROUPS = "weights", "optimizer", "best"


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


@dataclasses.dataclass(eq=False)
class Standing:
    """A network's training between two epochs.

    Attributes:
      state: where it is.
      weights: in the order of `keras.Model.get_weights`.
      optimizer: the optimizer's variables; none before its first step.
      best: weights of the best epoch of phase 1, or the first ones.
    """

    state: TrainingState
    weights: Sequence[np.ndarray]
    optimizer: Sequence[np.ndarray]
    best: Sequence[np.ndarray]


class Checkpoint:
    """One file with a standing, replaced atomically.

    Args:
      folder: named by a hash of configuration, data and code, so that a restart finds it.
    """

    def __init__(self, folder: Path):
        self._path = folder / "checkpoint.npz"

    def save(self, standing: Standing) -> None:
        """Writes the file under another name, then renames it."""
        arrays = {
            f"{name}_{i:05d}": array
            for name in _GROUPS
            for i, array in enumerate(getattr(standing, name))
        }
        content = io.BytesIO()  # a zip file on a full disk prints tracebacks of its own
        np.savez(content, state=json.dumps(dataclasses.asdict(standing.state)), **arrays)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(f".{os.getpid()}.partial")
        try:
            partial.write_bytes(content.getbuffer())
            partial.replace(self._path)
        finally:
            partial.unlink(missing_ok=True)

    def load(self) -> Standing | None:
        """What was saved, or None if there is no checkpoint."""
        if not self._path.exists():
            return None
        groups: dict[str, list[np.ndarray]] = {name: [] for name in _GROUPS}
        try:
            with np.load(self._path) as saved:
                for name in sorted(set(saved.files) - {"state"}):
                    groups[name.rsplit("_", 1)[0]].append(saved[name])
                return Standing(TrainingState(**json.loads(str(saved["state"]))), **groups)
        except (ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            log.warning(
                "%s: not a whole checkpoint (%s); training starts at the first epoch",
                self._path.name,
                error,
            )
            return None
