"""Files that may be compressed: gzip, zips, and zips in zips."""

import atexit
import contextlib
import functools
import gzip
import io
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Optional

from crowdflow.schema.errors import CrowdFlowError, DataError
from crowdflow.storage import files

# What Python raises for files that cannot be decompressed; UnicodeDecodeError is for names inside a zip.
UNREADABLE = (
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
)
_BUFFER_BYTES = 1 << 16
_DEEPEST = 3  # zips in zips; a deeper one is not data


@contextlib.contextmanager
def clear_errors(message: str, *more: type[Exception]) -> Iterator[None]:
    """Turns what a damaged file raises into a DataError; errors of ours, such as a store's, pass.

    Args:
      message: the DataError's, which adds what went wrong.
      *more: further errors to turn into it.
    """
    try:
        yield
    except CrowdFlowError:
        raise
    except (*UNREADABLE, *more) as error:
        raise DataError(f"{message} ({error}).") from None


def is_zip(path: str) -> bool:
    """Whether a name is that of a zip."""
    return path.lower().endswith(".zip")


def is_gzip(path: str) -> bool:
    """Whether a name is that of a gzip file."""
    return path.lower().endswith(".gz")


def is_stray(name: str) -> bool:
    """Whether a name in a zip is what an operating system left there."""
    return name.startswith("__MACOSX/") or os.path.basename(name).startswith((".", "_"))


def member_names(path: str) -> list[str]:
    """The names of the files in a zip, sorted; those in a zip inside it follow its name and a slash.

    Raises:
      OSError: or another error of `UNREADABLE`: it is not a complete zip file.
    """
    return sorted(_names(files.local(path), 0))


def open_member(path: str, member: Optional[str] = None) -> IO[bytes]:
    """Opens a file, uncompressed, or a file in a zip by its name in `member_names`.

    Raises:
      OSError: or another error of `UNREADABLE`: it cannot be read.
    """
    local = files.local(path)
    if member is None:
        return gzip.open(local, "rb") if is_gzip(path) else open(local, "rb")
    archive = zipfile.ZipFile(local)
    names = {*archive.namelist()}
    while member not in names:
        inner = next(name for name in names if is_zip(name) and member.startswith(f"{name}/"))
        archive = zipfile.ZipFile(_unpacked(archive.filename, inner))
        member, names = member.removeprefix(f"{inner}/"), {*archive.namelist()}
    return io.BufferedReader(archive.open(member), _BUFFER_BYTES)


def _names(local: str, depth: int) -> list[str]:
    with zipfile.ZipFile(local) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    for name in [name for name in names if is_zip(name) and not is_stray(name)]:
        if depth < _DEEPEST:
            names.remove(name)
            names += [f"{name}/{inner}" for inner in _names(_unpacked(local, name), depth + 1)]
    return names


def _unpacked(local: str, member: str) -> str:
    """The path of a copy of a zip in a zip, made once in a process."""
    return _copy(local, os.stat(local).st_mtime_ns, member)


@functools.cache
def _copy(local: str, changed: int, member: str) -> str:
    with zipfile.ZipFile(local) as archive, archive.open(member) as inner:
        descriptor, path = tempfile.mkstemp(suffix=".zip", dir=_folder())
        with open(descriptor, "wb") as copy:
            shutil.copyfileobj(inner, copy)
    return path


@functools.cache
def _folder() -> str:
    folder = tempfile.mkdtemp(prefix="crowdflow-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
