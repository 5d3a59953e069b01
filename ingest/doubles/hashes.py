"""Hashes of texts, 64 bits each and computed column by column: rides that come again have equal ones."""

import numpy as np
import pyarrow as pa

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(8)], np.uint64)
_AT_ONCE = 8192  # texts, so that what is computed stays in the processor's cache


def hash_lines(block: bytes) -> np.ndarray:
    """The hashes of the lines of a block, uint64 `[n]`; the last line may lack its end."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    if not block.endswith(b"\n"):
        ends = np.append(ends, len(block))
    return hash_spans(block, np.append(0, ends[:-1] + 1), ends)


def hash_texts(column: pa.Array) -> np.ndarray:
    """The hashes of strings or bytes, uint64 `[n]`; of a null that of an empty text."""
    column = column.cast(pa.large_binary()).fill_null(b"")
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    return hash_spans(data or b"", bounds[:-1], bounds[1:])


def hash_numbers(columns: list[np.ndarray]) -> np.ndarray:
    """The hashes of rows of numbers, uint64 `[n]`; columns int64, uint64 or float64 `[n]`."""
    found = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        found = _mixed(found, column.view(np.uint64))
    return found


def hash_spans(data: bytes, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The hashes of parts of a buffer.

    Args:
      data: the buffer.
      starts: where the parts begin, int64 `[n]`.
      ends: one past their ends, int64 `[n]`.

    Returns:
      uint64 `[n]`.
    """
    padded = np.frombuffer(bytes(data) + bytes(8), np.uint8)
    words = np.ndarray((len(padded) - 7,), "<u8", padded, strides=(1,))  # one begins at every byte
    parts = [
        _hash_some(words, starts[first : first + _AT_ONCE], ends[first : first + _AT_ONCE])
        for first in range(0, len(starts), _AT_ONCE)
    ]
    return np.concatenate([np.zeros(0, np.uint64), *parts])


def _hash_some(words: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    sizes = ends - starts
    found = sizes.astype(np.uint64)
    shortest, longest = int(sizes.min()), int(sizes.max())
    for done in range(0, shortest - 7, 8):
        found = _mixed(found, words[starts + done])
    for done in range(max(0, shortest // 8 * 8), longest, 8):
        left = np.flatnonzero(sizes > done)
        word = words[starts[left] + done]
        rest = sizes[left] - done
        last = rest < 8
        word[last] &= _MASKS[rest[last]]
        found[left] = _mixed(found[left], word)
    return found


def _mixed(found: np.ndarray, word: np.ndarray) -> np.ndarray:
    found = (found ^ word) * _MULTIPLIER
    found ^= found >> _SHIFT
    return found
