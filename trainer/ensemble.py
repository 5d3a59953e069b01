"""The ensemble's members on the machine's devices."""

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from crowdflow.config import Config
from crowdflow.schema import features
from crowdflow.trainer.device import Plan
from crowdflow.trainer.loop.checkpoint import Checkpoint
from crowdflow.trainer.loop.keras_fit import KerasFit
from crowdflow.trainer.loop.program import Program
from crowdflow.trainer.model import build_model, copy_weights
from crowdflow.trainer.quantiles.folds import fold_of_member
from crowdflow.trainer.training import Member, Trainer
from crowdflow.trainer.windows import Windows, join

log = logging.getLogger("crowdflow.training")


def train_members(
    config: Config,
    plan: Plan,
    train: Windows,
    evaluation: Windows,
    checkpoint: Callable[[int], Checkpoint],
    log_dir: str,
) -> tuple[list[keras.Model], list[keras.Model], list[dict[str, Any]]]:
    """Trains the ensemble's members, each device its share of them, resuming where they stopped.

    Args:
      config: of the run.
      plan: the devices, and how they train.
      train: transformed windows of `train`, in order of time.
      evaluation: transformed windows of `eval`.
      checkpoint: that of each member, counted from 1.
      log_dir: folder for TensorBoard.

    Returns:
      The networks as trained; the same in float32; and the history: one dict per epoch, with its `member`.
    """
    keras.utils.set_random_seed(config.seed)
    if config.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    size = train[features.EXTERNAL].shape[1] if features.EXTERNAL in train else 0
    shape = config.grid.rows, config.grid.cols, size
    members, exported, history = [], [], []
    for number in range(1, config.model.members + 1):
        seed = member_seed(config.seed, number)
        with tf.device("CPU:0"):  # a copy of the weights, which the loop has where it trains
            model = build_model(config.model, config.windows, *shape, seed, plan.precision)
        folder = os.path.join(log_dir, f"member{number}")
        fold = fold_of_member(number) if config.model.quantiles else None
        members.append(Member(model, seed, checkpoint(number), folder, str(number), fold))
    windows = join(train, evaluation)

    def train_on(device: str, share: Sequence[Member]) -> None:
        for start in range(0, len(share), plan.at_once):
            together = share[start : start + plan.at_once]
            if len(members) > 1:
                names = ", ".join(member.name for member in together)
                log.info("member %s of %d", names, len(members))
            models = [member.model for member in together]
            if plan.xla:
                loop = Program(models, windows, evaluation.count, device, plan.window_bytes)
            else:
                loop = KerasFit(*models, windows, evaluation.count)
            Trainer(together, loop, config.training, train, evaluation).run()

    if len(plan.devices) == 1:  # in this thread, which an interruption reaches
        train_on(plan.devices[0], members)
    else:
        shares = [members[i :: len(plan.devices)] for i in range(len(plan.devices))]
        with ThreadPoolExecutor(len(shares)) as pool:
            list(pool.map(train_on, plan.devices, shares))
    for number, member in enumerate(members, 1):
        history += [{"member": number, **epoch} for epoch in member.state.history]
        exported.append(build_model(config.model, config.windows, *shape, member.seed))
        copy_weights(member.model, exported[-1])
    return [member.model for member in members], exported, history


def member_seed(seed: int, member: int) -> int:
    """The seed of a member, counted from 1; the first member has the configuration's seed."""
    if member == 1:
        return seed
    return int(np.random.default_rng([seed, member]).integers(2**31))
