"""Full disks: one message that names the folder, in place of a library's own error."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from crowdflow.schema.errors import CrowdFlowError, DiskFullError
from crowdflow.storage.addresses import is_address

# Many libraries keep only the words of an error; the last are SQLite's.
_WORDS = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "database or disk is full")


@contextlib.contextmanager
def clear_errors(*folders: str | os.PathLike) -> Iterator[None]:
    """Raises a DiskFullError for an error that a full disk led to; see `full_disk`."""
    try:
        yield
    except Exception as error:
        full = full_disk(error, *folders)
        if full is None:
            raise
        raise full from None


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write beside a path, which takes its place at the end, so that readers see whole ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """An empty folder, in place of what is left of an earlier one, that is removed at the end."""
    path = path.absolute()
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def full_disk(error: BaseException, *folders: str | os.PathLike) -> DiskFullError | None:
    """The error for users where a full disk or a used-up quota led to an error, otherwise None.

    Args:
      error: what was raised; the errors that it came from are looked at too.
      folders: where files were written, besides the temporary folder; addresses in object stores are skipped.
    """
    if isinstance(error, CrowdFlowError):  # it has its own words, as a store without room does
        return None
    lines = [line for text in _texts(error) for line in text.splitlines() if _is_full(line)]
    if not lines:
        return None
    local = [str(folder) for folder in folders if not is_address(str(folder))]
    local.append(tempfile.gettempdir())
    named = [folder for folder in local if any(folder in line for line in lines)]
    folder = max(named, key=len) if named else _on_the_fullest_disk(local)
    return DiskFullError(f"{folder}: its disk is full. Make room, then repeat the command.")


def _texts(error: BaseException | None) -> Iterator[str]:
    """The texts of an error and of those that it came from."""
    while error is not None:
        yield str(error)
        error = error.__cause__ or error.__context__


def _is_full(text: str) -> bool:
    return any(words in text for words in _WORDS)


def _on_the_fullest_disk(folders: Sequence[str]) -> str:
    """The first of the folders on the disk with the least room, which is measured once for each disk."""
    disks: dict[int, tuple[int, str]] = {}
    for folder in folders:
        existing = next(p for p in [Path(folder), *Path(folder).absolute().parents] if p.exists())
        device = existing.stat().st_dev
        if device not in disks:
            disks[device] = shutil.disk_usage(existing).free, folder
    return min(disks.values())[1]
