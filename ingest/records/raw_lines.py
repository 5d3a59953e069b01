"""The lines of a CSV file of records before they are parsed: how many there are, and as UTF-8."""

import codecs
import csv

import numpy as np
import pyarrow as pa

from crowdflow.schema.errors import DataError
from crowdflow.storage import files

BLOCK_BYTES = 8 << 20
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


def count_lines(path: str) -> tuple[np.ndarray, int]:
    """The numbers of the empty lines of a CSV file, int64 `[k]`, and its number of lines.

    Raises:
      DataError: a quoted field continues past the end of a line. A parser would read all lines up to the next
        quote as one field, and no field of a flow record needs line breaks.
    """
    try:
        return _scan_lines(path)
    except ERRORS as error:
        raise DataError(f"{path}: cannot be read as CSV ({error}).") from None


def _scan_lines(path: str) -> tuple[np.ndarray, int]:
    empty, line, open_quote, last = [], 1, 0, 10
    returns, end = 0, b"\n"  # number of line ends that are a lone carriage return
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
            line, last = line + len(breaks), text[-1] if len(text) else last
    if open_quote:
        raise DataError(f"{path}, line {line}: {OPEN_QUOTE}")
    lines = line - 1 + returns + (end not in (b"\n", b"\r"))
    return np.concatenate(empty) if empty else np.empty(0, np.int64), lines
