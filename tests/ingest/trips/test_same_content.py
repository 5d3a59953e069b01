"""The same trips in two files are an error, however the files are compressed."""

import gzip
import shutil
import warnings
import zipfile

import pytest

from crowdflow.config import Config
from crowdflow.ingest import sources
from crowdflow.ingest.flow_table import ingest
from crowdflow.ingest.trips.same_content import refuse_twice
from crowdflow.schema.errors import DataError

BOX = {"rows": 2, "cols": 2, "south": 0.0, "west": 0.0, "north": 2.0, "east": 2.0}
HEADER = "start_time,end_time,start_lat,start_lon,end_lat,end_lon"
ROW = "2024-04-{day:02d} 08:00:00,2024-04-{day:02d} 08:10:00,1.5,0.5,0.5,1.5"


@pytest.fixture
def trips(tmp_path):
    path = tmp_path / "trips.csv"
    path.write_text("\n".join([HEADER, *(ROW.format(day=day) for day in range(1, 11)), ""]))
    return path


def packed(path, kind):
    if kind == "csv":
        return shutil.copy(path, path.with_name("copy.csv"))
    if kind == "gz":
        other = path.with_name("copy.csv.gz")
        other.write_bytes(gzip.compress(path.read_bytes()))
        return other
    if kind == "members":  # as bgzip and cat write it: members in a row, the last one empty
        content, other = path.read_bytes(), path.with_name("copy.csv.gz")
        parts = (content[:100], content[100:], b"")
        other.write_bytes(b"".join(map(gzip.compress, parts)))
        return other
    other = path.with_name("copy.zip")
    with zipfile.ZipFile(other, "w") as archive:
        archive.write(path, "2024-04.csv")
        archive.writestr("__MACOSX/._2024-04.csv", "resources")
    return other


@pytest.mark.parametrize("kind", ["csv", "gz", "members", "zip"])
def test_a_file_and_the_same_packed(trips, kind):
    other = packed(trips, kind)
    config = Config.from_dict({"intervals": {"timezone": "America/New_York"}, "grid": BOX})
    assert len(sources.inspect_sources([str(other)], config)) == 1
    with pytest.raises(DataError, match="would count twice. Leave one out") as raised:
        sources.inspect_sources([str(trips), str(other)], config)
    assert "trips.csv" in str(raised.value) and "copy" in str(raised.value)


def test_files_of_one_size_and_different_trips_are_fine(trips):
    other = trips.with_name("other.csv")
    other.write_text(trips.read_text().replace("2024-04-01", "2024-04-21"))
    assert other.stat().st_size == trips.stat().st_size
    refuse_twice([str(trips), str(other)], Config())


def test_different_gzip_files_with_the_same_last_member_are_fine(trips):
    first = packed(trips, "members").rename(trips.with_name("first.csv.gz"))
    trips.write_text(trips.read_text().replace("2024-04-01", "2024-04-21"))
    refuse_twice([str(first), str(packed(trips, "members"))], Config())


def test_files_that_begin_alike_are_read_whole(trips):
    long = trips.read_text() + "\n" * 100_000
    first, second = (trips.with_name(f"{name}.csv.gz") for name in "ab")
    first.write_bytes(gzip.compress((long + ROW.format(day=20)).encode()))
    second.write_bytes(gzip.compress((long + ROW.format(day=21)).encode()))
    refuse_twice([str(first), str(second)], Config())
    shutil.copy(first, second)
    with pytest.raises(DataError, match="b.csv.gz: expected trips that no other file holds"):
        refuse_twice([str(first), str(second)], Config())


def test_strays_of_two_zips_may_be_the_same(trips):
    first = packed(trips, "zip").rename(trips.with_name("first.zip"))
    trips.write_text(trips.read_text() + ROW.format(day=20) + "\n")
    refuse_twice([str(first), str(packed(trips, "zip"))], Config())


def test_a_name_twice_in_a_zip(trips):
    path = trips.with_name("twice.zip")
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.write(trips, "a.csv")
        archive.writestr("a.csv", HEADER)
    with pytest.raises(DataError, match="Received a.csv more than once"):
        refuse_twice([str(path)], Config())


def test_days_left_out_on_purpose_do_not_stop_the_run(trips, tmp_path):
    values = {
        "intervals": {"timezone": "America/New_York"},
        "grid": BOX,
        "trips": {"first_day": "2024-04-03", "last_day": "2024-04-04"},
    }
    values["paths"] = {"data": [str(trips)]}
    counters = ingest(Config.from_dict(values), tmp_path / "out", (), (), lambda line: None)
    assert (counters["trips_read"], counters["starts_binned"]) == (10, 2)
    assert counters["start_rejects"]["outside_span"] == 8
