"""Checks the rows of tables of flow records, column by column."""

import datetime as dt
from typing import Optional

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from crowdflow.config import Config
from crowdflow.flows.frames import RECORD_COLUMNS
from crowdflow.ingest import date_range
from crowdflow.ingest import tally as tallies
from crowdflow.ingest.records.records import Block, LostIntervals, RowBlock, by_day, positions

_MINUTE = 60_000_000  # microseconds
_EPOCH = dt.datetime(1970, 1, 1)
_NOT_A_NUMBER = r"[+-]?nan"
# After a reject for one of these reasons the flow of a cell is unknown, unlike after a position outside the grid
# or a duplicate.
_LEAVES_UNKNOWN = (tallies.UNPARSABLE, tallies.OFF_RASTER, tallies.NON_FINITE, tallies.NEGATIVE)


def parse_rows(
    columns: pa.RecordBatch,
    numbers: np.ndarray,
    malformed: bool,
    path: str,
    index: int,
    config: Config,
) -> tuple[list[tuple[int, Block]], tallies.Tally]:
    """Checks rows and groups them by day.

    Args:
      columns: `RECORD_COLUMNS`, strings or typed, `n` rows. Times are local, ISO 8601 without a zone.
      numbers: row or line numbers in the file, int64 `[n]`.
      malformed: the rows have too many or too few fields, so all are rejected.
      path: the file, for the rejects.
      index: its index among the inputs.
      config: for the grid, the interval's length and the range of dates.

    Returns:
      Blocks by day, and the tally.
    """
    times, bad_time = _times(_column(columns, "interval_start"))
    values, bad = {}, {"interval_start": bad_time}
    for name in RECORD_COLUMNS[1:]:
        values[name], bad[name] = _numbers(_column(columns, name))
    for name in ("row", "col"):
        bad[name] |= values[name] != np.rint(values[name])
    rows, cols = values["row"], values["col"]
    with np.errstate(over="ignore"):
        flows = np.stack([values["inflow"], values["outflow"]], axis=-1).astype(np.float32)
    span = config.intervals.minutes * _MINUTE
    inside = (rows >= 0) & (rows < config.grid.rows) & (cols >= 0) & (cols < config.grid.cols)
    wrong = {
        tallies.UNPARSABLE: np.logical_or.reduce([*bad.values(), np.full(len(times), malformed)]),
        tallies.OFF_RASTER: times % span != 0,
        tallies.OUTSIDE_GRID: ~inside,
        tallies.NON_FINITE: ~np.isfinite(flows).all(axis=-1),
        tallies.NEGATIVE: (flows < 0).any(axis=-1),
    }
    reasons = np.select(list(wrong.values()), list(wrong), "")  # the first that applies
    starts = times // span * config.intervals.minutes
    # Rows outside the range of dates are left out, whatever else is wrong with them.
    beyond = date_range.outside(starts, config) & ~bad_time & (not malformed)
    reasons[beyond] = ""
    good = (reasons == "") & ~beyond
    block = RowBlock(
        positions(index, numbers)[good],
        starts[good],
        (rows[good] * config.grid.cols + cols[good]).astype(np.int64),
        flows[good],
    )
    lost = LostIntervals(np.unique(starts[np.isin(reasons, _LEAVES_UNKNOWN) & ~bad_time]))
    tally = tallies.Tally()
    tally.counts["records_read"] = len(times)
    tally.counts["records_left_out"] = int(beyond.sum())
    _list_rejects(tally, columns, numbers, reasons, bad, path)
    return [*by_day(block), *by_day(lost)], tally


def _list_rejects(
    tally: tallies.Tally,
    columns: pa.RecordBatch,
    numbers: np.ndarray,
    reasons: np.ndarray,
    bad: dict[str, np.ndarray],
    path: str,
) -> None:
    names, counts = np.unique(reasons[reasons != ""], return_counts=True)
    tally.rejected.update(dict(zip(names.tolist(), counts.tolist())))
    for i in np.flatnonzero(reasons != "")[: tallies.REJECTS_CAP]:
        shown = {
            tallies.UNPARSABLE: [n for n in RECORD_COLUMNS if bad[n][i]] or RECORD_COLUMNS,
            tallies.OFF_RASTER: ["interval_start"],
            tallies.OUTSIDE_GRID: ["row", "col"],
        }.get(reasons[i], ["inflow", "outflow"])
        values = [(name, _column(columns, name)[i].as_py()) for name in shown]
        value = ", ".join(f"{name}={str(value)[:40]!r}" for name, value in values)
        tally.rejects.append(tallies.Reject(path, int(numbers[i]), str(reasons[i]), value))


def _column(columns: pa.RecordBatch, name: str) -> pa.Array:
    return columns.column(columns.schema.get_field_index(name))


def _times(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds since 1970-01-01 00:00, int64 `[n]`, and which values are unreadable, bool `[n]`."""
    if pa.types.is_timestamp(column.type):
        micros = pc.cast(column, pa.timestamp("us"), safe=False).cast(pa.int64())
        return micros.fill_null(0).to_numpy(), column.is_null().to_numpy(zero_copy_only=False)
    codes, texts = pd.factorize(column.to_numpy(zero_copy_only=False))
    parsed = [_parse_time(text) for text in texts] + [
        None
    ]  # the code of a null, -1, selects the last
    micros = np.array([0 if value is None else value for value in parsed], np.int64)
    return micros[codes], np.array([value is None for value in parsed])[codes]


def _parse_time(text: str) -> Optional[int]:
    try:
        time = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return None if time.tzinfo else (time - _EPOCH) // dt.timedelta(microseconds=1)


def _numbers(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Float64 `[n]`, and which values are not numbers, bool `[n]`; `nan` and `inf` count as numbers."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        values = pc.cast(column, pa.float64(), safe=False)
        empty = values.is_null().to_numpy(zero_copy_only=False)
        return values.to_numpy(zero_copy_only=False), empty
    except pa.ArrowInvalid:  # some string is not a number: the slower way finds which
        texts = pd.Series(column.to_pandas(), dtype=object)
        values = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
        spelled = texts.fillna("").str.strip().str.fullmatch(_NOT_A_NUMBER, case=False)
        return values, np.isnan(values) & ~spelled.to_numpy(bool)
