"""SHA-256 of files' contents, remembered from run to run while a file's size, times and inode stay the same."""

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Optional

from crowdflow.schema.errors import StoreError
from crowdflow.storage import files, object_store
from crowdflow.storage.addresses import is_address
from crowdflow.storage.store_path import AnyPath, write_whole

_CHUNK = 1 << 20
# A file that changed this shortly before it was read could change again within the resolution of its times.
_SETTLED_NS = 2_000_000_000


class Digests:
    """Digests of files and objects, as hex; a file is read if it is new or its size, times or inode changed."""

    def __init__(self, kept: Optional[AnyPath] = None):
        """Reads the digests of earlier runs.

        Args:
          kept: the JSON file that remembers them. It may be missing or damaged, or not writable: then all files
            are read. Without it nothing is remembered.
        """
        self._kept = kept
        self._before = _read(kept) if kept else {}
        self._now: dict[str, list] = {}

    def of(self, path: str, entry: Optional[object_store.Entry] = None) -> str:
        """The digest of a local file or an object.

        Args:
          path: local, or an address.
          entry: the object as it was listed; without it the store is asked where the object's bytes are needed.

        Raises:
          OSError: the file cannot be read.
          StoreError: as `storage.files.local`.
        """
        changed, *identity = _identity(path, entry)
        known = self._before.get(path)
        if known and known[1:] == identity:
            digest = known[0]
        else:
            started = time.time_ns()
            digest = _digest(path, entry)
            if started - changed < _SETTLED_NS:
                return digest
        self._now[path] = [digest, *identity]
        return digest

    def keep(self) -> None:
        """Writes the digests that were asked for, if they are others than before; it does not fail."""
        if self._kept is None or self._now == self._before:
            return
        with contextlib.suppress(OSError, StoreError):
            write_whole(self._kept, json.dumps(self._now, indent=0).encode())


def _read(kept: AnyPath) -> dict[str, list]:
    try:
        found = json.loads(kept.read_text())
    except (OSError, StoreError, ValueError):
        return {}
    whole = isinstance(found, dict) and all(isinstance(v, list) and v for v in found.values())
    return found if whole else {}


def _identity(path: str, entry: Optional[object_store.Entry]) -> list[int]:
    """When the file last changed, in ns since 1970, and what differs if its bytes do."""
    if is_address(path):
        size, modified = (entry.size, entry.modified) if entry else files.stamp(path)
        return [modified, modified, size]
    found = os.stat(path)
    return [found.st_ctime_ns, found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino]


def _digest(path: str, entry: Optional[object_store.Entry]) -> str:
    if entry:
        return hashlib.sha256(object_store.read(path)).hexdigest()
    digest = hashlib.sha256()
    with Path(files.local(path)).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
