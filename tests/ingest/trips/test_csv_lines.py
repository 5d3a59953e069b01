"""Lines of a CSV file: open quotes, empty lines and empty fields."""

import gc
import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdflow.config import Config
from crowdflow.ingest.records import raw_lines, table_reader
from crowdflow.ingest.trips.trip_layouts import find_layout
from crowdflow.ingest.trips.trip_lines import LineForm, parse_lines
from crowdflow.schema.errors import DataError

ROW = "2024-01-01 00:00,0,{col},1,2"
HEADER = "interval_start,row,col,inflow,outflow"
CONFIG = Config().replace({"grid.rows": 2, "grid.cols": 2})


def read(path, text):
    path.write_text(text)
    tallies = [tally for _, tally in table_reader.read_csv(str(path), 0, 0, 1, CONFIG)]
    read_rows = sum(tally.counts["records_read"] for tally in tallies)
    return read_rows, [(r.row, r.reason) for tally in tallies for r in tally.rejects]


@pytest.mark.parametrize("closed_later", [True, False])
def test_a_quote_that_stays_open_stops_the_run_even_in_an_ignored_column(tmp_path, closed_later):
    rows = [ROW.format(col=0) + ",note", ROW.format(col=1) + ',"oops']
    rows += [ROW.format(col=1) + (',b"' if closed_later else ",b")] * 3
    with pytest.raises(DataError, match=r"flows.csv, line 3: expected every quoted field to end"):
        read(tmp_path / "flows.csv", "\n".join([HEADER + ",note", *rows]) + "\n")


def test_even_quotes_that_stay_open_stop_the_run(tmp_path):
    header, row = HEADER + ",note,name", ROW.format(col=0) + ",x,x"
    good = [ROW.format(col=1) + tail for tail in (',5" x 5",', ',"a,""b""",""')]
    assert read(tmp_path / "flows.csv", "\n".join([header, row, *good])) == (3, [])
    for after in ([row] * 3, []):
        lines = [header, row, ROW.format(col=1) + ',5" pipe,"Foo', *after]
        if after:
            with pytest.raises(DataError, match="flows.csv, line 3: expected every quoted field"):
                read(tmp_path / "flows.csv", "\n".join(lines) + "\n")
        else:  # the last line takes no other with it
            assert read(tmp_path / "flows.csv", "\n".join(lines))[0] == 2


def test_empty_lines_are_no_records_but_empty_fields_are(tmp_path):
    text = "\n".join([HEADER, ROW.format(col=0), "", ",,,,", ROW.format(col=1), "", ""])
    assert read(tmp_path / "flows.csv", text) == (3, [(4, "unparsable")])


LINES = st.lists(st.sampled_from(["", "a,b", '"x",y', ",,"]), min_size=1, max_size=30)


@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]), block=st.integers(1, 20))
def test_empty_lines_are_found_whatever_the_blocks(tmp_path_factory, lines, end, block):
    path = tmp_path_factory.mktemp("lines") / "lines.csv"
    path.write_bytes(end.join(lines).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_lines, "BLOCK_BYTES", block)
        found, count, _ = raw_lines.find_lines(str(path))
    ended = end.join(lines).split(end)[:-1]  # the last has no end
    np.testing.assert_array_equal(found, [n for n, line in enumerate(ended, 1) if not line])
    assert count == len(path.read_bytes().splitlines())


PIECES = st.lists(
    st.sampled_from(
        ["", ROW.format(col=0), ROW.format(col=1), "x,0,0,1,2", "2024,1", '"a",0,0,1,2,3']
    ),
    min_size=1,
    max_size=30,
)


@given(
    lines=PIECES, end=st.sampled_from(["\n", "\r\n"]), last=st.booleans(), size=st.integers(1, 200)
)
def test_pieces_give_the_records_and_rejects_of_the_whole(tmp_path_factory, lines, end, last, size):
    path = tmp_path_factory.mktemp("pieces") / "records.csv"
    path.write_bytes(("\ufeff" + end.join([HEADER, *lines]) + end * last).encode())
    found = {}
    for piece in (size, 1 << 20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(raw_lines, "PIECE_BYTES", piece)
            raw_lines._find_lines.cache_clear()
            offsets = [offset for offset, _ in raw_lines.find_lines(str(path)).pieces]
            rows, rejects, reads = [], [], 0
            for number in range(len(offsets)):
                for blocks, tally in table_reader.read_csv(
                    str(path), 0, number, number + 1, CONFIG
                ):
                    kept = [b for _, b in blocks if hasattr(b, "positions")]
                    rows += [tuple(row) for b in kept for row in zip(b.positions, b.cells)]
                    rejects += [(r.row, r.reason, r.value) for r in tally.rejects]
                    reads += tally.counts["records_read"]
        found[piece] = sorted(rows), sorted(rejects), reads
        assert all(b - a >= piece for a, b in zip(offsets, offsets[1:]))
    assert found[size] == found[1 << 20]
    assert found[size][2] == sum(bool(line) for line in lines)


@pytest.mark.parametrize(("end", "name"), [("\r", "a.csv"), ("\n", "a.csv.gz")])
def test_what_cannot_be_cut_is_one_piece(tmp_path, monkeypatch, end, name):
    monkeypatch.setattr(raw_lines, "PIECE_BYTES", 10)
    path = tmp_path / name
    content = (HEADER + "\n" + end.join([ROW.format(col=0)] * 20)).encode()
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert table_reader.inspect_csv(str(path), CONFIG) == 1
    [(_, tally)] = table_reader.read_csv(str(path), 0, 0, 1, CONFIG)
    assert tally.counts["records_read"] == 20


def test_a_block_of_trips_is_parsed_without_a_walk_over_all_objects(monkeypatch):
    names = ["ride_id", "started_at", "ended_at", "start_lat", "start_lng", "end_lat", "end_lng"]
    line = b"a,2024-01-01 00:00:00,2024-01-01 00:10:00,40.7,-74.0,40.7,-74.0\n"
    walks = []
    monkeypatch.setattr(gc, "get_referrers", lambda *of: walks.append(of) or [])
    rows = parse_lines(line * 3, LineForm(len(names), find_layout(names, Config())), 2)
    assert rows.numbers.tolist() == [2, 3, 4]
    assert walks == []
