"""Counts of the ids that no table of places has, with a bounded number of them in memory."""

import collections

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crowdflow.ingest.times.clock import decode

_KEPT = 10_000


def count_ids(column: pa.Array, unknown: np.ndarray) -> collections.Counter:
    """How often each unknown id is named.

    Args:
      column: `n` ids.
      unknown: which of them no table has, bool `[n]`.
    """
    if not unknown.any():
        return collections.Counter()
    found = column.filter(pa.array(unknown))
    if pa.types.is_dictionary(found.type):
        found = found.dictionary_decode()
    if pa.types.is_binary(found.type):
        found = decode(found)
    counts = collections.Counter()
    for pair in pc.value_counts(found).to_pylist():
        counts[str(pair["values"]).strip()] += pair["counts"]
    return counts


def most_frequent(counts: collections.Counter, most: int = _KEPT) -> dict[str, int]:
    """The most frequent ids, the most frequent first; of equally frequent ones the first in order."""
    return dict(sorted(counts.items(), key=lambda found: (-found[1], found[0]))[:most])


def in_words(counts: collections.Counter) -> str:
    """A line for a message with the ten most frequent ids; empty if there is none."""
    found = ", ".join(f"{name} ({count:,})" for name, count in most_frequent(counts, 10).items())
    return f"\nIds that no table of places has, the most frequent first: {found}" if found else ""
