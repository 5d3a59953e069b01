"""Checks rows of trips column by column: the interval and cell of each start and end, or why it is rejected."""

import collections
import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from crowdflow.config import Config
from crowdflow.flows import grids
from crowdflow.ingest import date_range
from crowdflow.ingest.places import unknown
from crowdflow.ingest.places.places import FilePlaces, Located
from crowdflow.ingest.times import clock
from crowdflow.ingest.times.spellings import MICROS_PER_MINUTE
from crowdflow.ingest.trips import trip_layouts, trip_times
from crowdflow.ingest.trips.trip_files import TripRows
from crowdflow.ingest.trips.trip_layouts import Position
from crowdflow.schema import intervals

# Reasons to reject a start, an end or a point; the first one that applies, in this order.
UNPARSABLE = "unparsable"  # an unreadable time or position, no time, or a wrong number of fields
NO_POSITION = "no_position"  # empty, not finite, or 0, 0
UNKNOWN_PLACE = "unknown_place"  # an id that no table of places has
ENDS_BEFORE_START = "ends_before_start"  # rejects both sides: either time may be wrong
TOO_LONG = "too_long"  # rejects only the end
OUTSIDE_GRID = "outside_grid"
OUTSIDE_SPAN = "outside_span"  # an end in no covered interval; a start outside the given days
DUPLICATE = "duplicate"  # of a ride that came before, and that could be counted
REASONS = (
    UNPARSABLE,
    NO_POSITION,
    UNKNOWN_PLACE,
    ENDS_BEFORE_START,
    TOO_LONG,
    OUTSIDE_GRID,
    OUTSIDE_SPAN,
    DUPLICATE,
)
_DECIMAL_COMMA = r"^(\s*-?\d+),(\d+\s*)$"
OK = len(REASONS)  # the code of a valid start, end or point
LEFT_OUT = OK + 1  # the code of one outside the range of dates, whatever else is wrong with it


class Side(NamedTuple):
    """The starts, the ends or the points of rows.

    Attributes:
      reasons: index into `REASONS`, `OK` or `LEFT_OUT`, uint8 `[n]`.
      starts: wall-clock minutes of each one's interval, int64 `[n]`; 0 if unparsable.
      cells: row * W + column, int64 `[n]`; -1 outside the grid.
      dated: whether the time is valid, so that the files cover it, bool `[n]`; position and range do not matter.
    """

    reasons: np.ndarray
    starts: np.ndarray
    cells: np.ndarray
    dated: np.ndarray


class Points(NamedTuple):
    """Points of trajectories.

    Attributes:
      side: the points; one outside the grid is valid and has cell -1.
      ids: of the trajectories, strings, object `[n]`.
      elapsed: microseconds, int64 `[n]`.
    """

    side: Side
    ids: np.ndarray
    elapsed: np.ndarray


def check_trips(
    rows: TripRows, config: Config, places: Optional[FilePlaces] = None
) -> tuple[Optional[Side], Optional[Side]]:
    """Checks the starts and the ends of trips, each by its own time and position.

    Args:
      rows: of trips.
      config: for grid, intervals and trips.
      places: where the places of these rows are, if the rows name places.

    Returns:
      Starts and ends, None if the file has none. Ends outside the covered span are found later: that takes all
      files.
    """
    columns = dict(zip(rows.layout.roles, rows.columns))
    start, end = trip_times.read_both(rows, config)
    none = np.zeros(len(rows.numbers), bool)
    backwards = too_long = none
    if start is not None and end is not None:
        backwards, lasts = _lasts(start, end, config.intervals.zone)
        too_long = lasts > config.trips.max_hours * 60 * MICROS_PER_MINUTE
    starts = ends = None
    if rows.layout.has_side(trip_layouts.START_POSITION):
        start_at = _positions(columns, trip_layouts.START_POSITION, start, places)
        starts = _check(start, start_at, backwards, none, config, limit_days=True)
    if rows.layout.has_side(trip_layouts.END_POSITION):
        end_at = _positions(columns, trip_layouts.END_POSITION, end, places)
        ends = _check(end, end_at, backwards, too_long, config, limit_days=starts is None)
    return starts, ends


def _lasts(start: clock.Times, end: clock.Times, zone: str) -> tuple[np.ndarray, np.ndarray]:
    """Which trips end before they start, bool `[n]`, and how long they last in microseconds, int64 `[n]`."""
    lasts = np.where(start.bad | end.bad, 0, end.elapsed - start.elapsed)
    backwards = lasts < 0
    # On the local clock a trip through the hour that occurs twice can end before it starts.
    local = np.flatnonzero(backwards & (start.elapsed == start.local))
    backwards[local] = lasts[local] + clock.repeated_micros(end.local[local], zone) < 0
    return backwards, lasts


def check_points(rows: TripRows, config: Config) -> Points:
    """Checks points of trajectories; points outside the grid are kept, since a trajectory can enter from there."""
    columns = dict(zip(rows.layout.roles, rows.columns))
    times = trip_times.read_times(rows, trip_layouts.POINT_TIME, trip_layouts.POINT_DATE, config)
    ids = columns[trip_layouts.POINT_ID]
    if pa.types.is_binary(ids.type) or pa.types.is_large_binary(ids.type):
        ids = clock.decode(ids)
    times = times._replace(bad=times.bad | ids.is_null().to_numpy(zero_copy_only=False))
    none = np.zeros(len(times.bad), bool)
    found = _positions(columns, trip_layouts.POINT_POSITION)
    side = _check(times, found, none, none, config, limit_days=True)
    reasons = np.where(side.reasons == REASONS.index(OUTSIDE_GRID), OK, side.reasons)
    texts = pc.cast(ids, pa.string()).to_numpy(zero_copy_only=False)
    return Points(side._replace(reasons=reasons), texts, times.elapsed)


def positions(
    rows: TripRows, config: Config, places: Optional[FilePlaces] = None
) -> tuple[Optional[Located], Optional[Located]]:
    """Where trips start and end, None if the file has none; for trajectories, all points and None.

    Args:
      rows: of trips or points.
      config: for the time zone.
      places: where the places of these rows are, if the rows name places.
    """
    columns, layout = dict(zip(rows.layout.roles, rows.columns)), rows.layout
    if layout.of_points:
        return _positions(columns, trip_layouts.POINT_POSITION), None
    dated = places is not None and places.dated
    both = trip_times.read_both(rows, config) if dated else (None, None)
    start, end = (
        _positions(columns, position, times, places) if layout.has_side(position) else None
        for position, times in zip((trip_layouts.START_POSITION, trip_layouts.END_POSITION), both)
    )
    return start, end


def unknown_ids(rows: TripRows, sides: Sequence[Optional[Located]]) -> collections.Counter:
    """How often each id is named that no table of places has; `sides` are the starts and the ends, as located."""
    columns, found = dict(zip(rows.layout.roles, rows.columns)), collections.Counter()
    for role, located in zip(trip_layouts.PLACES, sides):
        if role in columns and located is not None:
            found.update(unknown.count_ids(columns[role], located.unknown))
    return found


def _positions(
    columns: dict[str, pa.Array],
    roles: Position,
    times: Optional[clock.Times] = None,
    places: Optional[FilePlaces] = None,
) -> Located:
    """The positions of a side, from its latitude and longitude, or from the table of its place."""
    if roles.place in columns:
        return places.locate(columns[roles.place], times and times.local)
    latitude, bad_latitude = read_degrees(columns[roles.latitude])
    longitude, bad_longitude = read_degrees(columns[roles.longitude])
    none = np.zeros(len(latitude), bool)
    return Located(latitude, longitude, bad_latitude | bad_longitude, none)


def _check(
    times: clock.Times,
    found: Located,
    backwards: np.ndarray,
    too_long: np.ndarray,
    config: Config,
    limit_days: bool,
) -> Side:
    latitude, longitude = found.latitude, found.longitude
    row, col, inside = grids.cell_of(latitude, longitude, config.grid)
    cells = np.where(inside, row * config.grid.cols + col, -1)
    placed = np.isfinite(latitude) & np.isfinite(longitude) & ((latitude != 0) | (longitude != 0))
    starts = times.local // (config.intervals.minutes * MICROS_PER_MINUTE)
    starts *= config.intervals.minutes
    reasons = np.full(len(starts), OK, np.uint8)
    beyond = _beyond(starts, config) if limit_days else np.zeros(len(starts), bool)
    wrong = (
        times.bad | found.bad,
        ~placed & ~found.unknown,
        found.unknown,
        backwards,
        too_long,
        cells < 0,
        beyond,
    )
    for code, marked in reversed([*enumerate(wrong)]):  # the first that applies is written last
        reasons[marked] = code
    left_out = date_range.outside(starts, config) & ~times.bad
    reasons[left_out] = LEFT_OUT
    return Side(reasons, starts, cells, ~(times.bad | backwards | beyond))


def _beyond(starts: np.ndarray, config: Config) -> np.ndarray:
    """Marks the intervals before `trips.first_day` or after `trips.last_day`, bool `[n]`."""
    wrong, days = np.zeros(len(starts), bool), starts // intervals.MINUTES_PER_DAY
    first, last = (_day(text) for text in (config.trips.first_day, config.trips.last_day))
    if first is not None:
        wrong |= days < first
    if last is not None:
        wrong |= days > last
    return wrong


def _day(text: Optional[str]) -> Optional[int]:
    if text is None:
        return None
    return intervals.date_to_minutes(dt.date.fromisoformat(text)) // intervals.MINUTES_PER_DAY


def read_degrees(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Degrees, float64 `[n]`, NaN if empty, and which values are not numbers, bool `[n]`."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_binary(column.type):
        column = clock.decode(column)
    try:
        values = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return values, np.zeros(len(values), bool)
    except pa.ArrowInvalid:  # some string is not a number: the slower way finds which
        texts = pd.Series(column.to_pandas(), dtype=object)
        texts = texts.str.replace(_DECIMAL_COMMA, r"\1.\2", regex=True)
        values = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
        empty = texts.fillna("").str.strip().str.lower().isin(("", "nan")).to_numpy(bool)
        return values, np.isnan(values) & ~empty
