"""The files that paths name, and what lies beside them and is not read."""

import glob
import os
from collections.abc import Sequence

from components.errors import DataNotFoundError


def ignored_names(paths: Sequence[str], read: Sequence[str] = ()) -> list[str]:
    """What lies in given folders and is not read: hidden files, names that begin with `_`, and folders.

    Args:
      paths: as they were given.
      read: the files that were read; a folder that holds one of them is not ignored.
    """
    found = [
        os.path.join(path, n) for path in paths if os.path.isdir(path) for n in os.listdir(path)
    ]
    skipped = [path for path in found if _is_skipped(path)]
    return sorted(p for p in skipped if not any(f.startswith(f"{p}{os.sep}") for f in read))


def _is_skipped(path: str) -> bool:
    return os.path.basename(path)[0] in "._" or not os.path.isfile(path)


def expand(paths: Sequence[str]) -> list[str]:
    """The files that paths name, sorted, each once.

    Raises:
      DataNotFoundError: a path, or every match of a pattern, is not there.
    """
    found: dict[str, str] = {}
    for path in paths:
        if os.path.isdir(path):
            matches = [os.path.join(path, name) for name in os.listdir(path)]
            matches = [match for match in matches if not _is_skipped(match)]
        else:
            matches = [path] if os.path.exists(path) else glob.glob(path)
        matches = [match for match in matches if os.path.isfile(match)]
        if not matches:
            where = "no file in this folder" if os.path.isdir(path) else "no such file or folder"
            raise DataNotFoundError(f"{path}: {where}.")
        for match in matches:
            found.setdefault(os.path.realpath(match), match)  # a file given twice is read once
    return sorted(found.values())
