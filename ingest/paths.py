"""Expands paths to files, and lists what is not read."""

import os
from collections.abc import Sequence

from crowdflow.schema.errors import DataNotFoundError
from crowdflow.storage import files


def ignored_names(paths: Sequence[str], read: Sequence[str] = ()) -> list[str]:
    """Lists what is skipped in the given folders: hidden files, names that begin with `_`, and folders.

    Args:
      paths: the inputs as given.
      read: the files that were read; a folder that holds one of them is not ignored.
    """
    found = [match for path in paths if files.isdir(path) for match in files.inside(path)]
    skipped = [match.path for match in found if _is_skipped(match)]
    return sorted(p for p in skipped if not any(f.startswith(f"{p}{os.sep}") for f in read))


def _is_skipped(match: files.Match) -> bool:
    return os.path.basename(match.path)[0] in "._" or not match.is_file


def expand(paths: Sequence[str]) -> list[str]:
    """The files of paths (files, folders, glob patterns), sorted and without duplicates.

    Raises:
      DataNotFoundError: a path does not exist, or a pattern or folder has no file.
      StoreError: an object store does not answer, denies access, or has no such bucket.
    """
    found: dict[str, str] = {}
    for path in paths:
        is_folder, matches = files.find(path)
        if is_folder:
            matches = [match for match in matches if not _is_skipped(match)]
        matches = [match for match in matches if match.is_file]
        if not matches:
            where = "no file in this folder" if is_folder else "no such file or folder"
            raise DataNotFoundError(f"{path}: {where}.")
        for match in matches:
            found.setdefault(
                files.real(match.path), match.path
            )  # a file that is given twice is read once
    return sorted(found.values())
