"""The REST interface's JSON requests as arrays, with the server's rules and messages."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import tensorflow as tf

from standin.errors import ServingError, invalid
from standin.servable import Input, type_name

BASE64_KEY = "b64"

# What RapidJSON calls the errors of Python's parser.
_PARSE_ERRORS = {
    "Expecting value": "Invalid value.",
    "Expecting ',' delimiter": "Missing a comma or } after an object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Extra data": "The document root must not be followed by other values.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid control character at": "Invalid encoding in string.",
    "Invalid \\escape": "Invalid escape character in string.",
}
_INTEGERS = {tf.int8: 32, tf.int16: 32, tf.int32: 32, tf.uint8: 32, tf.int64: 64}
_UNSIGNED = {tf.uint32: 32, tf.uint64: 64}
_DIGITS = {tf.float32: 24, tf.float64: 53}


class Document:
    """A parsed body.

    Attributes:
      signature: the signature's name, empty for the default.
      is_row: after `arrays`, whether it had `instances`.
    """

    def __init__(self, body: bytes):
        """Parses; the literals NaN, Infinity and -Infinity are numbers.

        Raises:
          ServingError: INVALID_ARGUMENT.
        """
        self._value = _parse(body)
        self._has_booleans = b"true" in body or b"false" in body
        self.is_row = False
        if not isinstance(self._value, dict):
            raise invalid(f"JSON Value: {_text(self._value)} Is not object")
        self.signature = self._value.get("signature_name", "")
        if not isinstance(self.signature, str):
            raise invalid(
                f"JSON Value: {_text(self._value)} not formatted correctly. "
                "'signature_name' key must be a string value."
            )

    def arrays(self, inputs: Mapping[str, Input]) -> dict[str, np.ndarray]:
        """The request's tensors.

        Args:
          inputs: what the signature takes.

        Raises:
          ServingError: INVALID_ARGUMENT.
        """
        value = self._value
        if "instances" in value and "inputs" in value:
            raise invalid(
                f"JSON Value: {_text(value)} Not formatted correctly expecting only one of "
                "'inputs' or 'instances' keys to exist "
            )
        if "instances" in value:
            self.is_row = True
            return self._from_instances(value["instances"], inputs)
        if "inputs" in value:
            return self._from_inputs(value["inputs"], inputs)
        raise invalid("Missing 'inputs' or 'instances' key")

    def _from_inputs(self, value: Any, inputs: Mapping[str, Input]) -> dict[str, np.ndarray]:
        if not isinstance(value, dict) or _is_base64(value):
            if len(inputs) > 1:
                raise invalid(
                    "inputs is a plain value/list, but expecting an object as multiple input "
                    "tensors required as per tensorinfo_map"
                )
            [name] = inputs
            return {name: self._array(value, inputs[name].dtype)}
        for name in inputs:
            if name not in value:
                raise invalid(f"Missing named input: {name} in 'inputs' object.")
        return {name: self._array(value[name], inputs[name].dtype) for name in inputs}

    def _from_instances(self, items: Any, inputs: Mapping[str, Input]) -> dict[str, np.ndarray]:
        if not isinstance(items, list):
            raise invalid(
                f"JSON Value: {_text(self._value)} Excepting 'instances' to be an list/array"
            )
        if not items:
            raise invalid(f"JSON Value: {_text(self._value)} No values in 'instances' array")
        if not isinstance(items[0], dict) and len(inputs) > 1:
            raise invalid(
                "instances is a plain list, but expecting list of objects as multiple input "
                "tensors required as per tensorinfo_map"
            )
        if not _is_object(items[0]):
            for index, item in enumerate(items):
                if _is_object(item):
                    raise invalid(
                        f"Expecting value/list but got object at item {index} of input list"
                    )
            [name] = inputs if len(inputs) == 1 else [min(inputs)]
            return {name: self._stack(items, name, inputs[name].dtype, named=False)}
        for index, item in enumerate(items):
            _check_instance(index, item, inputs)
        return {
            name: self._stack([item[name] for item in items], name, inputs[name].dtype)
            for name in inputs
        }

    def _stack(self, values: list, name: str, dtype: tf.DType, named: bool = True) -> np.ndarray:
        """One array of all instances' values; instance by instance only where one is at fault."""
        array = self._fast(values, dtype)
        if array is not None:
            return array
        arrays = []
        for index, value in enumerate(values):
            try:
                array = _walk(value, dtype)
                if arrays and array.size != arrays[0].size:
                    raise invalid(f"Expecting tensor size: {arrays[0].size} but got: {array.size}")
                if arrays and array.shape != arrays[0].shape:
                    first, this = (_shape(a.shape) for a in (arrays[0], array))
                    raise invalid(f"Expecting shape {first} but got: {this}")
            except ServingError as error:
                key = f" key: {name}" if named else ""
                raise invalid(
                    f"Failed to process element: {index}{key} of 'instances' list. Error: {error}"
                ) from error
            arrays.append(array)
        return np.stack(arrays)

    def _array(self, value: Any, dtype: tf.DType) -> np.ndarray:
        array = self._fast(value, dtype)
        return _walk(value, dtype) if array is None else array

    def _fast(self, value: Any, dtype: tf.DType) -> np.ndarray | None:
        """The array by numpy's own conversion, or None where the rules need a look at every value."""
        if self._has_booleans or not (dtype in _DIGITS or dtype == tf.int64):
            return None
        try:
            array = np.asarray(value)
        except ValueError:  # ragged
            return None
        if dtype == tf.int64:
            return array if array.dtype == np.int64 else None
        if array.dtype.kind not in "if" or not array.size:
            return None
        finite = array[np.isfinite(array)]
        if finite.size and np.abs(finite).max() >= 2 ** _DIGITS[dtype]:
            return None
        return array.astype(dtype.as_numpy_dtype)


def _parse(body: bytes) -> Any:
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:  # NaN and the infinities, or an error
        return json.loads(body)
    except json.JSONDecodeError as error:
        said = _PARSE_ERRORS.get(error.msg, "Invalid value.")
        raise invalid(f"JSON Parse error: {said} at offset: {error.pos}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise invalid("JSON Parse error: Invalid encoding in string. at offset: 0") from error


def _check_instance(index: int, item: Any, inputs: Mapping[str, Input]) -> None:
    if not _is_object(item):
        raise invalid(f"Expecting object but got list at item {index} of input list")
    for name in item:
        if name not in inputs:
            error = invalid(f"JSON object: does not have named input: {name}")
            raise invalid(
                f"Failed to process element: {index} key: {name} of 'instances' list. "
                f"Error: {error}"
            )
    if item.keys() != inputs.keys():
        raise invalid(
            f"Failed to process element: {index} of 'instances' list. JSON object: {_text(item)} "
            f"keys must be equal to: {','.join(sorted(inputs))}"
        )


def _walk(value: Any, dtype: tf.DType) -> np.ndarray:
    """An array of nested lists, value by value: the first list of each level says the shape."""
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    values: list[Any] = []
    _collect(value, 0, shape, dtype, values)
    kind = object if dtype == tf.string else dtype.as_numpy_dtype
    return np.array(values, dtype=kind).reshape(shape)


def _collect(value: Any, level: int, shape: list[int], dtype: tf.DType, out: list) -> None:
    if isinstance(value, list):
        if level >= len(shape):
            raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
        if len(value) != shape[level]:
            raise invalid(
                f"Encountered list at unexpected size: {len(value)} at level: {level} "
                f"expected size: {shape[level]}"
            )
        for item in value:
            _collect(item, level + 1, shape, dtype, out)
    elif level != len(shape):
        raise invalid(
            f"JSON Value: {_text(value)} found at incorrect level: {level + 1} in the JSON DOM. "
            f"Expected at level: {len(shape)}"
        )
    else:
        out.append(_scalar(value, dtype))


def _scalar(value: Any, dtype: tf.DType) -> Any:
    """A JSON value as one of a tensor's."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if dtype in _DIGITS and (is_integer or isinstance(value, float)):
        largest = 2 ** _DIGITS[dtype] - 1 if is_integer else float(dtype.max)
        if abs(value) > largest and abs(value) != float("inf"):
            raise invalid(
                f"Cannot convert JSON value: {_text(value)} to {type_name(dtype)} "
                "without loss of precision."
            )
        return value
    if dtype in _INTEGERS and is_integer and -(1 << _INTEGERS[dtype] - 1) <= value:
        if value < 1 << _INTEGERS[dtype] - 1:
            return value
    if dtype in _UNSIGNED and is_integer and 0 <= value < 1 << _UNSIGNED[dtype]:
        return value
    if dtype == tf.bool and isinstance(value, bool):
        return value
    if dtype == tf.string and isinstance(value, str):
        return value.encode()
    if dtype == tf.string and isinstance(value, dict):
        return _unescape(value)
    raise invalid(
        f"JSON Value: {_text(value)} Type: {_kind(value)} is not of expected type: "
        f"{type_name(dtype)}"
    )


def _unescape(value: dict) -> bytes:
    if not _is_base64(value):
        raise invalid(f"JSON Value: {_text(value)} not formatted correctly for base64 data")
    try:
        text = value[BASE64_KEY].rstrip("=")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("Unable to base64 decode") from error


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(BASE64_KEY), str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _text(value: Any) -> str:
    return json.dumps(value, indent=4, ensure_ascii=False)


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "Null", True: "True", False: "False"}[value]
    kinds = ((dict, "Object"), (list, "Array"), (str, "String"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "Number")


def _shape(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
