"""Reading files, whether local or in an object store.

An object is downloaded once, as a whole, and read from the copy, so that every reader works on a local file and
what is fingerprinted is what is read. Local paths are used as they are, at no cost.
"""

import atexit
import contextlib
import fcntl
import glob as local_glob
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from crowdflow.schema.errors import ConfigError, StoreError
from crowdflow.storage import disk, object_store
from crowdflow.storage.addresses import is_address
from crowdflow.storage.object_store import Entry

# Names the folder of the copies. If unset, it is a temporary folder, deleted when its process ends.
FOLDER_VARIABLE = "CROWDFLOW_FETCHED"
_PREFIX, _LOCK = "crowdflow-fetched-", ".lock"
_CHUNK = 8 << 20
_PARALLEL_DOWNLOADS = 8
_known: dict[str, Entry] = {}  # objects as last listed in this process
_held_locks: list = []  # keeps the lock of this process's temporary folder open
_folder_lock = threading.Lock()


class Match(NamedTuple):
    """A path, and whether it is a file."""

    path: str
    is_file: bool


def isdir(path: str) -> bool:
    """Whether a path is a folder."""
    if not is_address(path):
        return os.path.isdir(path)
    entry = object_store.info(path)
    return entry is not None and entry.is_folder


def inside(folder: str) -> list[Match]:
    """The files and folders directly in a folder."""
    if not is_address(folder):
        paths = (os.path.join(folder, name) for name in os.listdir(folder))
        return [Match(path, os.path.isfile(path)) for path in paths]
    return [_remember(entry) for entry in object_store.entries(folder)]


def glob(pattern: str) -> list[Match]:
    """The matches of a pattern with `*`, `?` and `[...]`, none of which match a slash."""
    if not is_address(pattern):
        return [Match(path, os.path.isfile(path)) for path in local_glob.glob(pattern)]
    scheme, _, rest = pattern.partition("://")
    bucket, *parts = rest.rstrip("/").split("/")
    found = [Entry(f"{scheme}://{bucket}", True)]
    for part in parts:
        if local_glob.has_magic(part):
            inner = (e for folder in found for e in object_store.entries(folder.address))
            found = [entry for entry in inner if _matches(entry, part)]
        else:
            inner = (object_store.info(f"{folder.address}/{part}") for folder in found)
            found = [entry for entry in inner if entry]
    return [_remember(entry) for entry in found]


def _matches(entry: Entry, part: str) -> bool:
    name = entry.address.rpartition("/")[2]
    return fnmatchcase(name, part) and (part[0] == "." or name[0] != ".")


def find(path: str) -> tuple[bool, list[Match]]:
    """Looks up a file, folder or pattern.

    Returns:
      Whether the path is a folder; and the contents of the folder, or the file itself, or the pattern's matches.
    """
    if is_address(path):
        path = path.rstrip("/")
        entry = object_store.info(path)
        if entry and not entry.is_folder:
            return False, [_remember(entry)]
        return (True, inside(path)) if entry else (False, glob(path))
    if os.path.isdir(path):
        return True, inside(path)
    return False, [Match(path, os.path.isfile(path))] if os.path.exists(path) else glob(path)


def real(path: str) -> str:
    """A canonical path: the same for all paths of one file."""
    return path if is_address(path) else os.path.realpath(path)


def size(path: str) -> int:
    """A file's size in bytes."""
    return _entry(path).size if is_address(path) else os.path.getsize(path)


def stamp(address: str) -> tuple[int, int]:
    """An object's size in bytes and when it was last written, in nanoseconds since 1970."""
    entry = _entry(address)
    return entry.size, entry.modified


def local(path: str) -> str:
    """The path of a local file with the same bytes: the path itself, or a copy of the object.

    An object is downloaded unless there is a copy of the same size and time. The copy's name ends like the
    object's.

    Raises:
      StoreError: there is no such object, the store does not answer or refuses access, or the copy cannot be
        written.
    """
    return str(_fetch(_entry(path))) if is_address(path) else path


def fetch(paths: Sequence[str]) -> None:
    """Downloads objects in parallel, so that `local` finds their copies; local paths are skipped.

    Raises:
      StoreError: as `local`.
    """
    remote = [path for path in paths if is_address(path)]
    if remote:
        with ThreadPoolExecutor(min(_PARALLEL_DOWNLOADS, len(remote))) as pool:
            list(pool.map(local, remote))


@contextlib.contextmanager
def fetched_folder(path: str | os.PathLike) -> Iterator[Path]:
    """A local folder with the contents of a folder: the folder itself, or a copy that is deleted afterwards.

    Raises:
      StoreError: as `local`.
    """
    if not is_address(str(path)):
        yield Path(path)
        return
    root = str(path).rstrip("/")
    with tempfile.TemporaryDirectory() as folder:
        for entry in object_store.entries(root, recursive=True):
            target = Path(folder, entry.address[len(root) + 1 :])
            if not entry.is_folder:
                target.parent.mkdir(parents=True, exist_ok=True)
                _download(entry, target)
        yield Path(folder)


def _remember(entry: Entry) -> Match:
    if not entry.is_folder:
        _known[entry.address] = entry
    return Match(entry.address, not entry.is_folder)


def _entry(address: str) -> Entry:
    found = _known.get(address) or object_store.info(address)
    if found is None or found.is_folder:
        raise StoreError(f"{address}: no such object in the object store.")
    _remember(found)
    return found


def _fetch(entry: Entry) -> Path:
    folder = Path(_folder(), hashlib.sha256(entry.address.encode()).hexdigest()[:24])
    name = entry.address.rpartition("/")[2]
    target = folder / f"{entry.size}-{entry.modified}-{name[-80:]}"  # readers look at the ending
    if not target.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            earlier = [path for path in folder.iterdir() if not path.name.endswith(".partial")]
            partial = folder / f"{os.getpid()}-{threading.get_ident()}.partial"
            _download(entry, partial)
            partial.replace(target)
            for path in earlier:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"{entry.address}: expected to keep a copy in {folder.parent} ({FOLDER_VARIABLE}). {error}."
            ) from None
    return target


def _download(entry: Entry, target: Path) -> None:
    with (
        disk.clear_errors(target.parent),
        object_store.open_to_read(entry.address) as source,
        target.open("wb") as file,
    ):
        while chunk := _read(source, entry.address):
            file.write(chunk)
        written = file.tell()
    if written != entry.size:
        raise StoreError(f"{entry.address}: expected {entry.size:,} bytes, received {written:,}.")


def _read(source, address: str) -> bytes:
    with object_store.clear_errors(address):
        return source.read(_CHUNK)


def _folder() -> str:
    """The folder of the copies, which child processes inherit through the environment.

    Raises:
      ConfigError: the environment names an address instead.
    """
    with _folder_lock:
        if not os.environ.get(FOLDER_VARIABLE):
            _remove_leftovers()
            made = tempfile.mkdtemp(prefix=".crowdflow-")
            _held_locks.append(_lock(made))
            folder = os.path.join(os.path.dirname(made), _PREFIX + os.path.basename(made)[11:])
            os.rename(made, folder)  # under that name it is always locked
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            os.environ[FOLDER_VARIABLE] = folder
    folder = os.environ[FOLDER_VARIABLE]
    if "://" in folder:
        raise ConfigError(
            f"{FOLDER_VARIABLE}: expected a folder on this machine. Received: {folder}"
        )
    return folder


def _remove_leftovers() -> None:
    """Removes the temporary folders of killed processes: nobody holds their locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            with _lock(str(folder)):
                shutil.rmtree(folder)


def _lock(folder: str):
    """Locks a folder until the returned file is closed; raises OSError if another process holds the lock."""
    file = open(os.path.join(folder, _LOCK), "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file
