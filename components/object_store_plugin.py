"""Object stores in TFX's file layer: after this import `tfx.dsl.io.fileio` takes `s3://` and `gs://` addresses.

TensorFlow's own plugin takes `gs://` too, and answers "not implemented" to `s3://`. Here both go one way, with the
same variables of the environment and the same messages.
"""

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Optional

import pyarrow as pa
from tfx.dsl.io import fileio, filesystem, filesystem_registry
from tfx.dsl.io.filesystem import PathType

from crowdflow.storage import files, object_store
from crowdflow.storage.addresses import SCHEMES

PRIORITY = 0  # before TensorFlow's plugin, which has 10
_BUFFER_BYTES = 8 << 20


class Stat(NamedTuple):
    """Facts about an object or folder, named as in TensorFlow's FileStatistics.

    Attributes:
      length: bytes.
      mtime_nsec: time of writing, nanoseconds since 1970-01-01 UTC.
      is_directory: whether it is a folder.
    """

    length: int
    mtime_nsec: int
    is_directory: bool


class _Raw(io.RawIOBase):
    """A client's file whose errors, at the end of an upload too, become one clear message."""

    def __init__(self, address: str, file: pa.NativeFile):
        self._address, self._file = address, file

    def readable(self) -> bool:
        return self._file.readable()

    def writable(self) -> bool:
        return self._file.writable()

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with object_store.clear_errors(self._address):
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: memoryview) -> int:
        with object_store.clear_errors(self._address):
            return self._file.readinto(buffer)

    def write(self, content: memoryview) -> int:
        with object_store.clear_errors(self._address):
            return self._file.write(content)

    def close(self) -> None:
        if not self.closed:
            with object_store.clear_errors(self._address):
                self._file.close()
        super().close()


class ObjectStore(filesystem.Filesystem):
    """TFX's interface on `storage.object_store`; `tfx.dsl.io.fileio` documents each method.

    What is not there raises `fileio.NotFoundError`; a store that does not answer, refuses or has no such bucket,
    `StoreError`. Folders come with their first object; an empty one that is asked for is an empty object. A rename
    copies and removes: it is not atomic, of a folder least of all.
    """

    SUPPORTED_SCHEMES = list(SCHEMES)

    @staticmethod
    def open(name: PathType, mode: str = "r") -> Any:
        """Opens an object for reading, or for writing it whole.

        Raises:
          ValueError: another mode: an object cannot be appended to or changed.
          NotFoundError: it is to be read and is not there.
        """
        name, kind = _text(name), mode.replace("b", "").replace("t", "")
        if kind not in ("r", "w"):
            raise ValueError(
                f"{name}: expected the mode r, rb, w or wb: an object is written as a whole. Received: {mode!r}."
            )
        if kind == "w":
            file = io.BufferedWriter(_Raw(name, object_store.open_to_write(name)), _BUFFER_BYTES)
        else:
            _require(name, is_folder=False)
            file = io.BufferedReader(_Raw(name, object_store.open_to_read(name)), _BUFFER_BYTES)
        return file if "b" in mode else io.TextIOWrapper(file, encoding="utf-8")

    @staticmethod
    def copy(src: PathType, dst: PathType, overwrite: bool = False) -> None:
        """Copies an object."""
        src, dst = _text(src), _text(dst)
        _require(src, is_folder=False)
        _require_free(dst, overwrite)
        _copy(src, dst)

    @staticmethod
    def exists(path: PathType) -> bool:
        """Whether an object or folder is there."""
        return object_store.info(_text(path)) is not None

    @staticmethod
    def glob(pattern: PathType) -> list[PathType]:
        """Objects and folders that a pattern matches, sorted."""
        return [match.path for match in files.glob(_text(pattern))]

    @staticmethod
    def isdir(path: PathType) -> bool:
        """Whether a folder is there."""
        return files.isdir(_text(path))

    @staticmethod
    def listdir(path: PathType) -> list[PathType]:
        """The names in a folder, sorted."""
        _require(_text(path), is_folder=True)
        return [_name(entry.address) for entry in object_store.entries(_text(path))]

    @staticmethod
    def makedirs(path: PathType) -> None:
        """Writes an empty object, so that the folder exists before its first object."""
        path = _text(path)
        if object_store.info(path) is None:
            store, key = object_store.connect(path)
            with object_store.clear_errors(path):
                store.create_dir(key)

    @staticmethod
    def mkdir(path: PathType) -> None:
        """Like `makedirs`: parent folders need not exist."""
        ObjectStore.makedirs(path)

    @staticmethod
    def remove(path: PathType) -> None:
        """Removes an object, but not its folder."""
        path = _text(path)
        _require(path, is_folder=False)
        store, key = object_store.connect(path)
        with object_store.clear_errors(path):
            store.delete_file(key)

    @staticmethod
    def rename(src: PathType, dst: PathType, overwrite: bool = False) -> None:
        """Copies an object, or every object in a folder, then removes the originals."""
        src, dst = _text(src), _text(dst)
        entry = _require(src)
        _require_free(dst, overwrite)
        if not entry.is_folder:
            _copy(src, dst)
            ObjectStore.remove(src)
            return
        for inside in object_store.entries(src, recursive=True):
            if not inside.is_folder:
                _copy(inside.address, f"{dst}{inside.address[len(src) :]}")
        ObjectStore.rmtree(src)

    @staticmethod
    def rmtree(path: PathType) -> None:
        """Removes a folder and everything in it."""
        path = _text(path)
        _require(path, is_folder=True)
        store, key = object_store.connect(path)
        with object_store.clear_errors(path), contextlib.suppress(FileNotFoundError):
            store.delete_dir(
                key
            )  # Google's client then misses the object that stands for the folder

    @staticmethod
    def stat(path: PathType) -> Stat:
        """Size, time and whether it is a folder."""
        entry = _require(_text(path))
        return Stat(entry.size, entry.modified, entry.is_folder)

    @staticmethod
    def walk(
        top: PathType, topdown: bool = True, onerror: Optional[Callable[..., None]] = None
    ) -> Iterator[tuple[PathType, list[PathType], list[PathType]]]:
        """Folder, names of its folders, names of its objects, as `os.walk`; nothing if `top` does not exist."""
        top = _text(top)
        found = object_store.entries(top)
        folders = [entry.address for entry in found if entry.is_folder]
        here = (top, [*map(_name, folders)], [_name(e.address) for e in found if not e.is_folder])
        if topdown and found:
            yield here
        for folder in folders:
            yield from ObjectStore.walk(folder, topdown, onerror)
        if not topdown and found:
            yield here


def _text(path: PathType) -> str:
    return (path.decode() if isinstance(path, bytes) else path).rstrip("/")


def _name(address: str) -> str:
    return address.rpartition("/")[2]


def _require(path: str, is_folder: Optional[bool] = None) -> object_store.Entry:
    entry = object_store.info(path)
    if entry is None or is_folder not in (None, entry.is_folder):
        expected = {None: "object or folder", True: "folder", False: "object"}[is_folder]
        raise fileio.NotFoundError(f"{path}: no such {expected}.")
    return entry


def _require_free(path: str, overwrite: bool) -> None:
    if not overwrite and object_store.info(path) is not None:
        raise OSError(f"{path}: the object exists, and `overwrite` is false.")


def _copy(src: str, dst: str) -> None:
    """Copies inside the store if both addresses are in it, otherwise through this process."""
    store, key = object_store.connect(src)
    other, target = object_store.connect(dst)
    if type(store) is type(other):
        with object_store.clear_errors(src):
            store.copy_file(key, target)
    else:
        content = object_store.read(src)
        with object_store.clear_errors(dst), object_store.open_to_write(dst) as file:
            file.write(content)


filesystem_registry.DEFAULT_FILESYSTEM_REGISTRY.register(ObjectStore, PRIORITY)
