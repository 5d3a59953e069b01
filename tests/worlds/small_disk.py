"""A small file system of its own, to fill."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = 4096


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mounts a file system of `size` bytes on a folder, which is made if absent.

    Skips the test where mounting is not allowed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def resize(folder: Path, size: int) -> None:
    """Gives a small disk another size in bytes."""
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[Path]:
    """A disk on which files can be made, but nothing can be written into them."""
    with small_disk(folder, PAGE):
        (folder / "full").write_bytes(bytes(PAGE))
        yield folder
