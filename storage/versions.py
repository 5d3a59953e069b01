"""The serving folder: numeric version folders, of which only complete ones count."""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from crowdflow.storage.digests import Digests
from crowdflow.storage.store_path import AnyPath, files_in

SAVED_MODEL = "saved_model.pb"
# Where a refitted version keeps the approved model, in its own folder.
APPROVED = "assets.extra/approved"
# How the names begin of what a push leaves while it is under way.
PUSH_MARK = ".push-"
# In the serving folder: the digests of the versions' files.
DIGESTS = ".digests.json"


def complete_versions(folder: AnyPath) -> list[AnyPath]:
    """Version folders that hold a complete model, oldest first. One without `saved_model.pb` is incomplete."""
    if not folder.is_dir():
        return []
    found = [p for p in folder.iterdir() if p.name.isdigit() and (p / SAVED_MODEL).is_file()]
    return sorted(found, key=lambda path: int(path.name))


def approved(version: AnyPath) -> AnyPath:
    """The approved model of a version: the version itself, or what a refitted one keeps beside it."""
    twin = version / APPROVED
    return twin if (twin / SAVED_MODEL).is_file() else version


def model_digest(folder: AnyPath, known: Optional[Digests] = None) -> str:
    """Hash of the names and bytes of a SavedModel's files: the same for a model and its pushed copy.

    Args:
      folder: of the model.
      known: digests of files that were read before.
    """
    known = known or Digests()
    digest = hashlib.sha256()
    for name, path, entry in files_in(folder):
        digest.update(f"{name}\0".encode())
        digest.update(bytes.fromhex(known.of(path, entry)))
    return digest.hexdigest()


def pushed_digests(folder: AnyPath) -> dict[AnyPath, str]:
    """Complete versions, newest first, and the digests of their approved models.

    The files' digests are kept in the serving folder, so that each version is read once, not in every run.
    """
    known = Digests(folder / DIGESTS)
    versions = reversed(complete_versions(folder))
    found = {path: model_digest(approved(path), known) for path in versions}
    if found:
        known.keep()
    return found


def pushed_before(folder: AnyPath, candidate: str) -> dict[AnyPath, str]:
    """`pushed_digests` without those of the candidate's digest."""
    return {path: one for path, one in pushed_digests(folder).items() if one != candidate}


def serving_state(folder: AnyPath, candidate: str, code: str) -> str:
    """Hash of what a comparison with the last pushed model depends on: code, candidate and earlier versions."""
    digest = hashlib.sha256(f"{code} {candidate}\n".encode())
    for path, one in pushed_before(folder, candidate).items():
        digest.update(f"{path.name} {one}\n".encode())
    return digest.hexdigest()


@contextlib.contextmanager
def serving_lock(serving: Path) -> Iterator[None]:
    """Waits until no other process writes to a local serving folder; the lock ends with the process."""
    folder = os.open(serving, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
