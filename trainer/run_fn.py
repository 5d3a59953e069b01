"""What the Trainer node runs: load, train both phases, export."""

import hashlib
import json
import logging
import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from pipeline.config import Config
from trainer import device, features, input_fn
from trainer.model import build_model
from trainer.signatures import export
from trainer.training import Checkpoint, Trainer
from trainer.training_statistics import write_statistics
from trainer.warmup import BATCH_SIZES

log = logging.getLogger("crowdflow.training")


def run_fn(fn_args: FnArgs) -> None:
    """Trains ST-ResNet on the `train` and `eval` windows and writes the SavedModel.

    Args:
      fn_args: `custom_config` has `config` (JSON of the sections seed, grid, intervals, ingest, trips, windows,
        split, transform, model and training), `code_fingerprint`, and `checkpoints`, the folder under which
        interrupted trainings are found again. The model run's folder gets `history.json` and TensorBoard's logs.
    """
    custom = fn_args.custom_config
    config = Config.from_dict(json.loads(custom["config"]))
    graph = tft.TFTransformOutput(fn_args.transform_graph_path)
    train = input_fn.load_split(fn_args.train_files, graph)
    evaluation = input_fn.load_split(fn_args.eval_files, graph)
    keras.utils.set_random_seed(config.seed)
    if config.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    precision = device.choose_precision(config.training.precision)
    log.info("%s, %s", device.describe(), precision)

    def build(dtype: str) -> keras.Model:
        size = train[features.EXTERNAL].shape[1] if features.EXTERNAL in train else 0
        rows, cols = config.grid.rows, config.grid.cols
        return build_model(config.model, config.windows, rows, cols, size, config.seed, dtype)

    name = training_key(custom["config"] + custom["code_fingerprint"], train, evaluation)
    checkpoint = Checkpoint(Path(custom["checkpoints"]) / name)
    with device.strategy().scope():
        model = build(precision)
        trainer = Trainer(
            model,
            config.training,
            train,
            evaluation,
            config.seed,
            checkpoint,
            fn_args.model_run_dir,
        )
        state = trainer.run()
    final = build("float32")
    final.set_weights(model.get_weights())
    low, high = (float(train[n][0]) for n in (features.FLOW_MIN, features.FLOW_MAX))
    last = max(int(split[features.TARGET_TIME].max()) for split in (train, evaluation))
    last += (config.windows.horizon - 1) * config.intervals.minutes
    beside = {"config": json.loads(custom["config"]), features.TRAINED_UNTIL: last}
    warmup = input_fn.load_some(fn_args.eval_files, graph, max(BATCH_SIZES))
    export(final, graph, low, high, config, beside, fn_args.serving_model_dir, warmup)
    write_statistics([train, evaluation], low, high, fn_args.serving_model_dir)
    account = {
        "device": device.describe(),
        "precision": precision,
        "parameters": final.count_params(),
        "scaling": {"min": low, "max": high},
        "history": state.history,
    }
    tf.io.gfile.makedirs(fn_args.model_run_dir)
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, features.HISTORY_FILE), "w") as file:
        file.write(json.dumps(account, indent=2))


def training_key(settings: str, *splits: dict[str, np.ndarray]) -> str:
    """Hash of settings, code and data: the name under which a restart finds this training's checkpoint."""
    digest = hashlib.sha256(settings.encode())
    for arrays in splits:
        for name in sorted(arrays):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(arrays[name]))
    return digest.hexdigest()[:24]
