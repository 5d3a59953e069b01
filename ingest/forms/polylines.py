"""Trips that are written as one polyline each, Porto's taxis: every position becomes a point of a trajectory."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crowdflow.ingest.times.spellings import numbers_to_micros
from crowdflow.ingest.trips.trip_layouts import (
    POINT_ID,
    POINT_ROLES,
    POINT_TIME,
    POLYLINE,
    POLYLINE_SECONDS,
)
from crowdflow.ingest.trips.trip_lines import TripRows

_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE]-?\d+)?"


def points_of(rows: TripRows) -> TripRows:
    """The points of trips.

    A polyline is `[[longitude, latitude], ...]`, with a position every `POLYLINE_SECONDS` from the trip's time on.
    One that is empty or cannot be read becomes a point without a position.

    Args:
      rows: with the roles `POINT_ID`, `POINT_TIME` (seconds since 1970) and `POLYLINE`.

    Returns:
      Rows of points; each has the line number of its trip.
    """
    columns = dict(zip(rows.layout.roles, rows.columns))
    lines = columns[POLYLINE].cast(pa.binary()).fill_null(b"")
    pair = rf"\[ *{_NUMBER} *, *{_NUMBER} *\]"
    good = pc.match_substring_regex(lines, rf"^ *\[ *{pair}( *, *{pair})* *\] *$")
    lines = pc.if_else(good, lines, pa.scalar(b"", pa.binary()))
    counts = np.maximum(pc.count_substring(lines, b"[").to_numpy(zero_copy_only=False) - 1, 0)
    numbers = b",".join(line for line in lines.to_pylist() if line)
    numbers = numbers.translate(None, b"[] ").decode()
    found = np.fromstring(numbers, sep=",").reshape(-1, 2) if numbers else np.zeros((0, 2))
    sizes = np.maximum(counts, 1)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    trip = np.repeat(np.arange(len(counts)), sizes)
    positions = np.full((len(trip), 2), np.nan)
    positions[counts[trip] > 0] = found
    later = (np.arange(len(trip)) - first) * POLYLINE_SECONDS
    index = pa.array(trip)
    layout = rows.layout._replace(roles=POINT_ROLES, columns=(0,) * len(POINT_ROLES))
    points = {
        POINT_ID: columns[POINT_ID].take(index),
        POINT_TIME: _times(columns[POINT_TIME]).take(index),
        "point_lat": pa.array(positions[:, 1]),
        "point_lon": pa.array(positions[:, 0]),
    }
    points[POINT_TIME] = pc.add(
        points[POINT_TIME], pa.array(later * 1_000_000).cast(pa.duration("us"))
    )
    return rows._replace(
        layout=layout, columns=[points[role] for role in POINT_ROLES], numbers=rows.numbers[trip]
    )


def _times(column: pa.Array) -> pa.Array:
    """Seconds since 1970 as timestamps in UTC; null where a value is none."""
    texts = column.cast(pa.string())
    whole = pc.match_substring_regex(texts, r"^\d{1,18}$").fill_null(False)
    seconds = (
        pc.if_else(whole, texts, pa.scalar("0")).cast(pa.int64()).to_numpy(zero_copy_only=False)
    )
    micros, _ = numbers_to_micros(seconds)
    absent = ~whole.to_numpy(zero_copy_only=False) | (micros < 0)
    return pa.array(np.where(absent, 0, micros), pa.timestamp("us", "UTC"), mask=absent)
