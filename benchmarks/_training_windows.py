"""Windows for training.py: random ones, or those of a run's, written to a file for a machine without TFX."""

from pathlib import Path
from typing import Any

import numpy as np

from crowdflow.schema import features
from crowdflow.trainer.windows import Windows, allocate

SPLITS = "train", "eval", "test"


def random_arrays(given: dict[str, Any]) -> dict[str, Any]:
    """Random transformed windows of these shapes, float32."""
    random = np.random.default_rng(1)
    count, grid = given["windows"], (given["rows"], given["cols"], 2)
    found = {
        name: random.uniform(-1, 1, (count, length, *grid)).astype(np.float32)
        for name, length in given["maps"].items()
    }
    found[features.EXTERNAL] = random.random((count, given["external"]), np.float32)
    target = random.uniform(-1, 1, (count, given["horizon"], *grid))
    return found | {features.TARGET: target.astype(np.float32)}


def as_windows(data: dict[str, Any]) -> Windows:
    """Arrays as the Trainer takes them: one array of maps, and the numbers of each window's."""
    shapes_ = {name: values.shape for name, values in data.items() if values.ndim == 5}
    maps = np.concatenate([data[name].reshape(-1, *shape[2:]) for name, shape in shapes_.items()])
    rows, first = {}, 0
    for name, (count, length, *_) in shapes_.items():
        rows[name] = first + np.arange(count * length, dtype=np.int32).reshape(count, length)
        first += count * length
    values = {name: part for name, part in data.items() if name not in shapes_}
    for name, value in ((features.FLOW_MIN, 0.0), (features.FLOW_MAX, 100.0)):
        values[name] = np.full(len(data[features.TARGET]), value, np.float32)
    return Windows(_shared(maps), rows, values)


def _shared(maps: np.ndarray) -> np.ndarray:
    found = allocate(maps.shape)
    found[:] = maps
    return found


def write(root: Path, path: Path) -> None:
    """Writes the transformed windows of a run of `crowdflow run`, and the number of its active cells."""
    import tensorflow as tf
    import tensorflow_transform as tft

    from crowdflow.config import Config
    from crowdflow.trainer import input_fn

    def last(*parts: str) -> Path:
        return max(root.joinpath("artifacts", *parts).iterdir(), key=lambda one: int(one.name))

    config = Config.load(root / "config.yaml")
    folder, graph = last("WindowGen", "windows"), last("Transform", "transform_graph")
    patterns = {split: [str(folder / f"Split-{split}" / "*")] for split in SPLITS}
    splits = input_fn.load_splits(patterns, tft.TFTransformOutput(str(graph)), config)
    record = next(iter(tf.data.TFRecordDataset(tf.io.gfile.glob(patterns["test"]), "GZIP")))
    example = tf.train.Example.FromString(record.numpy())
    active = sum(example.features.feature[features.ACTIVE_CELLS].int64_list.value)
    arrays = {
        f"{split}/{name}": part
        for split, windows in splits.items()
        for name, part in windows.references()
    }
    maps = splits["train"].maps
    np.savez_compressed(path, maps=maps, active=active, preset=config.preset or "", **arrays)


def read(path: Path) -> tuple[dict[str, Windows], int]:
    """The windows by split, and the number of active cells."""
    with np.load(path) as file:
        maps, active = _shared(file["maps"]), int(file["active"])
        splits = {}
        for split in SPLITS:
            arrays = {n.split("/")[1]: file[n] for n in file.files if n.startswith(f"{split}/")}
            rows = {n: part for n, part in arrays.items() if n in (*features.LAGS, features.TARGET)}
            values = {n: part for n, part in arrays.items() if n not in rows}
            splits[split] = Windows(maps, rows, values)
    return splits, active
