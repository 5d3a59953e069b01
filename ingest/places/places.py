"""Where the places that trips name are: ids looked up in tables of places, column by column."""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Optional

import numpy as np
import pandas as pd
import pyarrow as pa

from crowdflow.ingest.places.ids import texts_of
from crowdflow.ingest.places.written import positions_of
from crowdflow.schema.errors import DataError

_MICROS_PER_DAY = 86_400_000_000
_MOVED_DEGREES = 1e-3  # about 100 m


class Located(NamedTuple):
    """The positions of starts, ends or points.

    Attributes:
      latitude: degrees, float64 `[n]`, NaN if there is none.
      longitude: as latitude.
      bad: a position that cannot be read, bool `[n]`.
      unknown: an id that no table of places has and that is no position, bool `[n]`.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    bad: np.ndarray
    unknown: np.ndarray


@dataclasses.dataclass(frozen=True)
class PlaceTable:
    """A table of places.

    Attributes:
      name: of the file, or of the zip and the file in it.
      beside: the zip that holds it, or the folder.
      since: the day from which it holds, since 1970-01-01; None always.
      keys: the columns that may be the id, by name, in order of preference: canonical ids, object `[n]`.
      latitude: degrees, float64 `[n]`; NaN if there is none.
      longitude: as latitude.
      rings: of their outlines, longitude and latitude, float64 `[k, 2]` each; none of places without one.
    """

    name: str
    beside: str
    since: Optional[int]
    keys: Mapping[str, np.ndarray]
    latitude: np.ndarray
    longitude: np.ndarray
    rings: Sequence[np.ndarray] = ()

    def best_key(self, ids: Iterable[str]) -> str:
        """The column that knows most of the ids; the first of them in order of preference.

        Raises:
          DataError: another column knows as many, and has some of them elsewhere.
        """
        wanted = set(ids)
        known = {name: len(wanted.intersection(keys)) for name, keys in self.keys.items()}
        best = max(known, key=known.get)
        here = self._positions(best, wanted)
        for name, count in known.items():
            if 0 < count == known[best] and name != best:
                there = self._positions(name, wanted)
                odd = [i for i in here if i in there and _are_apart(here[i], there[i])]
                if odd:
                    raise DataError(
                        f"{self.name}: the columns {best} and {name} both have the ids of the trips, such as "
                        f"{odd[0]}, at other positions. Set trips.place_id to the one that the trips mean."
                    )
        return best

    def _positions(self, key: str, wanted: set[str]) -> dict[str, np.ndarray]:
        """The first position of each of the wanted ids in a column."""
        found: dict[str, np.ndarray] = {}
        for name, position in zip(self.keys[key], zip(self.latitude, self.longitude)):
            if name in wanted:
                found.setdefault(name, np.array(position))
        return found


def _are_apart(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((np.abs(one - other) > _MOVED_DEGREES).any())


class FilePlaces:
    """The places that a file of trips names.

    For an id that several tables have, a table with a date is asked before those without one, the latest that
    holds at the time of the trip's start or end first; then the tables in the same zip or folder as the trips;
    then the others, the last by name first, which is usually the newest.
    """

    def __init__(self, tables: Sequence[tuple[PlaceTable, str]], beside: Sequence[str]):
        """Merges tables.

        Args:
          tables: each with the name of its id column.
          beside: where the trips are, from the zip to the folder.
        """
        days = sorted({table.since for table, _ in tables if table.since is not None})
        self._since = [day * _MICROS_PER_DAY for day in days]
        self._eras = [_merge(tables, beside, day) for day in (None, *days)]

    @property
    def dated(self) -> bool:
        """Whether it depends on the time where a place is."""
        return bool(self._since)

    def locate(self, ids: pa.Array, local: Optional[np.ndarray] = None) -> Located:
        """Looks up ids; one that no table has may be a position itself.

        Args:
          ids: of `n` places, of any type, with or without a dictionary.
          local: microseconds of the local wall clock, int64 `[n]`; needed only if `dated`.
        """
        codes, texts = texts_of(ids)
        empty = np.array([not text for text in texts], bool)
        latitude, longitude = np.full((2, len(codes)), np.nan)
        unknown = np.zeros(len(codes), bool)
        for era, since in zip(self._eras, (None, *self._since)):
            rows = era.index.get_indexer(pd.Index(texts, dtype=object))
            chosen = slice(None) if since is None else local >= since
            found = rows[codes[chosen]]
            latitude[chosen], longitude[chosen] = era.latitude[found], era.longitude[found]
            unknown[chosen] = (found < 0) & ~empty[codes[chosen]]
        if unknown.any():
            odd, which = np.unique(codes[unknown], return_inverse=True)
            latitude[unknown], longitude[unknown] = positions_of(texts[odd])[:, which]
            unknown &= np.isnan(latitude)
        return Located(latitude, longitude, np.zeros(len(codes), bool), unknown)

    @property
    def moved(self) -> int:
        """The number of ids that the tables have at positions about 100 m apart or more."""
        return max(era.moved for era in self._eras)


@dataclasses.dataclass(frozen=True)
class Places:
    """All tables of places, and which column of each is the id for each file of trips.

    Attributes:
      tables: in the order of their names.
      keys: of each table, for each file of trips that names places.
    """

    tables: tuple[PlaceTable, ...] = ()
    keys: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def of_file(self, path: str) -> Optional[FilePlaces]:
        """The places of a file of trips, or None for one that has positions."""
        if path not in self.keys:
            return None
        beside = [path, os.path.dirname(path)]
        return FilePlaces(list(zip(self.tables, self.keys[path])), beside)


class _Era(NamedTuple):
    """Places by id; the last row is for those that are not there."""

    index: pd.Index
    latitude: np.ndarray
    longitude: np.ndarray
    moved: int


def _merge(
    tables: Sequence[tuple[PlaceTable, str]], beside: Sequence[str], day: Optional[int]
) -> _Era:
    """The places as they are on a day; None is before the first table with a date."""

    def order(found: tuple[int, tuple[PlaceTable, str]]) -> tuple:
        number, (table, _) = found
        if table.since is not None:
            late = day is None or table.since > day
            return (2, table.since) if late else (0, -table.since)
        near = beside.index(table.beside) if table.beside in beside else len(beside)
        return 1, near, -number

    ordered = [found for _, found in sorted(enumerate(tables), key=order)]
    none = PlaceTable("", "", None, {"": np.zeros(0, object)}, *np.zeros((2, 0)))
    ordered = ordered or [(none, "")]
    ids = np.concatenate([table.keys[key] for table, key in ordered])
    latitude = np.concatenate([table.latitude for table, _ in ordered])
    longitude = np.concatenate([table.longitude for table, _ in ordered])
    placed = np.isfinite(latitude) & np.isfinite(longitude)
    order_of = np.argsort(~placed, kind="stable")  # a row without a position is asked last
    frame = pd.DataFrame({"id": ids, "lat": latitude, "lon": longitude}).iloc[order_of]
    frame = frame[frame["id"] != ""]
    by_id = frame.groupby("id", sort=False)[["lat", "lon"]]
    moved = int(((by_id.max() - by_id.min()) > _MOVED_DEGREES).any(axis=1).sum())
    first = frame.drop_duplicates("id")
    return _Era(
        pd.Index(first["id"], dtype=object),
        np.append(first["lat"].to_numpy(np.float64), np.nan),
        np.append(first["lon"].to_numpy(np.float64), np.nan),
        moved,
    )
