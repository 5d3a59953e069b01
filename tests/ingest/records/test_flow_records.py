"""Checking rows and assembling days, against plain loops."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdflow.config import Config
from crowdflow.flows.frames import RECORD_COLUMNS
from crowdflow.ingest import tally as tallies
from crowdflow.ingest.records.records import (
    FrameRecords,
    LostIntervals,
    RowBlock,
    assemble_day,
    by_day,
    positions,
)
from crowdflow.ingest.records.table_rows import parse_rows

CONFIG = Config.from_dict({"grid": {"rows": 3, "cols": 4}})
GOOD = ("2014-04-01 08:00", "1", "2", "3", "4")
EIGHT = (dt.datetime(2014, 4, 1, 8) - dt.datetime(1970, 1, 1)).total_seconds() // 60


def parse(*rows, malformed=False):
    columns = [pa.array(column) for column in zip(*rows)]
    batch = pa.RecordBatch.from_arrays(columns, list(RECORD_COLUMNS))
    numbers = np.arange(2, 2 + len(rows))
    return parse_rows(batch, numbers, malformed, "a.csv", 0, CONFIG)


def changed(**values):
    return tuple({**dict(zip(RECORD_COLUMNS, GOOD)), **values}.values())


def kinds(blocks, kind):
    return [block for _, block in blocks if isinstance(block, kind) and len(block.starts)]


@pytest.mark.parametrize(
    ("values", "reason", "loses"),
    [
        ({"inflow": "many"}, "unparsable", True),
        ({"inflow": ""}, "unparsable", True),
        ({"outflow": "0x10"}, "unparsable", True),
        ({"row": "1.5"}, "unparsable", True),
        ({"col": "nan"}, "unparsable", True),
        ({"interval_start": "2014-04-31 08:00"}, "unparsable", False),
        ({"interval_start": "08:00"}, "unparsable", False),
        ({"interval_start": "2014-04-01T08:00:00+02:00"}, "unparsable", False),
        ({"interval_start": "2014-04-01 08:07"}, "off_raster", True),
        ({"interval_start": "2014-04-01 08:00:01"}, "off_raster", True),
        ({"row": "3"}, "outside_grid", False),
        ({"col": "-1"}, "outside_grid", False),
        ({"inflow": "NaN"}, "non_finite_flow", True),
        ({"outflow": "-inf"}, "non_finite_flow", True),
        ({"outflow": "1e39"}, "non_finite_flow", True),
        ({"inflow": "-1"}, "negative_flow", True),
    ],
)
def test_each_reject_has_its_reason(values, reason, loses):
    blocks, tally = parse(GOOD, changed(**values))
    assert tally.rejected == {reason: 1}
    [reject] = tally.rejects
    assert (reject.file, reject.row, reject.reason) == ("a.csv", 3, reason)
    assert next(iter(values)) in reject.value
    [rows] = kinds(blocks, RowBlock)
    np.testing.assert_array_equal(rows.positions, positions(0, [2]))
    lost = kinds(blocks, LostIntervals)
    assert [block.starts.tolist() for block in lost] == ([[EIGHT]] if loses else [])


def test_accepted_spellings():
    rows = [changed(interval_start=t) for t in ("2014-04-01T08:00:00", "2014-04-01 08:00:00.000")]
    rows += [changed(row="1.0", inflow=" +3 ", outflow="4e0")]
    blocks, tally = parse(GOOD, *rows)
    assert not tally.rejected
    [block] = kinds(blocks, RowBlock)
    assert block.starts.tolist() == [EIGHT] * 4
    assert block.cells.tolist() == [6] * 4
    assert block.flows.tolist() == [[3, 4]] * 4


def test_typed_columns_tell_a_null_from_nan():
    time = dt.datetime(2014, 4, 1, 8)
    _, tally = parse(
        (time, 1, 2, 3.0, 4.0), (time, 1, 2, None, 4.0), (time, 1, 2, np.nan, 4.0),
        (None, 1, 2, 3.0, 4.0), (time, None, 2, 3.0, 4.0),
    )  # fmt: skip
    assert tally.rejected == {"unparsable": 3, "non_finite_flow": 1}


def test_malformed_lines_are_rejected_and_lose_their_interval():
    blocks, tally = parse(GOOD, malformed=True)
    assert tally.rejected == {"unparsable": 1}
    assert not kinds(blocks, RowBlock)
    assert kinds(blocks, LostIntervals)[0].starts.tolist() == [EIGHT]


ROWS, COLS, SLOTS = 2, 2, 3
record = st.tuples(
    st.integers(0, 2),  # file
    st.integers(0, SLOTS - 1),
    st.sampled_from(["frame", "row", "row", "row", "lost"]),
    st.integers(0, ROWS * COLS - 1),
)


def reference(records, absent):
    """Frames by start, and the duplicates' positions, one record after the other."""
    owner, cells, frames, duplicates, lost = {}, {}, {}, set(), set()
    for position, (_, start, kind, cell) in records:
        if kind == "lost":
            lost.add(start)
        elif kind == "frame":
            if start in owner:
                duplicates.add(position)
            else:
                owner[start], frames[start] = "frame", np.full((ROWS, COLS, 2), position, float)
        elif owner.setdefault(start, "row") == "frame" or (start, cell) in cells:
            duplicates.add(position)
        else:
            cells[start, cell] = position
    for start in {s for s, kind in owner.items() if kind == "row"} - lost:
        flat = np.zeros((ROWS * COLS, 2))
        found = [cell for s, cell in cells if s == start]
        for cell in found:
            flat[cell] = cells[start, cell]
        if absent == "zero" or len(found) == ROWS * COLS:
            frames[start] = flat.reshape(ROWS, COLS, 2)
    return frames, duplicates


@settings(max_examples=200, deadline=None)
@given(st.lists(record, max_size=40), st.sampled_from(["zero", "missing"]), st.randoms())
def test_a_day_equals_a_plain_loop_in_any_order(records, absent, random):
    rows = np.arange(len(records))
    where = [int(positions(r[0], row)) for row, r in zip(rows, records)]
    numbered = sorted(zip(where, records))
    rank = {
        position: n + 1 for n, (position, _) in enumerate(numbered)
    }  # small, so exact in float32
    blocks = []
    for position, (_, slot, kind, cell) in numbered:
        start, at = np.array([slot * 60]), np.array([position])
        if kind == "frame":
            maps = np.full((1, ROWS, COLS, 2), rank[position], np.float32)
            blocks.append(FrameRecords(at, start, maps))
        elif kind == "row":
            flows = np.full((1, 2), rank[position], np.float32)
            blocks.append(RowBlock(at, start, np.array([cell]), flows))
        else:
            blocks.append(LostIntervals(start))
    random.shuffle(blocks)
    found, tally = assemble_day(blocks, ROWS, COLS, absent, ["a", "b", "c"])

    numbered = [(rank[p], (f, slot * 60, kind, cell)) for p, (f, slot, kind, cell) in numbered]
    expected, duplicates = reference(numbered, absent)
    assert found.starts.tolist() == sorted(expected)
    for start, frame in zip(found.starts.tolist(), found.maps):
        np.testing.assert_array_equal(frame, expected[start])
    assert tally.rejected["duplicate"] == len(duplicates)
    listed = [("abc".index(r.file), r.row) for r in tally.rejects]
    assert {rank[int(positions(*at))] for at in listed} == duplicates
    assert tally.counts["frames"] == len(expected)


def test_by_day_splits_at_midnight():
    starts = np.array([1440, 1439, 2879, 0])
    block = RowBlock(np.arange(4), starts, np.arange(4), np.zeros((4, 2), np.float32))
    days = dict(by_day(block))
    assert {day: part.starts.tolist() for day, part in days.items()} == {
        0: [1439, 0],
        1: [1440, 2879],
    }


def test_tallies_merge_the_same_in_any_order_and_cap_the_list():
    parts = []
    for file in "cab":
        part = tallies.of_frames(np.array([ord(file)]))
        part.rejected["duplicate"] = 8000
        part.rejects = [tallies.Reject(file, row, "duplicate", "x") for row in range(8000)]
        parts.append(part)
    merged = tallies.merge(parts)
    assert merged == tallies.merge([tallies.merge(parts[:2]), parts[2]])
    assert merged == tallies.merge([parts[2], tallies.merge(parts[1::-1])])
    assert merged.rejected["duplicate"] == 24_000
    assert len(merged.rejects) == tallies.REJECTS_CAP
    assert merged.rejects[-1] == ("b", 1999, "duplicate", "x")
    assert (merged.first, merged.last) == (ord("a"), ord("c"))
