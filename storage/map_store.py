"""Maps of intervals in files, one a day: each is stored once, and a worker reads only the days that it needs."""

import datetime as dt
import os
import uuid
from collections.abc import Iterable

import numpy as np
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import MINUTES_PER_DAY, format_start

STARTS_FILE = "starts.npy"
_EPOCH = dt.date(1970, 1, 1)


class MapStore:
    """Maps of intervals: `starts.npy`, and a file such as `2014-04-01.npy` for each day that has any.

    Attributes:
      folder: where the files are.
      starts: the intervals that have a map, wall-clock minutes, int64 `[n]`, ascending.
    """

    def __init__(self, folder: str, starts: np.ndarray | None = None):
        """Opens a folder; `starts` are those of its file if they are not given."""
        self.folder = folder
        self.starts = _load(os.path.join(folder, STARTS_FILE)) if starts is None else starts

    def days(self) -> np.ndarray:
        """The days that have maps, since 1970-01-01, int64, ascending."""
        return np.unique(self.starts // MINUTES_PER_DAY)

    def read(self, days: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        """Reads whole days.

        Args:
          days: since 1970-01-01, ascending; those without maps are left out.

        Returns:
          Starts int64 `[k]` and maps float32 `[k, H, W, 2]`, ascending.

        Raises:
          DataError: none of the days has a map, or a file has other maps than `starts` says.
        """
        starts, maps = [], []
        for day in days:
            first, last = np.searchsorted(self.starts, MINUTES_PER_DAY * np.array([day, day + 1]))
            if first == last:
                continue
            path = _day_file(self.folder, day)
            found = _load(path)
            if len(found) != last - first:
                raise DataError(f"{path}: expected {last - first} maps, received {len(found)}.")
            starts.append(self.starts[first:last])
            maps.append(found)
        if not starts:
            raise DataError(f"{self.folder}: expected maps of the days asked for, found none.")
        return np.concatenate(starts), np.concatenate(maps)

    def maps(self, times: np.ndarray) -> np.ndarray:
        """Reads the maps of some intervals.

        Args:
          times: wall-clock minutes, int64 `[k]`, any order.

        Returns:
          float32 `[k, H, W, 2]`.

        Raises:
          DataError: an interval has no map; names it.
        """
        starts, maps = self.read(np.unique(times // MINUTES_PER_DAY).tolist())
        rows = np.minimum(np.searchsorted(starts, times), len(starts) - 1)
        if not np.array_equal(starts[rows], times):
            missing = times[starts[rows] != times][0]
            raise DataError(f"Expected a map at {format_start(missing)}, found none.")
        return maps[rows]


def write_starts(folder: str, starts: np.ndarray) -> None:
    """Writes the intervals of a folder's maps, int64 `[n]`, ascending."""
    _save(os.path.join(folder, STARTS_FILE), starts)


def write_day(folder: str, day: int, maps: np.ndarray) -> None:
    """Writes a day's maps, float32 `[k, H, W, 2]`, in order of time; a file of an earlier try is replaced."""
    _save(_day_file(folder, day), maps)


def park(folder: str, maps: np.ndarray) -> str:
    """Writes maps, float32 `[k, H, W, 2]`, to a new file of any intervals, until `parked` collects them by day.

    Returns:
      The file's path.
    """
    path = os.path.join(folder, f"{uuid.uuid4().hex}.maps")
    with _create(path) as file:
        file.write(np.ascontiguousarray(maps, np.float32).data.cast("B"))
    return path


def parked(path: str, first: int, count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Reads `count` maps of this shape from a parked file, from map `first` on: float32 `[count, *shape]`."""
    size = 4 * int(np.prod(shape))
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        file.seek(first * size)
        return np.frombuffer(file.read(count * size), np.float32).reshape(count, *shape)


def _day_file(folder: str, day: int) -> str:
    return os.path.join(folder, f"{_EPOCH + dt.timedelta(days=int(day))}.npy")


def _create(path: str):
    return FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)


def _save(path: str, values: np.ndarray) -> None:
    """Writes under another name, then renames: another try of the same worker may write the same file."""
    partial = f"{path}.{uuid.uuid4().hex}.partial"
    with _create(partial) as file:
        np.lib.format.write_array(file, values, allow_pickle=False)
    FileSystems.rename([partial], [path])


def _load(path: str) -> np.ndarray:
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        return np.load(file, allow_pickle=False)
