"""Detects files of trips with the same content: if both were read, their trips would count twice."""

import collections
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from crowdflow.ingest.trips import trip_files
from crowdflow.schema.errors import DataError
from crowdflow.storage import files

_CHUNK = 1 << 20


class _Content(NamedTuple):
    """Uncompressed content: its name, its file, its size in bytes, and its CRC-32 if known without reading."""

    name: str
    path: str
    size: int
    crc: int | None


def refuse_twice(paths: Sequence[str]) -> None:
    """Compares the uncompressed content of files by size and CRC-32, so a zip equals the file inside it.

    Args:
      paths: readable files; uncompressed files with a unique size are not read.

    Raises:
      DataError: two files have the same content, or a zip has a name twice.
    """
    by_size = collections.defaultdict(list)
    for path in paths:
        for content in _contents(path):
            by_size[content.size].append(content)
    for same_size in by_size.values():
        seen: dict[int, str] = {}
        for content in same_size if len(same_size) > 1 else ():
            crc = _read_crc(content.path) if content.crc is None else content.crc
            if crc in seen:
                raise DataError(
                    f"{content.name}: expected trips that no other file holds. Received the same content as "
                    f"{seen[crc]}: its trips would count twice. Leave one out."
                )
            seen[crc] = content.name


def _contents(path: str) -> Iterator[_Content]:
    name = path.lower()
    if name.endswith(".zip"):
        with zipfile.ZipFile(files.local(path)) as archive:
            found = set(trip_files.csv_members(path)[0])
            members = [info for info in archive.infolist() if info.filename in found]
        twice = [n for n, k in collections.Counter(i.filename for i in members).items() if k > 1]
        if twice:
            raise DataError(f"{path}: expected each name once. Received {twice[0]} more than once.")
        for info in members:
            yield _Content(f"{path}/{info.filename}", path, info.file_size, info.CRC)
    elif name.endswith(".gz"):
        with open(files.local(path), "rb") as file:
            file.seek(-8, os.SEEK_END)
            # Of the last gzip member, usually the only one.
            crc, size = struct.unpack("<II", file.read(8))
        yield _Content(path, path, size, crc)
    else:
        yield _Content(path, path, files.size(path), None)


def _read_crc(path: str) -> int:
    crc = 0
    with open(files.local(path), "rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc
