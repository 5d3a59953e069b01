"""Transformed windows as references: each map is held once, and a window is the numbers of its maps."""

import dataclasses
import mmap
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from crowdflow.schema import features

# Maps that take more than this share of the machine's memory are kept in a file, of which it holds what is in use.
_SHARE = 0.25


@dataclasses.dataclass(frozen=True, eq=False)
class Windows(Mapping[str, np.ndarray]):
    """Transformed windows of one or more splits: feature name -> array `[m, ...]`, gathered when it is asked for.

    Attributes:
      maps: all maps that any window has, scaled, float32 `[n, H, W, 2]`; shared by the splits of a training.
      rows: the maps of each feature that has some, by number, int32 `[m, k]`.
      values: the other features, `[m, ...]`.
    """

    maps: np.ndarray
    rows: Mapping[str, np.ndarray]
    values: Mapping[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.maps[self.rows[name]] if name in self.rows else self.values[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self.rows, *self.values])

    def __len__(self) -> int:
        return len(self.rows) + len(self.values)

    @property
    def count(self) -> int:
        """The number of windows, m."""
        return len(self.rows[features.TARGET])

    def bytes_of_each(self) -> int:
        """The size of a window's maps."""
        return sum(rows.shape[1] for rows in self.rows.values()) * self.maps[:1].nbytes

    def part(self, chosen: Any) -> "Windows":
        """Some of the windows: a slice, or row numbers."""
        return dataclasses.replace(
            self,
            rows={name: rows[chosen] for name, rows in self.rows.items()},
            values={name: values[chosen] for name, values in self.values.items()},
        )

    def parts(self, size: int) -> Iterator["Windows"]:
        """The windows in their order, `size` at a time."""
        return (self.part(slice(first, first + size)) for first in range(0, self.count, size))

    def references(self) -> Iterator[tuple[str, np.ndarray]]:
        """The rows and the values, by name."""
        yield from sorted([*self.rows.items(), *self.values.items()])


def join(first: Windows, second: Windows) -> Windows:
    """The windows of two splits that share their maps, one after the other."""
    return Windows(
        first.maps,
        {name: np.concatenate([rows, second.rows[name]]) for name, rows in first.rows.items()},
        {name: np.concatenate([part, second.values[name]]) for name, part in first.values.items()},
    )


def allocate(shape: Sequence[int]) -> np.ndarray:
    """An empty float32 array at the start of a memory page, in a temporary file where it is large."""
    size = 4 * int(np.prod(shape))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size <= _SHARE * memory:
        pages = mmap.mmap(-1, max(size, 1))
    else:
        with tempfile.TemporaryFile() as file:
            file.truncate(size)
            pages = mmap.mmap(file.fileno(), size)
    return np.frombuffer(pages, np.float32, int(np.prod(shape))).reshape(shape)


class Gather:
    """Gathers batches of windows as tensors, from the one copy of their maps.

    Args:
      windows: all of them.
      names: of the features to gather.
    """

    def __init__(self, windows: Windows, names: Sequence[str]):
        with tf.device("CPU"):
            self._maps = shared_tensor(windows.maps)
            self._rows = {n: tf.constant(windows.rows[n]) for n in names if n in windows.rows}
            others = [name for name in names if name not in windows.rows]
            self._values = {name: tf.constant(windows.values[name]) for name in others}

    def __call__(self, chosen: tf.Tensor) -> dict[str, tf.Tensor]:
        """The features of the windows of these numbers, int64 `[b]`: `[b, ...]` by name."""
        found = {
            name: tf.gather(self._maps, tf.gather(rows, chosen))
            for name, rows in self._rows.items()
        }
        return found | {name: tf.gather(part, chosen) for name, part in self._values.items()}


def shared_tensor(values: np.ndarray) -> tf.Tensor:
    """A tensor on the memory of an array that lies as `allocate`'s do, or else on a copy."""
    if values.ctypes.data % mmap.PAGESIZE or not values.flags.c_contiguous or not values.size:
        return tf.constant(values)
    return tf.experimental.dlpack.from_dlpack(values.__dlpack__())


def in_order(windows: Windows, inputs: Sequence[str], batch_size: int) -> tf.data.Dataset:
    """All windows once, in their order: batches of `(inputs, target)`."""
    return taken(tf.data.Dataset.range(windows.count).batch(batch_size), windows, inputs)


def taken(rows: tf.data.Dataset, windows: Windows, inputs: Sequence[str]) -> tf.data.Dataset:
    """Batches of `(inputs, target)` from batches of windows' numbers."""
    gather = Gather(windows, [*inputs, features.TARGET])

    def take(chosen: tf.Tensor):
        found = gather(chosen)
        return found, found.pop(features.TARGET)

    options = tf.data.Options()  # to rewrite its graph, tf.data would copy the maps into it
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    found = rows.map(take, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    return found.with_options(options)
