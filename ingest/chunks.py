"""Divides the inputs into pieces to read, for Beam and for a single process alike."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from crowdflow.ingest import tally as tallies
from crowdflow.ingest.sources import READERS, TRIPS, TRIPS_PARQUET, Source
from crowdflow.ingest.trips import trip_tally
from crowdflow.ingest.trips.trip_counts import Part


class Chunk(NamedTuple):
    """Units `begin` to `end` (exclusive) of the source at `index`."""

    index: int
    begin: int
    end: int


def chunks(sources: Sequence[Source]) -> list[Chunk]:
    """Divides the sources of flow records into pieces to read."""
    found = []
    for index, source in enumerate(sources):
        if source.kind in READERS:
            size = READERS[source.kind].units
            for begin in range(0, source.units, size):
                found.append(Chunk(index, begin, min(begin + size, source.units)))
    return found


def are_trips(sources: Sequence[Source]) -> bool:
    """Whether the sources are raw trips rather than flow records."""
    return any(source.kind in TRIPS for source in sources)


def merge_of(sources: Sequence[Source]) -> Callable[[Iterable[tallies.Tally]], tallies.Tally]:
    """The function that merges the tallies of these sources."""
    return trip_tally.merge if are_trips(sources) else tallies.merge


def parts(sources: Sequence[Source]) -> list[Part]:
    """Divides the sources of trips into parts to read."""
    found = [
        (index, source.path, unit, source.kind == TRIPS_PARQUET)
        for index, source in enumerate(sources)
        if source.kind in TRIPS
        for unit in range(source.units)
    ]
    return [Part(*part, number) for number, part in enumerate(found)]
