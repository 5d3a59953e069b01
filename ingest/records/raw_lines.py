"""The lines of a CSV file of records before they are parsed: where they are, and as UTF-8."""

import codecs
import csv
import functools
import io
import os
from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np
import pyarrow as pa

from crowdflow.schema.errors import DataError
from crowdflow.storage import files

BLOCK_BYTES = 8 << 20
PIECE_BYTES = 32 << 20  # read by one worker
OPEN_QUOTE = "expected every quoted field to end on its line, received one that does not."
ERRORS = (OSError, pa.ArrowException, UnicodeDecodeError, csv.Error)


def as_utf8(stream: pa.NativeFile) -> pa.NativeFile:
    """The stream, with bytes of another encoding replaced: Arrow cannot give back a bad line that has them."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def replaced(block: pa.Buffer) -> bytes:
        text = block.to_pybytes()
        if text.isascii() and not decoder.getstate()[0]:
            return text
        return decoder.decode(text, final=not text).encode()

    return pa.TransformInputStream(stream, replaced)


class Lines(NamedTuple):
    """Where the lines of a CSV file are.

    Attributes:
      empty: the numbers of the empty lines, int64 `[k]`; the first line is 1.
      count: the number of lines.
      pieces: of each piece to read, the offset of its first byte and the number of its first line.
    """

    empty: np.ndarray
    count: int
    pieces: Sequence[tuple[int, int]]


def find_lines(path: str) -> Lines:
    """Finds the lines of a CSV file, and divides it into pieces of `PIECE_BYTES` or little more.

    A compressed file, and one with lone carriage returns as line ends, is one piece. The file is read once while
    it stays the same.

    Raises:
      DataError: a quoted field continues past the end of a line. A parser would read all lines up to the next
        quote as one field, and no field of a flow record needs line breaks.
    """
    try:
        found = os.stat(files.local(path))
        return _find_lines(path, found.st_size, found.st_mtime_ns, found.st_ino)
    except ERRORS as error:
        raise DataError(f"{path}: cannot be read as CSV ({error}).") from None


@functools.lru_cache(maxsize=64)
def _find_lines(path: str, *state: int) -> Lines:
    empty, line, open_quote, last = [], 1, 0, 10
    returns, end = 0, b"\n"  # number of line ends that are a lone carriage return
    pieces, offset = [(0, 1)], 0
    with pa.input_stream(files.local(path), compression="detect") as stream:
        while block := stream.read(BLOCK_BYTES):
            data = np.frombuffer(block, np.uint8)
            breaks = np.flatnonzero(data == 10)
            if open_quote or b'"' in block:
                quotes = (np.cumsum(data == 34) + open_quote) % 2
                odd = np.flatnonzero(quotes[breaks])
                if len(odd):
                    raise DataError(f"{path}, line {line + odd[0]}: {OPEN_QUOTE}")
                open_quote = int(quotes[-1])
            returns += block.count(b"\r") - (end + block).count(b"\r\n")
            end = block[-1:]
            text = data[data != 13] if b"\r" in block else data
            ends = np.flatnonzero(text == 10)
            before = np.concatenate([[last], text])[ends]  # the byte before each line end
            empty.append(line + np.flatnonzero(before == 10))
            at = np.searchsorted(breaks, pieces[-1][0] + PIECE_BYTES - offset)
            while at < len(breaks):
                pieces.append((offset + int(breaks[at]) + 1, line + int(at) + 1))
                at = np.searchsorted(breaks, pieces[-1][0] + PIECE_BYTES - offset)
            line, last = line + len(breaks), text[-1] if len(text) else last
            offset += len(block)
    if open_quote:
        raise DataError(f"{path}, line {line}: {OPEN_QUOTE}")
    if pieces[-1][0] == offset:  # nothing is behind the last line end
        pieces = pieces[:-1] or pieces
    if returns or offset != state[0]:
        pieces = pieces[:1]
    lines = line - 1 + returns + (end not in (b"\n", b"\r"))
    return Lines(np.concatenate(empty) if empty else np.empty(0, np.int64), lines, pieces)


class _Range(io.RawIOBase):
    """The bytes `begin` to `end` of a file."""

    def __init__(self, path: str, begin: int, end: int):
        super().__init__()
        self._file = open(path, "rb")
        self._file.seek(begin)
        self._left = end - begin

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        read = self._file.readinto(memoryview(buffer)[: self._left])
        self._left -= read
        return read

    def close(self) -> None:
        self._file.close()
        super().close()


def open_lines(path: str, begin: int, end: Optional[int]) -> pa.NativeFile:
    """Opens a file from one byte up to another one, decompressed; without an end, as a whole."""
    if end is None and not begin:
        return pa.input_stream(files.local(path), compression="detect")
    path = files.local(path)
    return pa.PythonFile(_Range(path, begin, os.path.getsize(path) if end is None else end), "r")
