"""Frames and windows as tf.Examples, encoded and decoded many at a time, without TensorFlow.

Beam's workers import this module, and TensorFlow would be most of their start. A tf.Example is a map from names to
lists of numbers; `example.proto` and `feature.proto` of TensorFlow have the numbers of the fields.
"""

import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from tfx_bsl.coders import example_coder

from crowdflow.flows.frames import FrameBlock
from crowdflow.schema import features
from crowdflow.schema.errors import DataError

# Fields of the messages: key and value of a map's entry, and a feature's kinds of lists.
_KEY, _VALUE, _FLOATS, _INTEGERS = 1, 2, 2, 3
_FEATURES = _FEATURE = _VALUES = 1


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
    entries = [[] for _ in range(rows)]
    for name, values in sorted(columns.items()):  # as protobuf's deterministic order has them
        integer = np.issubdtype(values.dtype, np.integer)
        flat = values.reshape(rows, math.prod(values.shape[1:]))
        key, kind = _field(_KEY, name.encode()), _INTEGERS if integer else _FLOATS
        lists = map(_varints, flat.tolist()) if integer else map(bytes, flat.astype("<f4"))
        for row, packed in enumerate(lists):
            feature = _field(kind, _field(_VALUES, packed) if packed else b"")
            entries[row].append(_field(_FEATURE, key + _field(_VALUE, feature)))
    return [_field(_FEATURES, b"".join(one)) for one in entries]


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


def _field(number: int, content: bytes) -> bytes:
    """A field of a message that has a length: a message, a text or a packed list."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varints(values: Sequence[int]) -> bytes:
    return b"".join(map(_varint, values))


def _varint(value: int) -> bytes:
    """An int64, 7 bits a byte, the lowest first."""
    value &= (1 << 64) - 1
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


@functools.cache
def _decoder():
    return example_coder.ExamplesToRecordBatchDecoder()
