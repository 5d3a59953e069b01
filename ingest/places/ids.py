"""The ids of places as text, spelled alike in trips and tables."""

import re
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crowdflow.ingest.times.clock import decode

_NUMBER = re.compile(r"(?:bikepoints_)?0*(\d+)(?:\.0*)?")  # London's table has BikePoints_1 for 1


def canonical(ids: Iterable[object]) -> np.ndarray:
    """The ids without what differs between exports: `0042`, `42.0` and ` 42 ` are `42`; letters are lower case.

    Args:
      ids: texts, numbers or None.

    Returns:
      Texts, object `[n]`; empty if there is none.
    """
    return np.array([_canonical(one) for one in ids], object)


def _canonical(one: object) -> str:
    if one is None or one != one:
        return ""
    text = " ".join(str(one).split()).lower()
    found = _NUMBER.fullmatch(text)
    return found[1] if found else text


def texts_of(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The canonical ids of a column, each distinct one once.

    Args:
      column: `n` ids of any type, with or without a dictionary.

    Returns:
      For each row the place of its id, int64 `[n]`, and the ids, object `[m]`, the last of which is empty.
    """
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    values = column.dictionary
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        values = decode(values)
    texts = canonical([*values.to_pylist(), None])
    codes = pc.fill_null(column.indices.cast(pa.int64()), len(values))
    return codes.to_numpy(zero_copy_only=False), texts
