"""An error as TensorFlow Serving reports it: a canonical code and a message, whatever the transport."""

import re

import grpc
import tensorflow as tf

# TensorFlow's error codes have gRPC's numbers.
CODES = {code.value[0]: code for code in grpc.StatusCode}

# What Python's TensorFlow writes around the message that the C++ server would send.
_BEFORE = re.compile(r"\AGraph execution error:\n\n.*<stack traces unavailable>\n", re.DOTALL)
_AFTER = re.compile(r"( \[Op:\w+\])?( name: ?)?\Z")


class ServingError(Exception):
    """An answer other than OK.

    Attributes:
      code: the canonical code.
      message: what the client reads.
    """

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message


def invalid(message: str) -> ServingError:
    """INVALID_ARGUMENT, the commonest of them."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """NOT_FOUND."""
    return ServingError(grpc.StatusCode.NOT_FOUND, message)


def from_tensorflow(error: tf.errors.OpError) -> ServingError:
    """An error within a graph: its own code, its own message without Python's frame."""
    message = _AFTER.sub("", _BEFORE.sub("", error.message), count=1)
    return ServingError(CODES[error.error_code], message)


def from_exception(error: Exception) -> ServingError:
    """Whatever came of loading a folder."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return from_tensorflow(error)
    return ServingError(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}")
