"""Frames and windows as tf.Examples, encoded and decoded many at a time."""

import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from tensorflow.core.example import example_pb2
from tfx_bsl.coders import example_coder

from crowdflow.flows.frames import FrameBlock
from crowdflow.schema import features
from crowdflow.schema.errors import DataError

# Values of a feature that are encoded at once: Arrow's offsets have 31 bits, and a copy of them should be small.
_MOST_VALUES = 1 << 26


def encode_frames(block: FrameBlock) -> list[bytes]:
    """Serializes frames as tf.Examples with the names of `schema.features`.

    Args:
      block: frames of one grid.

    Returns:
      `n` serialized tf.Examples; each map is flattened row by row.
    """
    maps = {name: block.maps[..., channel] for channel, name in enumerate(features.CHANNELS)}
    return encode_columns({features.INTERVAL_START: block.starts, **maps, **block.covariates})


def encode_columns(columns: Mapping[str, np.ndarray]) -> list[bytes]:
    """Serializes arrays as tf.Examples, one per row.

    Args:
      columns: feature name -> array `[n, ...]`; integers become int64 features, the rest float32.

    Returns:
      `n` serialized tf.Examples, each feature flattened in row-major order; equal columns give
      equal bytes.
    """
    rows = len(next(iter(columns.values())))
    widest = max(values.size // max(rows, 1) for values in columns.values())
    encoded = []
    for first in range(0, rows, step := max(_MOST_VALUES // max(widest, 1), 1)):
        lists = []
        for values in columns.values():
            integer = np.issubdtype(values.dtype, np.integer)
            lists.append(_lists(values[first : first + step], np.int64 if integer else np.float32))
        encoded += _encoder().encode(pa.RecordBatch.from_arrays(lists, list(columns)))
    # The encoder's order of features changes from call to call.
    parsed = map(example_pb2.Example.FromString, encoded)
    return [example.SerializeToString(deterministic=True) for example in parsed]


def decode_frames(
    serialized: Sequence[bytes], rows: int, cols: int, covariates: Sequence[features.Covariate]
) -> FrameBlock:
    """Reads the tf.Examples that `encode_frames` wrote, in their order.

    Args:
      serialized: `n` serialized tf.Examples.
      rows: H.
      cols: W.
      covariates: the covariates that every frame must have.

    Returns:
      The frames; a covariate keeps its type, int64 or float32, and its shape.

    Raises:
      DataError: a frame lacks a feature, or has a wrong number of values.
    """
    batch = _decoder().DecodeBatch(list(serialized))

    def column(name: str, width: int) -> np.ndarray:
        index = batch.schema.get_field_index(name)
        values = batch.column(index) if index >= 0 else pa.nulls(batch.num_rows)
        widths = [] if index < 0 else np.unique(np.diff(values.offsets.to_numpy())).tolist()
        if values.null_count or widths not in ([], [width]):
            raise DataError(
                f"Frame feature {name!r}: expected {width} values in each of {batch.num_rows} "
                f"frames ({rows} x {cols} grid), received {widths} values, "
                f"{values.null_count} frames without it."
            )
        return values.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)

    if not serialized:
        maps = np.zeros((0, rows, cols, len(features.CHANNELS)), np.float32)
        none = {known.name: np.zeros((0, *known.shape)) for known in covariates}
        return FrameBlock(np.zeros(0, np.int64), maps, none)
    channels = [column(name, rows * cols) for name in features.CHANNELS]  # each [n, H * W]
    maps = np.stack(channels, axis=-1).reshape(-1, rows, cols, len(channels))
    return FrameBlock(
        column(features.INTERVAL_START, 1)[:, 0],
        maps,
        {
            known.name: column(known.name, math.prod(known.shape)).reshape(-1, *known.shape)
            for known in covariates
        },
    )


def _lists(values: np.ndarray, dtype: type) -> pa.ListArray:
    """An array `[n, ...]` as `n` lists of its flattened values."""
    flat = np.ascontiguousarray(values, dtype)
    width = flat.size // max(len(flat), 1)
    offsets = np.arange(len(flat) + 1, dtype=np.int32) * np.int32(width)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat.ravel()))


@functools.cache
def _encoder():
    return example_coder.RecordBatchToExamplesEncoder()


@functools.cache
def _decoder():
    return example_coder.ExamplesToRecordBatchDecoder()
