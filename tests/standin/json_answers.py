"""The REST interface's JSON answers."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from standin.errors import invalid
from standin.json_requests import BASE64_KEY

BYTES_SUFFIX = "_bytes"  # a string output of such a name is answered in base64


def dump(outputs: Mapping[str, np.ndarray], is_row: bool) -> bytes:
    """The answer's body.

    Args:
      outputs: at least one.
      is_row: whether the request had `instances`.

    Raises:
      ServingError: INVALID_ARGUMENT where outputs have no common batch.
    """
    if not is_row:
        values = {name: _plain(name, array) for name, array in outputs.items()}
        return _dumps({"outputs": values if len(values) > 1 else next(iter(values.values()))})
    size = None
    for name, array in outputs.items():
        if not array.ndim:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if size is not None and len(array) != size:
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {size}"
            )
        size = len(array)
    if len(outputs) == 1:
        [(name, array)] = outputs.items()
        return _dumps({"predictions": _plain(name, array)})
    columns = {name: list(_plain(name, array)) for name, array in outputs.items()}
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    return _dumps({"predictions": rows})


def _plain(name: str, array: np.ndarray) -> Any:
    """An output as what `_dumps` takes."""
    if array.dtype != object:
        return array
    if name.endswith(BYTES_SUFFIX):
        return _nested(array, lambda v: {BASE64_KEY: base64.b64encode(v).decode()})
    return _nested(array, lambda v: v.decode("utf-8", "replace"))


def _nested(array: np.ndarray, convert) -> Any:
    if not array.ndim:
        return convert(array.item())
    return [_nested(np.asarray(item, object), convert) for item in array]


def _dumps(value: Any) -> bytes:
    text = orjson.dumps(value, default=_listed, option=orjson.OPT_SERIALIZE_NUMPY)
    if b"null" not in text:
        return text
    # orjson writes NaN and the infinities as null, the server as bare literals.
    return json.dumps(value, default=_listed).encode()


def _listed(value: Any) -> Any:
    return value.tolist()
