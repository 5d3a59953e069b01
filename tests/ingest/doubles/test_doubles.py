"""Rides that come again: counted once, counted as rejects and listed."""

import collections
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds.plain_flows import rejects, run_ingest
from worlds.small_trips import GRID, PLAIN, expected, flows, line

from crowdflow.ingest.doubles.find import Seen, find_doubles, pack_rows, unpack_rows
from crowdflow.ingest.doubles.hashes import hash_lines, hash_texts

NEWER = "ride_id,started_at,ended_at,start_lat,start_lng,end_lat,end_lng,member"


def write(path, *lines, header=PLAIN):
    path.write_text("\n".join([header, *lines, ""]))
    return path


def test_a_ride_is_counted_once_by_its_id_whatever_else_its_row_says(tmp_path):
    first = write(tmp_path / "a.csv", *(f"R{n},{line(n)},m" for n in (8, 9)), header=NEWER)
    again = [f"R9,{line(9)},casual", f"R10,{line(10)},m", f"R10,{line(10)},m"]
    second = write(tmp_path / "b.csv", *again, header=NEWER)
    found, counters = flows([first, second])
    assert found == expected(8, 9, 10)
    assert counters["trips_read"] == 5
    assert counters["start_rejects"]["duplicate"] == counters["end_rejects"]["duplicate"] == 2


def test_equal_rows_without_an_id_are_one_ride_only_in_different_files(tmp_path):
    first = write(tmp_path / "a.csv", line(8), line(8), line(9))
    second = write(tmp_path / "b.csv", line(9), line(8), line(10))
    found, counters = flows([first, second])
    assert found["2024-05-06 08:00"] == (
        [2, 0, 0, 0],
        [0, 0, 0, 2],
    )  # as often as in the file with most
    assert counters["rejected"]["duplicate"] == 4
    assert {**found, **expected(8)} == expected(8, 9, 10)


def test_rows_that_differ_in_a_column_that_is_not_read_are_two_rides(tmp_path):
    first = write(tmp_path / "a.csv", f"{line(8)},bike 1", header=f"{PLAIN},bike")
    second = write(tmp_path / "b.csv", f"{line(8)},bike 2", header=f"{PLAIN},bike")
    assert flows([first, second])[0] == {"2024-05-06 08:00": ([2, 0, 0, 0], [0, 0, 0, 2])}


def test_ids_that_most_rows_share_are_not_of_rides(tmp_path):
    rows = [f"0,{line(hour, f'2024-05-{day:02d}')},m" for day in (6, 7) for hour in range(8, 20)]
    found, counters = flows([write(tmp_path / "a.csv", *rows, *rows[:1], header=NEWER)])
    assert counters["starts_binned"] == 25
    assert counters["rejected"]["duplicate"] == 0


def test_parquet_and_its_row_groups(tmp_path):
    table = pd.DataFrame([line(hour).split(",") for hour in (8, 9, 10)], columns=PLAIN.split(","))
    table.to_parquet(tmp_path / "a.parquet", row_group_size=1)
    table[1:].to_parquet(tmp_path / "b.parquet", row_group_size=1)
    found, counters = flows([tmp_path])
    assert found == expected(8, 9, 10)
    assert counters["rejected"]["duplicate"] == 4


def test_a_zip_of_the_whole_and_its_parts_by_beam_with_its_listing(tmp_path):
    lines = [line(hour, day) for day in ("2024-05-06", "2024-05-07") for hour in (7, 8, 23)]
    late = lines[-1].replace("2024-05-07 23:30", "2024-05-08 00:05")
    bad = lines[0].replace("41.5", "91.5")
    whole = [*lines[:-1], late, bad]
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, rows in (("2024", whole), ("2024_1", whole[:3]), ("2024_2", whole[3:])):
            archive.writestr(f"{name}.csv", "\n".join([PLAIN, *rows, ""]))
    found, counters = run_ingest([path], tmp_path / "out", GRID, max_reject_share=0.5)
    assert (counters["trips_read"], counters["starts_binned"], counters["ends_binned"]) == (
        14,
        6,
        6,
    )
    assert (
        counters["start_rejects"] | {"duplicate": 6, "outside_grid": 2} == counters["start_rejects"]
    )
    assert counters["end_rejects"] | {"duplicate": 7, "outside_span": 1} == counters["end_rejects"]
    assert (found["outflow"].sum(), found["inflow"].sum()) == (6, 6)
    listed = rejects(tmp_path / "out")
    again = listed[listed["reason"].str.endswith("duplicate")]
    assert {name.split("/")[-1] for name in again["file"]} == {"2024_1.csv", "2024_2.csv"}
    assert sorted(again["row"].unique()) == [2, 3, 4, 5]
    assert (listed["reason"] == "end_outside_span").sum() == 1
    assert len(listed) == sum(counters["rejected"].values())


KEYS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=12)


@settings(max_examples=80, deadline=None)
@given(blocks=st.lists(st.tuples(KEYS, st.booleans()), min_size=1, max_size=5), sort=st.booleans())
def test_against_a_plain_loop(blocks, sort):
    """Each block is a part; a key is (hash, gap before the row)."""
    seen, kept, wanted = [], collections.Counter(), collections.defaultdict(list)
    for part, (keys, by_id) in enumerate(blocks):
        rows = np.cumsum([gap + 1 for _, gap in keys])
        hashes = np.array([key + 10 * by_id for key, _ in keys], np.uint64)
        later = (
            b""
            if len(rows) == rows[-1] - rows[0] + 1
            else (rows - rows[0]).astype(np.uint32).tobytes()
        )
        seen.append(Seen(part, (part // 2, 0), by_id, int(rows[0]), later, hashes.tobytes()))
    here = collections.Counter()
    for block in seen:
        for value, row in zip(
            np.frombuffer(block.hashes, np.uint64).tolist(), block.rows().tolist()
        ):
            here[block.file, value] += 1
            nth = 1 if block.by_id else here[block.file, value]
            if nth > kept[value]:
                kept[value] = nth
            else:
                wanted[block.part].append(row)
    found = find_doubles(seen[::-1] if sort else seen)
    assert {part: rows.tolist() for part, rows in found.items()} == dict(wanted)


TEXTS = st.lists(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b" ")), max_size=20)


@settings(max_examples=80, deadline=None)
@given(texts=TEXTS, other=TEXTS)
def test_equal_texts_alone_have_equal_hashes(texts, other):
    every = texts + other
    hashes = hash_texts(pa.array(every, pa.binary())).tolist()
    assert hashes[: len(texts)] == hash_texts(pa.array(texts, pa.binary())).tolist()
    assert len(set(hashes)) == len(set(every))
    if texts:
        lines = hash_lines(b"\n".join(texts) + b"\n")
        assert lines.tolist() == hashes[: len(texts)]
        sliced = pa.array(every, pa.binary())[1:]
        assert hash_texts(sliced).tolist() == hashes[1:]


def test_hashes_are_the_same_in_every_process():
    found = hash_texts(pa.array(["", "a", "12345678", "123456789", None]))
    assert found[0] == found[-1] and len(set(found.tolist())) == 4
    assert found[1] == pytest.approx(found[1]) and found.dtype == np.uint64
    assert found[1:3].tolist() == hash_lines(b"a\n12345678").tolist()


@given(rows=st.lists(st.integers(0, 2**40), max_size=50).map(sorted))
def test_packed_rows_come_back(rows):
    assert unpack_rows(pack_rows(np.array(rows, np.int64))).tolist() == rows
