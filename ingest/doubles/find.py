"""Finds rides that come again, by 64-bit hashes that are grouped by day: eight bytes a trip, or twelve unsorted.

A ride with an id is the same if it starts in the same interval, whatever else its row says. Without ids, equal
rows are the same ride only if they are in different files: two friends may ride together. So such a row counts as
often as in the file that has it most.
"""

import collections
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Optional

import numpy as np
import pandas as pd
import pyarrow as pa

from crowdflow.ingest.doubles.hashes import hash_numbers, hash_texts
from crowdflow.ingest.trips import trip_layouts
from crowdflow.ingest.trips.trip_lines import TripRows
from crowdflow.ingest.trips.trip_rows import OK, Side
from crowdflow.schema.intervals import MINUTES_PER_DAY

# Ids that most rows share are not of rides: so many rows are asked, if there are as many as the other.
_ASKED, _FEWEST = 1000, 20


class Seen(NamedTuple):
    """The trips of one day in a block of rows.

    Attributes:
      part: index of the part of the inputs; earlier parts have the first rides.
      file: index of the file, or of the file in a zip, among all.
      by_id: whether the hashes are of ids.
      first: number of the first row.
      later: how far the other rows are behind it, uint32 as bytes; empty if each is the next one.
      hashes: uint64 as bytes.
    """

    part: int
    file: tuple[int, int]
    by_id: bool
    first: int
    later: bytes
    hashes: bytes

    def rows(self) -> np.ndarray:
        """The numbers of the rows, int64 `[n]`."""
        if self.later:
            return np.frombuffer(self.later, np.uint32).astype(np.int64) + self.first
        return np.arange(len(self.hashes) // 8) + self.first


def by_day(
    rows: TripRows, sides: Iterable[Optional[Side]], part: int, file: tuple[int, int]
) -> Iterator[tuple[int, Seen]]:
    """The trips of a block that count, by the day of their start, or of their end if the start cannot be read.

    Args:
      rows: of trips.
      sides: their starts and ends, None if the file has none.
      part: index of the part of the inputs.
      file: index of the file.

    Yields:
      Days since 1970-01-01 and the trips.
    """
    sides = [side for side in sides if side is not None]
    when, counted = sides[0].starts, sides[0].reasons == OK
    for side in sides[1:]:
        when = np.where(when, when, side.starts)
        counted = counted | (side.reasons == OK)
    if not counted.any():
        return
    days, numbers = when // MINUTES_PER_DAY, rows.numbers
    hashes, by_id = _hashes(rows, when)
    if not counted.all():
        days, hashes, numbers = days[counted], hashes[counted], numbers[counted]
    if (np.diff(days) < 0).any():
        order = np.argsort(days, kind="stable")
        days, hashes, numbers = days[order], hashes[order], numbers[order]
    bounds = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
    for begin, end in zip(bounds, bounds[1:]):
        first = int(numbers[begin])
        later = numbers[begin:end] - first
        packed = b"" if later[-1] == end - begin - 1 else later.astype(np.uint32).tobytes()
        yield (
            int(days[begin]),
            Seen(part, file, by_id, first, packed, hashes[begin:end].tobytes()),
        )


def find_doubles(seen: Iterable[Seen]) -> dict[int, np.ndarray]:
    """The rides of a day that came before.

    Args:
      seen: all trips of the day, in any order.

    Returns:
      For each part that has some, the numbers of their rows, int64 `[n]`, sorted.
    """
    blocks = sorted(seen, key=lambda block: (block.part, block.first))
    hashes = np.concatenate([np.frombuffer(block.hashes, np.uint64) for block in blocks])
    if len(pd.unique(hashes)) == len(hashes):
        return {}
    sizes = [len(block.hashes) // 8 for block in blocks]
    files, _ = pd.factorize(pd.Series([block.file for block in blocks]))
    table = pd.DataFrame(
        {
            "hash": hashes,
            "file": np.repeat(files, sizes),
            "by_id": np.repeat([block.by_id for block in blocks], sizes),
            "part": np.repeat([block.part for block in blocks], sizes),
            "row": np.concatenate([block.rows() for block in blocks]),
        }
    )
    table = table[table["hash"].duplicated(keep=False)].sort_values(["part", "row"], kind="stable")
    table["nth"] = table.groupby(["hash", "file"]).cumcount().where(~table["by_id"], 0)
    again = table[table.duplicated(["hash", "by_id", "nth"])]
    return {int(part): found["row"].to_numpy() for part, found in again.groupby("part")}


def doubles_by_part(days: Mapping[int, Sequence[Seen]]) -> dict[int, np.ndarray]:
    """The rides that came before on each of some days; see `find_doubles`."""
    found = collections.defaultdict(list)
    for seen in days.values():
        for part, rows in find_doubles(seen).items():
            found[part].append(rows)
    return {part: np.concatenate(rows) for part, rows in found.items()}


def pack_rows(rows: np.ndarray) -> bytes:
    """Compresses the numbers of rows, int64 `[n]`; those in order take least."""
    return zlib.compress(np.diff(rows, prepend=0).tobytes(), 1)


def unpack_rows(packed: bytes) -> np.ndarray:
    """The numbers of rows that `pack_rows` compressed, int64 `[n]`."""
    return np.cumsum(np.frombuffer(zlib.decompress(packed), np.int64))


def _as_texts(column: pa.Array) -> pa.Array:
    fits = pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
    return column if fits else column.cast(pa.string())


def _hashes(rows: TripRows, when: np.ndarray) -> tuple[np.ndarray, bool]:
    """The hashes of ids and intervals, of whole lines, or, in Parquet, of what is read; and whether of ids."""
    roles = rows.layout.roles
    if trip_layouts.RIDE_ID in roles:
        ids = hash_texts(_as_texts(rows.columns[roles.index(trip_layouts.RIDE_ID)]))
        some = ids[:_ASKED]
        if len(some) < _FEWEST or len(np.unique(some)) > len(some) / 2:
            return hash_numbers([ids, when]), True
    if rows.hashes is not None:
        return rows.hashes, False
    return hash_numbers([hash_texts(_as_texts(column)) for column in rows.columns]), False
