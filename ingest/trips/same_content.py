"""Detects files of trips with the same content: if both were read, their trips would count twice."""

import collections
import contextlib
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple, Optional

from crowdflow.config import Config
from crowdflow.ingest import archives
from crowdflow.ingest.trips import trip_files
from crowdflow.schema.errors import DataError

_CHUNK = 1 << 20
_HEAD = 1 << 16  # files that differ at all nearly always differ in here


class _Content(NamedTuple):
    """An uncompressed file: its name for messages, its path, and its name in the zip if it is in one."""

    name: str
    path: str
    member: Optional[str] = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The uncompressed bytes; a gzip file may have any number of members.

        Raises:
          DataError: it cannot be decompressed.
        """
        try:
            with archives.open_member(self.path, self.member) as file:
                yield file
        except archives.UNREADABLE as error:
            raise DataError(f"{self.name}: cannot be decompressed ({error}).") from None


def refuse_twice(paths: Sequence[str], config: Config) -> None:
    """Compares the uncompressed content of files, so a zip equals the file inside it.

    Only files whose first 64 KiB are equal are read whole. Headers without rows may be the same.

    Args:
      paths: readable files.
      config: for trips.

    Raises:
      DataError: two files have the same content, a zip has a name twice, or a file cannot be decompressed.
    """
    by_head = collections.defaultdict(list)
    for path in paths:
        for content in _contents(path, config):
            head = _head(content)
            if len(head.splitlines()) > 1:
                by_head[hashlib.sha256(head).digest()].append(content)
    for same_head in by_head.values():
        seen: dict[tuple[int, int], str] = {}
        for content in same_head if len(same_head) > 1 else ():
            key = _size_and_crc(content)
            if key in seen:
                raise DataError(
                    f"{content.name}: expected trips that no other file holds. Received the same content as "
                    f"{seen[key]}: its trips would count twice. Leave one out."
                )
            seen[key] = content.name


def _contents(path: str, config: Config) -> Iterator[_Content]:
    if not path.lower().endswith(".zip"):
        yield _Content(path, path)
        return
    found = trip_files.zip_members(path, config).trips
    twice = [name for name, count in collections.Counter(found).items() if count > 1]
    if twice:
        raise DataError(f"{path}: expected each name once. Received {twice[0]} more than once.")
    for name in found:
        yield _Content(f"{path}/{name}", path, name)


def _head(content: _Content) -> bytes:
    with content.opened() as file:
        return file.read(_HEAD).strip()


def _size_and_crc(content: _Content) -> tuple[int, int]:
    size = crc = 0
    with content.opened() as file:
        while chunk := file.read(_CHUNK):
            size, crc = size + len(chunk), zlib.crc32(chunk, crc)
    return size, crc
