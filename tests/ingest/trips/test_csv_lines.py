"""Lines of a CSV file: open quotes, empty lines and empty fields."""

import gc

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


def read(path, text):
    path.write_text(text)
    config = Config().replace({"grid.rows": 2, "grid.cols": 2})
    tallies = [tally for _, tally in table_reader.read_csv(str(path), 0, 0, 1, config)]
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
        found, count = raw_lines.count_lines(str(path))
    ended = end.join(lines).split(end)[:-1]  # the last has no end
    np.testing.assert_array_equal(found, [n for n, line in enumerate(ended, 1) if not line])
    assert count == len(path.read_bytes().splitlines())


def test_a_block_of_trips_is_parsed_without_a_walk_over_all_objects(monkeypatch):
    names = ["ride_id", "started_at", "ended_at", "start_lat", "start_lng", "end_lat", "end_lng"]
    line = b"a,2024-01-01 00:00:00,2024-01-01 00:10:00,40.7,-74.0,40.7,-74.0\n"
    walks = []
    monkeypatch.setattr(gc, "get_referrers", lambda *of: walks.append(of) or [])
    rows = parse_lines(line * 3, LineForm(len(names), find_layout(names, Config())), 2)
    assert rows.numbers.tolist() == [2, 3, 4]
    assert walks == []
