"""Ids to positions: against a plain loop, several tables, dates, and what no table has."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdflow.config import Config
from crowdflow.ingest.history import read_history
from crowdflow.ingest.places.ids import canonical
from crowdflow.ingest.places.places import FilePlaces, PlaceTable
from crowdflow.schema.errors import ConfigError, DataError

BOX = {"rows": 2, "cols": 2, "south": 0.0, "west": 0.0, "north": 2.0, "east": 2.0}
CONFIG = Config.from_dict({"grid": BOX, "intervals": {"timezone": "Africa/Accra"}})
HEADER = "start_time,end_time,start_place,end_place\n"
DAY = 86_400_000_000
IDS = st.sampled_from(["1", "2", "03", "3.0", "A1", " a1 ", "main  st", "Main St", "", "9"])


def table(ids, since=None, beside="", name="t", shift=0.0) -> PlaceTable:
    ids = canonical(ids)
    return PlaceTable(
        name, beside, since, {"id": ids}, np.arange(len(ids)) + shift, np.arange(len(ids)) + shift
    )


def plain(one: str) -> str:
    text = " ".join(one.lower().split())
    return str(int(float(text))) if text.replace(".", "").isdigit() else text


@st.composite
def worlds(draw):
    """Tables with and without a date, and ids with days."""
    tables = draw(
        st.lists(
            st.tuples(st.lists(IDS, min_size=1, max_size=6), st.sampled_from([None, 2, 5, 8])),
            min_size=1,
            max_size=4,
        )
    )
    asked = draw(st.lists(st.tuples(IDS, st.integers(0, 10)), min_size=1, max_size=30))
    return tables, asked


@settings(max_examples=150, deadline=None)
@given(worlds(), st.sampled_from(["string", "binary", "dictionary"]))
def test_places_are_those_of_a_plain_loop(world, kind):
    tables, asked = world
    made = [table(ids, since, name=str(n), shift=100 * n) for n, (ids, since) in enumerate(tables)]
    column = pa.array([one or None for one, _ in asked], pa.string())
    if kind == "dictionary":
        column = column.dictionary_encode()
    elif kind == "binary":
        column = column.cast(pa.binary())
    local = np.array([day * DAY + 5 for _, day in asked])
    found = FilePlaces([(one, "id") for one in made], [""]).locate(column, local)
    for row, (one, day) in enumerate(asked):
        dated = [(s, n) for n, (_, s) in enumerate(tables) if s is not None]
        order = [n for s, n in sorted(dated, key=lambda f: (-f[0], f[1])) if s <= day]
        order += [n for n in reversed(range(len(tables))) if tables[n][1] is None]
        order += [n for s, n in sorted(dated) if s > day]
        held = [
            100 * n + [plain(i) for i in tables[n][0]].index(plain(one))
            for n in order
            if plain(one) in map(plain, tables[n][0])
        ]
        assert found.unknown[row] == (bool(one) and not held)
        expected = held[0] if held and one else np.nan
        np.testing.assert_array_equal([found.latitude[row], found.longitude[row]], [expected] * 2)


def test_numbers_as_ids():
    places = FilePlaces([(table(["1", "2"]), "id")], [""])
    for column in (
        pa.array([2, None, 7]),
        pa.array([2.0, None, 7.0]),
        pa.array([2, None, 7], pa.uint16()),
    ):
        found = places.locate(column, np.zeros(3, np.int64))
        np.testing.assert_array_equal(found.latitude, [1, np.nan, np.nan])
        assert found.unknown.tolist() == [False, False, True]


def test_a_place_without_a_position_is_asked_last_and_has_none():
    first, second = table(["a", "b"]), table(["a"], shift=50)
    first.latitude[:] = np.nan
    places = FilePlaces([(second, "id"), (first, "id")], [""])
    found = places.locate(pa.array(["a", "b"]), np.zeros(2, np.int64))
    np.testing.assert_array_equal(found.latitude, [50, np.nan])
    assert not found.unknown.any()


def read(folder, config=CONFIG):
    return read_history([str(folder)], config)


def trips(path, *rows):
    path.write_text(
        HEADER
        + "".join(f"2024-04-{d:02d} 08:00,2024-04-{d:02d} 08:10,{a},{b}\n" for d, a, b in rows)
    )


def test_the_table_beside_the_trips_is_asked_first(tmp_path):
    for folder, lat in (("x", 0.5), ("y", 1.5)):
        (tmp_path / folder).mkdir()
        trips(tmp_path / folder / "trips.csv", (1 if folder == "x" else 2, "A", "A"))
        (tmp_path / folder / "stations.csv").write_text(f"id,lat,lon\nA,{lat},0.5\n")
    frames = read_history([str(tmp_path / "x"), str(tmp_path / "y")], CONFIG).frames
    found = {(int(d), int(r)) for d, r, *_ in zip(*frames.maps.nonzero())}
    assert found == {(0, 1), (24, 0)}


def test_a_station_that_moved_by_date(tmp_path):
    trips(tmp_path / "trips.csv", (1, "A", "B"), (2, "A", "B"), (3, "A", "B"))
    (tmp_path / "s-2024-01.csv").write_text("id,lat,lon\nA,0.5,0.5\nB,0.5,0.5\n")
    (tmp_path / "s-2024-04.csv").write_text("id,lat,lon\nA,1.5,1.5\n")
    config = CONFIG.replace({"trips.places": ["s-2024-01*", "2024-04-02=s-2024-04.csv"]})
    history = read(tmp_path, config)
    outflow = {
        (int(h), int(r), int(c)) for h, r, c, k in zip(*history.frames.maps.nonzero()) if k == 1
    }
    assert outflow == {(0, 1, 0), (24, 0, 1), (48, 0, 1)}
    assert history.counters["rejected"]["unknown_place"] == 0
    assert history.counters["places_moved"] == 1


def test_only_the_named_tables_are_used_and_their_columns_are_set(tmp_path):
    trips(tmp_path / "trips.csv", (1, "A", "B"))
    (tmp_path / "stations.csv").write_text("id,lat,lon\nA,1.5,0.5\nB,1.5,0.5\n")
    (tmp_path / "mine.csv").write_text("who;north;east\nA;0,5;1,5\nB;0,5;1,5\n")
    names = {"trips.place_id": "who", "trips.place_lat": "north", "trips.place_lon": "east"}
    config = CONFIG.replace({"trips.places": ["mine.csv"], **names})
    assert read(tmp_path, config).frames.maps[0, 1, 1].tolist() == [1, 1]
    (tmp_path / "mine.csv").unlink()
    assert read(tmp_path).frames.maps[0, 0, 0].tolist() == [1, 1]
    with pytest.raises(
        DataError, match=r"no table of places that trips.places names \(other.csv\)"
    ):
        read(tmp_path, CONFIG.replace({"trips.places": ["other.csv"]}))
    for wrong in ("2024-13-01=a.csv", "2024-01-01=", "x=a.csv"):
        with pytest.raises(ConfigError, match="trips.places"):
            CONFIG.replace({"trips.places": [wrong]})


def test_the_id_is_the_column_that_knows_the_trips(tmp_path):
    trips(tmp_path / "trips.csv", (1, 1, 2))
    (tmp_path / "stations.csv").write_text("terminal,id,lat,lon\nB1,1,1.5,0.5\n2,2,0.5,1.5\n")
    maps = read(tmp_path).frames.maps
    assert maps[0, 0, 0].tolist() == [0, 1] and maps[0, 1, 1].tolist() == [1, 0]


def test_two_columns_that_know_the_ids_at_other_positions_stop_a_run(tmp_path):
    trips(tmp_path / "trips.csv", (1, 1, 2))
    (tmp_path / "stations.csv").write_text("number,id,lat,lon\n1,2,1.5,0.5\n2,1,0.5,1.5\n")
    with pytest.raises(
        DataError, match="stations.csv: the columns number and id both .* Set trips.place_id"
    ):
        read(tmp_path)
    maps = read(tmp_path, CONFIG.replace({"trips.place_id": "id"})).frames.maps
    assert maps[0, 1, 1].tolist() == [0, 1] and maps[0, 0, 0].tolist() == [1, 0]


def test_unknown_ids_are_rejects_by_reason_and_named(tmp_path):
    trips(
        tmp_path / "trips.csv", *[(1, "A", "A")] * 60, (1, "x9", ""), (1, "x9", "A"), (1, "A", "Y")
    )
    (tmp_path / "stations.csv").write_text("id,lat,lon\nA,1.5,0.5\n")
    counters = read(tmp_path).counters
    assert counters["unknown_places"] == {"x9": 2, "Y": 1}
    assert counters["start_rejects"]["unknown_place"] == 2
    assert counters["end_rejects"]["unknown_place"] == counters["end_rejects"]["no_position"] == 1
    with pytest.raises(DataError, match=r"start_unknown_place 2.*\n.*\n") as raised:
        read(tmp_path, CONFIG.replace({"trips.max_reject_share": 0.01}))
    assert str(raised.value).endswith("the most frequent first: x9 (2), Y (1)")


def test_trips_by_id_without_a_table(tmp_path):
    trips(tmp_path / "trips.csv", (1, "A", "B"))
    with pytest.raises(
        DataError, match="trips.csv: the trips name places by an id, and the data have no"
    ):
        read(tmp_path)


def test_columns_of_ones_own_may_name_places(tmp_path):
    (tmp_path / "trips.csv").write_text("a,b,c,d\n2024-04-01 08:00,2024-04-01 08:10,A,B\n")
    (tmp_path / "stations.csv").write_text("id,lat,lon\nA,1.5,0.5\nB,0.5,1.5\n")
    names = {"start_time": "a", "end_time": "b", "start_place": "c", "end_place": "d"}
    config = {f"trips.{role}": name for role, name in names.items()}
    maps = read(tmp_path, CONFIG.replace({"trips.layout": "columns", **config})).frames.maps
    assert maps[0, 0, 0].tolist() == [0, 1] and maps[0, 1, 1].tolist() == [1, 0]
    with pytest.raises(ConfigError, match="trips: expected the columns of a start"):
        CONFIG.replace({"trips.layout": "columns", "trips.start_place": "c"})


def test_tables_that_no_trips_need_are_named(tmp_path):
    (tmp_path / "trips.csv").write_text(
        "start_time,end_time,start_lat,start_lon,end_lat,end_lon\n"
        "2024-04-01 08:00,2024-04-01 08:10,1.5,0.5,0.5,1.5\n"
    )
    table = tmp_path / "stations.csv"
    table.write_text("id,lat,lon\nA,1.5,0.5\n")
    assert read(tmp_path).counters["ignored_side_files"] == [str(table)]
    trips(tmp_path / "more.csv", (1, "A", "A"))
    assert read(tmp_path).counters["ignored_side_files"] == []


def test_a_table_of_places_alone_is_no_data(tmp_path):
    (tmp_path / "stations.csv").write_text("id,lat,lon\nA,1.5,0.5\n")
    with pytest.raises(DataError, match="expected a file of flows, found none"):
        read(tmp_path)


def test_days_are_counted_from_1970():
    day = (dt.date(2024, 4, 2) - dt.date(1970, 1, 1)).days
    assert day * DAY == int(pd.Timestamp("2024-04-02").timestamp() * 1e6)
