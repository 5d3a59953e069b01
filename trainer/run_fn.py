"""What the Trainer node runs: load, train, export."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from crowdflow.config import Config, TrainingConfig
from crowdflow.evaluation.drift.profile import Profile, merge, profile
from crowdflow.evaluation.drift.statistics import write_training_statistics
from crowdflow.schema import features
from crowdflow.storage.store_path import as_path
from crowdflow.trainer import device, input_fn
from crowdflow.trainer.ensemble import train_members
from crowdflow.trainer.loop.checkpoint import Checkpoint
from crowdflow.trainer.model import average
from crowdflow.trainer.quantiles.spread import Spread, fit
from crowdflow.trainer.quantiles.unseen import Unseen, forecast_unseen, mean_forecast
from crowdflow.trainer.signatures import export
from crowdflow.trainer.store_checkpoint import checkpoint_in
from crowdflow.trainer.warmup import BATCH_SIZES
from crowdflow.trainer.windows import Windows

if TYPE_CHECKING:  # with it come all components of TFX, and Refit needs none of them
    from tfx.components.trainer.fn_args_utils import FnArgs

log = logging.getLogger("crowdflow.training")

# What trains; a checkpoint of other versions is not gone on with.
LIBRARIES = ("keras", "numpy", "tensorflow")
_STATISTICS_BATCH = 1024  # windows


def run_fn(fn_args: "FnArgs") -> None:
    """Trains ST-ResNet on the `train` and `eval` windows and writes the SavedModel.

    Args:
      fn_args: `custom_config` has `config` (JSON of the sections seed, grid, intervals, ingest, trips, windows,
        split, transform, model and training), `holidays` (the dates of the country's table), `layout` (the data's
        `range.pattern`), `code_fingerprint`, and `checkpoints`, the folder under which interrupted trainings are
        found again. The model run's folder gets `history.json` and TensorBoard's logs.
    """
    custom = fn_args.custom_config
    config = Config.from_sections(custom["config"])
    graph = tft.TFTransformOutput(fn_args.transform_graph_path)
    files = {"train": fn_args.train_files, "eval": fn_args.eval_files}
    train, evaluation = input_fn.load_splits(files, graph, config).values()
    plan = device.plan(config)
    log.info("%s, batches of %d", plan.describe(), config.training.batch_size)
    trained, members, history = train_members(
        config,
        plan,
        train,
        evaluation,
        checkpoints_of(custom, plan.precision, config.training, train, evaluation),
        fn_args.model_run_dir,
    )
    warmup = input_fn.load_some(fn_args.eval_files, graph, config, max(BATCH_SIZES))
    splits = [train, evaluation]
    low, high = scaling(train)
    tf.io.gfile.makedirs(fn_args.model_run_dir)
    spread = None
    if config.model.quantiles:
        left_out = config.training.final_epochs > 0
        unseen = forecast_unseen(members, evaluation, low, high, left_out)
        unseen.save(os.path.join(fn_args.model_run_dir, features.UNSEEN_FILE))
        spread = spread_of(unseen, splits, config.model.quantiles, config)
    final = write_model(
        members, graph, custom, splits, warmup, {}, fn_args.serving_model_dir, spread
    )
    content = {
        "device": device.describe(),
        "precision": plan.precision,
        "batch_size": config.training.batch_size,
        "parameters": final.count_params(),
        "scaling": {"min": low, "max": high},
        "eval_rmse": {
            "as trained": eval_rmse(trained, evaluation, high - low),
            "as exported": eval_rmse(members, evaluation, high - low),
        },
        "history": history,
    }
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, features.HISTORY_FILE), "w") as file:
        file.write(json.dumps(content, indent=2))


def write_model(
    members: Sequence[keras.Model],
    graph: tft.TFTransformOutput,
    custom: Mapping[str, Any],
    splits: list[Windows],
    warmup: Mapping[str, np.ndarray],
    more: Mapping[str, Any],
    folder: str,
    spread: Spread | None,
) -> keras.Model:
    """Writes the mean of networks as a SavedModel, with what it says of itself and of its training targets.

    Args:
      members: in float32.
      graph: the Transform output.
      custom: `config` and `holidays`, as `run_fn` has them.
      splits: the transformed windows that trained them.
      warmup: raw windows, see `signatures.export`.
      more: fields of the account besides the usual ones.
      folder: to write to.
      spread: of flows around the forecasts, or None.

    Returns:
      The mean of the networks.
    """
    config = Config.from_sections(custom["config"])
    low, high = scaling(splits[0])
    last = max(int(split[features.TARGET_TIME].max()) for split in splits)
    account = {
        features.FORMAT: features.FORMAT_NUMBER,
        "config": json.loads(custom["config"]),
        features.TRAINED_UNTIL: last + (config.windows.horizon - 1) * config.intervals.minutes,
        features.HOLIDAYS: custom["holidays"],
        features.LAYOUT: custom.get("layout"),
        features.LEVELS: list(config.model.quantiles) if spread is not None else [],
        **more,
    }
    final = average(members)
    export(final, graph, low, high, config, account, folder, warmup, spread)
    write_statistics(splits, low, high, folder)
    return final


def spread_of(
    unseen: Unseen, splits: Sequence[Windows], levels: Sequence[float], config: Config
) -> Spread:
    """The spread of flows around forecasts, in cells that had flow in any of the training targets."""
    alive = False
    for windows in splits:
        rows = np.unique(windows.rows[features.TARGET])
        for first in range(0, len(rows), _STATISTICS_BATCH):
            maps = windows.maps[rows[first : first + _STATISTICS_BATCH]]
            alive |= (maps > -1).any(axis=0)
    minutes = config.intervals.minutes
    return fit(unseen.forecasts, unseen.flows, unseen.times, alive, levels, minutes)


def write_statistics(splits: Sequence[Windows], low: float, high: float, folder: str) -> None:
    """Writes the statistics of the first targets, back in trips.

    Args:
      splits: all windows that the model was trained on.
      low: the flow that scales to -1.
      high: the flow that scales to 1.
      folder: of the SavedModel.
    """
    parts = (part for split in splits for part in split.parts(_STATISTICS_BATCH))
    write_training_statistics(merge(_profile(part, low, high) for part in parts), folder)


def _profile(windows: Windows, low: float, high: float) -> Profile:
    scaled = windows.maps[windows.rows[features.TARGET][:, 0]]  # [n, H, W, 2]
    maps = (scaled + np.float32(1.0)) / np.float32(2.0) * np.float32(high - low) + np.float32(low)
    return profile(windows[features.TARGET_TIME], maps)


def scaling(windows: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """The flows that scale to -1 and to 1, trips per interval."""
    return float(windows[features.FLOW_MIN][0]), float(windows[features.FLOW_MAX][0])


def eval_rmse(members: Sequence[keras.Model], windows: Windows, span: float) -> float:
    """RMSE of the members' mean forecast over all cells, trips per interval.

    Args:
      members: networks, in any precision.
      windows: transformed.
      span: trips from -1 to 1.
    """
    mean = mean_forecast(members, windows)
    errors = (mean - windows[features.TARGET]).astype(np.float64) * span / 2
    return float(np.sqrt(np.mean(errors**2)))


def checkpoints_of(
    custom: Mapping[str, Any],
    precision: str,
    training: TrainingConfig,
    *splits: Windows,
) -> Callable[[int], Checkpoint]:
    """The checkpoints of a training's members: one of other settings, libraries or windows is not resumed."""
    libraries = (f"{name} {metadata.version(name)}" for name in LIBRARIES)
    settings = custom["config"], custom["code_fingerprint"], precision, str(training), *libraries
    folder = as_path(custom["checkpoints"]) / training_key("".join(settings), *splits)
    return lambda number: checkpoint_in(folder / str(number))


def training_key(settings: str, *splits: Windows) -> str:
    """Hash of settings, code and windows, whose maps are shared, by which a restart finds the checkpoint."""
    digest = hashlib.sha256(settings.encode())
    digest.update(splits[0].maps)
    for windows in splits:
        for name, values in windows.references():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(values))
    return digest.hexdigest()[:24]
