"""Trains an approved model once more, on all windows: those of the test days as well."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow_transform as tft

from crowdflow.config import Config, TrainingConfig
from crowdflow.trainer import device, input_fn
from crowdflow.trainer.ensemble import train_members
from crowdflow.trainer.quantiles.unseen import Unseen
from crowdflow.trainer.quantiles.unseen import join as join_unseen
from crowdflow.trainer.run_fn import checkpoints_of, spread_of, write_model
from crowdflow.trainer.warmup import BATCH_SIZES
from crowdflow.trainer.windows import join

log = logging.getLogger("crowdflow.training")


def refit(
    patterns: Mapping[str, Sequence[str]],
    graph_path: str,
    custom: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    unseen: Sequence[Unseen],
    levels: Sequence[float],
    more: Mapping[str, Any],
    folder: str,
    log_dir: str,
) -> None:
    """Trains from new weights, for as many epochs as the approved model, and writes the SavedModel.

    Args:
      patterns: file patterns of gzipped TFRecords by split: `train`, `eval` and `test`.
      graph_path: the Transform output, whose scaling stays the approved model's.
      custom: as `run_fn` has it.
      history: the approved training's epochs, as in its `history.json`.
      unseen: the approved model's forecasts of days that it was not trained on, from which the new model's
        quantiles are learnt; it has seen all days itself. Without any, it has no quantiles.
      levels: at which each of `model.quantiles` is read off, ascending.
      more: fields of the model's account besides the usual ones.
      folder: of the SavedModel.
      log_dir: folder for TensorBoard.
    """
    config = Config.from_sections(custom["config"])
    graph = tft.TFTransformOutput(graph_path)
    splits = input_fn.load_splits(patterns, graph, config)
    known, test = join(splits["train"], splits["eval"]), splits["test"]
    training = on_all(config.training, history)
    count = known.count + test.count
    log.info(
        "approved; once more on all %s windows, %d epochs", f"{count:,}", training.final_epochs
    )
    model = dataclasses.replace(config.model, quantiles=())  # no member leaves out a day
    config = dataclasses.replace(config, training=training, model=model)
    plan = device.plan(config)
    checkpoint = checkpoints_of(custom, plan.precision, training, known, test)
    _, members, _ = train_members(config, plan, known, test, checkpoint, log_dir)
    spread = spread_of(join_unseen(unseen), [known, test], levels, config) if unseen else None
    warmup = input_fn.load_some(patterns["eval"], graph, config, max(BATCH_SIZES))
    write_model(members, graph, custom, [known, test], warmup, more, folder, spread)


def on_all(training: TrainingConfig, history: Sequence[Mapping[str, Any]]) -> TrainingConfig:
    """The settings of a training in one phase, as long as the approved one up to the weights that it kept.

    Args:
      training: the approved training's settings.
      history: its epochs, of all members.
    """
    best = {}
    for epoch in history:
        if epoch["phase"] == 1:
            found = best.setdefault(epoch["member"], epoch)
            best[epoch["member"]] = min(found, epoch, key=lambda one: one["eval_rmse"])
    second = Counter(epoch["member"] for epoch in history if epoch["phase"] == 2)
    members = {epoch["member"] for epoch in history}
    total = sum(epoch["epoch"] for epoch in best.values()) + sum(second.values())
    rate = training.final_learning_rate or training.learning_rate
    return dataclasses.replace(
        training,
        epochs=0,
        final_epochs=max(1, round(total / len(members))),
        final_learning_rate=training.learning_rate if training.epochs else rate,
    )
