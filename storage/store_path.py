"""Paths that are local or in an object store: `pathlib.Path`, or the part of its interface that is needed."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Union

from crowdflow.storage import disk, object_store
from crowdflow.storage.addresses import is_address


class StorePath:
    """An address in an object store, with the methods of `pathlib.Path` that the serving folder needs.

    Methods that ask the store raise a StoreError if it does not answer or refuses access.
    """

    def __init__(self, address: str):
        """Takes an `s3://` or `gs://` address, with or without a slash at the end."""
        self._address = address.rstrip("/")

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self._address.rpartition("/")[2]

    def __truediv__(self, name: str) -> "StorePath":
        return StorePath(f"{self._address}/{name}")

    def __str__(self) -> str:
        return self._address

    def __repr__(self) -> str:
        return f"StorePath({self._address!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StorePath) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(self._address)

    def absolute(self) -> "StorePath":
        """The path itself; addresses are always absolute."""
        return self

    def exists(self) -> bool:
        """Whether an object or folder exists."""
        return object_store.info(self._address) is not None

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        entry = object_store.info(self._address)
        return entry is not None and entry.is_folder

    def is_file(self) -> bool:
        """Whether it is an object."""
        entry = object_store.info(self._address)
        return entry is not None and not entry.is_folder

    def iterdir(self) -> Iterator["StorePath"]:
        """The objects and folders directly in the folder."""
        return (StorePath(entry.address) for entry in object_store.entries(self._address))

    def files(self) -> tuple[object_store.Entry, ...]:
        """The objects at any depth, with their sizes and times."""
        found = object_store.entries(self._address, recursive=True)
        return tuple(entry for entry in found if not entry.is_folder)

    def read_bytes(self) -> bytes:
        """The object's bytes."""
        return object_store.read(self._address)

    def read_text(self, encoding: str = "utf-8") -> str:
        """The object's text."""
        return self.read_bytes().decode(encoding)


AnyPath = Union[Path, StorePath]


def as_path(text: str | os.PathLike) -> AnyPath:
    """Turns text into a local path or an address in an object store."""
    text = os.fspath(text)
    return StorePath(text) if is_address(text) else Path(text)


def write_whole(path: AnyPath, content: bytes) -> None:
    """Writes a file or an object in place of what is there, so that readers see whole ones.

    Raises:
      StoreError: the object store does not answer or refuses.
    """
    if isinstance(path, StorePath):
        address = str(path)
        with object_store.clear_errors(address), object_store.open_to_write(address) as file:
            file.write(content)
    else:
        with disk.whole_file(path) as partial:
            partial.write_bytes(content)


def files_in(folder: AnyPath) -> Iterator[tuple[str, str, object_store.Entry | None]]:
    """Every file at any depth of a folder: its relative name, with slashes, its path, and the object as listed.

    They are ordered by the parts of their names, so that a model and its copy in a store have the same order.
    """
    if isinstance(folder, StorePath):
        for entry in sorted(folder.files(), key=lambda entry: entry.address.split("/")):
            yield entry.address[len(str(folder)) + 1 :], entry.address, entry
    else:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            yield path.relative_to(folder).as_posix(), str(path), None
