"""Trips by day in files of this machine, where all workers are on it; else they go through the runner's shuffle.

Beam's local runner holds in memory what it groups, several times at once. So it groups references to these files,
and each worker reads a day's trips when it compares them.
"""

import os
import tempfile
import threading
from typing import NamedTuple

import apache_beam as beam

from crowdflow.config.beam_runner import LocalRunner
from crowdflow.ingest.doubles.find import Seen


class Stored(NamedTuple):
    """Trips in a file.

    Attributes:
      path: of the file.
      at: where in it they begin, bytes.
      sizes: of `later` and `hashes`, bytes.
      seen: the trips without the two.
    """

    path: str
    at: int
    sizes: tuple[int, int]
    seen: Seen

    def read(self) -> Seen:
        """The trips."""
        with open(self.path, "rb") as file:
            file.seek(self.at)
            later, hashes = map(file.read, self.sizes)
        if (len(later), len(hashes)) != self.sizes:
            raise OSError(f"{self.path} was cut short while the trips in it were compared")
        return self.seen._replace(later=later, hashes=hashes)


def store(seen: Seen, day: int, folder: str) -> Stored:
    """Appends a day's trips to a file that this thread alone writes."""
    path = os.path.join(folder, f"{day}-{os.getpid()}-{threading.get_ident()}")
    with open(path, "ab") as file:
        at = file.tell()
        file.write(seen.later + seen.hashes)
    sizes = len(seen.later), len(seen.hashes)
    return Stored(path, at, sizes, seen._replace(later=b"", hashes=b""))


def spool_of(pipeline: beam.Pipeline) -> str | None:
    """A folder for a pipeline whose workers are all on this machine, removed when it has run; None for others."""
    if not isinstance(pipeline.runner, LocalRunner):
        return None
    folder = tempfile.mkdtemp(prefix="crowdflow-trips-")
    pipeline.runner.scratch.append(folder)
    return folder
