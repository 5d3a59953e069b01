"""TensorProto to numpy and back, as fast as Python allows."""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

# Types whose `tensor_content` is the array's own bytes.
_PLAIN = {
    types_pb2.DT_FLOAT: np.dtype("<f4"),
    types_pb2.DT_DOUBLE: np.dtype("<f8"),
    types_pb2.DT_INT32: np.dtype("<i4"),
    types_pb2.DT_INT64: np.dtype("<i8"),
    types_pb2.DT_UINT8: np.dtype("u1"),
    types_pb2.DT_BOOL: np.dtype("?"),
}
# float_val and double_val are packed little endian: their tag on the wire, then length and bytes.
_PACKED = {types_pb2.DT_FLOAT: b"\x2a", types_pb2.DT_DOUBLE: b"\x32"}
_FIELDS = {
    types_pb2.DT_FLOAT: "float_val",
    types_pb2.DT_DOUBLE: "double_val",
    types_pb2.DT_INT8: "int_val",
    types_pb2.DT_INT16: "int_val",
    types_pb2.DT_INT32: "int_val",
    types_pb2.DT_UINT8: "int_val",
    types_pb2.DT_UINT32: "uint32_val",
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_UINT64: "uint64_val",
    types_pb2.DT_BOOL: "bool_val",
    types_pb2.DT_STRING: "string_val",
}


def decode(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """The array of a TensorProto, from `tensor_content` or from the typed field.

    Args:
      proto: of any type; strings become an object array of bytes.

    Raises:
      ValueError: its bytes or values do not fill its shape, or its type is none.
      TypeError: its type has no numpy counterpart.
    """
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or (shape and min(shape) < 0):
        raise ValueError("a tensor's shape must be known")
    dtype = _PLAIN.get(proto.dtype)
    if dtype is not None and proto.tensor_content:
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape)
    if dtype is not None:
        field = getattr(proto, _FIELDS[proto.dtype])
        if len(field) == math.prod(shape):
            return np.fromiter(field, dtype, len(field)).reshape(shape)
    # A last value that fills the rest, and rare types.
    if not proto.tensor_content and 0 in shape:
        return np.zeros(shape, tf.as_dtype(proto.dtype).as_numpy_dtype)
    return np.reshape(tf.make_ndarray(proto), shape)


def encode(array: np.ndarray, dtype: int) -> tensor_pb2.TensorProto:
    """The TensorProto that the server answers: values in the typed field.

    Args:
      array: any shape.
      dtype: its DataType.
    """
    proto = tensor_pb2.TensorProto(dtype=dtype)
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    tag = _PACKED.get(dtype)
    if tag:
        data = array.astype(_PLAIN[dtype], copy=False).tobytes()
        if data:
            proto.MergeFromString(tag + _varint(len(data)) + data)
    elif dtype in _FIELDS:
        getattr(proto, _FIELDS[dtype]).extend(array.ravel().tolist())
    else:
        proto = tf.make_tensor_proto(array, dtype)
    return proto


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
