"""Loads windows: maps once, scaled by the Transform graph, and references to them."""

import gc
import os
import re
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from crowdflow.config import Config
from crowdflow.flows.holiday_table import PAST_TABLE
from crowdflow.flows.windows import averaged_offsets, window_offsets
from crowdflow.schema import features
from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import MINUTES_PER_DAY
from crowdflow.storage.map_store import MapStore
from crowdflow.trainer.inputs import raw_inputs
from crowdflow.trainer.windows import Windows, allocate

_READ_BATCH = 512
_SCALED_BYTES = 8 << 20  # of maps that are scaled at once
Patterns = Sequence[str]


def load_splits(
    patterns: Mapping[str, Patterns], graph: tft.TFTransformOutput, config: Config
) -> dict[str, Windows]:
    """Reads the windows of splits, with the maps that they need, and applies the Transform graph.

    Args:
      patterns: by split, file patterns of gzipped TFRecords in a folder of WindowGen's output, with windows as
        references or in full.
      graph: the Transform output.
      config: sections grid, intervals, ingest and windows.

    Returns:
      By split, its windows in order of target time, whatever the order on disk. All share one array of maps.

    Raises:
      DataError: there are no windows, or one is past the end of the graph's table of holidays.
    """
    gc.collect()  # an earlier training in this process keeps its maps in cycles of TensorFlow's objects
    raw = {split: _references(paths, graph, config) for split, paths in patterns.items()}
    values = {split: _transformed(part, patterns[split], graph) for split, part in raw.items()}
    folder = _folder(next(iter(patterns.values())))
    needed = _needed(np.concatenate([part[features.TARGET_TIME] for part in raw.values()]), config)
    maps = _scaled_maps(folder, needed, graph, config)
    return {
        split: Windows(maps, _rows(part[features.TARGET_TIME], needed, config), values[split])
        for split, part in raw.items()
    }


def load_some(
    patterns: Patterns, graph: tft.TFTransformOutput, config: Config, count: int
) -> dict[str, np.ndarray]:
    """The first `count` raw windows of a split by target time, without their targets: `[n, ...]` by name."""
    found = {n: v[:count] for n, v in _references(patterns, graph, config).items()}
    folder = _folder(patterns)
    for name, (store, times) in _times(found[features.TARGET_TIME], config).items():
        if name != features.TARGET:
            maps = MapStore(os.path.join(folder, store)).maps(times.reshape(-1))
            found[name] = maps.reshape(*times.shape, *maps.shape[1:])
    return found


def _folder(patterns: Patterns) -> str:
    """The folder of WindowGen's output, in which a split's folder lies."""
    return os.path.dirname(os.path.dirname(patterns[0]))


def _references(
    patterns: Patterns, graph: tft.TFTransformOutput, config: Config
) -> dict[str, np.ndarray]:
    """The target times and covariates of a split's windows, `[m, ...]` by name, in order of time."""
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    names = [name for name in raw_inputs(config) if name not in features.LAGS]
    spec = {name: graph.raw_feature_spec()[name] for name in names}
    records = tf.data.TFRecordDataset(files, compression_type="GZIP", num_parallel_reads=1)
    batches = records.batch(_READ_BATCH).map(lambda batch: tf.io.parse_example(batch, spec))
    parts = list(batches.as_numpy_iterator())
    if not parts:
        raise DataError(f"Expected windows in {', '.join(patterns)}, found none.")
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in names}
    order = np.argsort(arrays[features.TARGET_TIME], kind="stable")
    return {name: values[order] for name, values in arrays.items()}


def _times(origins: np.ndarray, config: Config) -> dict[str, tuple[str, np.ndarray]]:
    """For each feature of maps, the folder in which they are, and the intervals of them, int64 `[m, k]`."""
    found = {}
    for name, offsets in window_offsets(config.windows, config.intervals.per_day).items():
        folder = features.FRAMES_FOLDER
        if name == features.AVERAGE:
            folder, offsets = features.AVERAGES_FOLDER, averaged_offsets(config.windows)
        found[name] = folder, origins[:, None] + offsets * config.intervals.minutes
    return found


def _needed(origins: np.ndarray, config: Config) -> dict[str, np.ndarray]:
    """By folder, the intervals whose maps the windows have, int64, ascending."""
    found: dict[str, list[np.ndarray]] = {}
    for folder, times in _times(origins, config).values():
        found.setdefault(folder, []).append(np.unique(times))
    return {folder: np.unique(np.concatenate(times)) for folder, times in sorted(found.items())}


def _rows(
    origins: np.ndarray, needed: Mapping[str, np.ndarray], config: Config
) -> dict[str, np.ndarray]:
    """The number of each map in an array of all that are needed, one folder after the other."""
    lengths = [len(times) for times in needed.values()]
    first = dict(zip(needed, np.cumsum([0, *lengths])))
    return {
        name: (first[folder] + np.searchsorted(needed[folder], times)).astype(np.int32)
        for name, (folder, times) in _times(origins, config).items()
    }


def _scaled_maps(
    folder: str, needed: Mapping[str, np.ndarray], graph: tft.TFTransformOutput, config: Config
) -> np.ndarray:
    """Reads maps a few days at a time and scales them: the graph treats each as it does a target's."""
    shape = config.grid.rows, config.grid.cols, len(features.CHANNELS)
    horizon, layer = config.windows.horizon, graph.transform_features_layer()

    @tf.function(input_signature=[tf.TensorSpec([None, horizon, *shape], tf.float32)])
    def scale(steps: tf.Tensor) -> tf.Tensor:
        # Called outside a graph, the layer computes with zeros for every feature that is absent.
        return layer({features.TARGET: steps})[features.TARGET]

    found = allocate((sum(map(len, needed.values())), *shape))
    per_day = 4 * int(np.prod(shape)) * config.intervals.per_day
    filled, step = 0, max(_SCALED_BYTES // per_day, 1)
    for name, times in needed.items():
        store = MapStore(os.path.join(folder, name))
        days = np.intersect1d(store.days(), np.unique(times // MINUTES_PER_DAY))
        for chosen in np.array_split(days, max(-(-len(days) // step), 1)):
            starts, maps = store.read(chosen.tolist())
            maps = maps[np.isin(starts, times)]
            padded = np.zeros((-len(maps) % horizon, *shape), np.float32)
            steps = np.concatenate([maps, padded]).reshape(-1, horizon, *shape)
            scaled = scale(tf.constant(steps)).numpy().reshape(-1, *shape)
            found[filled : filled + len(maps)] = scaled[: len(maps)]
            filled += len(maps)
    if filled != len(found):
        raise DataError(f"{folder}: expected {len(found)} maps of windows, found {filled}.")
    return found


def _transformed(
    raw: Mapping[str, np.ndarray], patterns: Patterns, graph: tft.TFTransformOutput
) -> dict[str, np.ndarray]:
    """What the graph makes of target times and covariates, `[m, ...]` by name."""
    layer = graph.transform_features_layer()
    dataset = tf.data.Dataset.from_tensor_slices(dict(raw)).batch(_READ_BATCH).map(layer)
    try:
        parts = list(dataset.as_numpy_iterator())
    except tf.errors.InvalidArgumentError as error:
        past_table = re.search(PAST_TABLE.format(".*"), str(error))
        if past_table is None:
            raise
        raise DataError(f"{', '.join(patterns)}: {past_table[0]}.") from None
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
