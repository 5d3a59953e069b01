"""Inputs in an object store give byte for byte the same result as local files."""

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from worlds import paper

from crowdflow.config import Config
from crowdflow.ingest import flow_table as ingest_files
from crowdflow.ingest.covariates.side_files import read_holidays
from crowdflow.ingest.covariates.weather_files import read_table
from crowdflow.ingest.date_range import resolve
from crowdflow.ingest.history import read_history
from crowdflow.ingest.records.hdf5_reader import open_hdf5
from crowdflow.ingest.sources import fingerprint, inspect_sources
from crowdflow.ingest.trips import trip_files, trip_parquet
from crowdflow.ingest.trips.same_content import refuse_twice
from crowdflow.schema.errors import DataError, DataNotFoundError, StoreError
from crowdflow.simulation.city import CitySpec, simulate
from crowdflow.simulation.files import write_city
from crowdflow.storage import object_store

SPEC = CitySpec(rows=3, cols=4, days=21)  # 2024-04-01 .. 2024-04-21
WORKERS = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> dict[str, list[Path]]:
    """The city's files by format."""
    folder, drawn = tmp_path_factory.mktemp("city"), simulate(SPEC)
    names = ("parquet", "csv", "h5", "weather", "holidays", "trips")
    return {name: write_city(drawn, folder, [name]) for name in names}


@pytest.fixture
def config() -> Config:
    grid = {n: getattr(SPEC, n) for n in ("rows", "cols", "south", "west", "north", "east")}
    return Config.from_dict(
        {"grid": grid, "windows": {**paper.LAGS, "closeness": 2, "trend": 0}, "ingest": {}}
    )


def upload(path: Path, address: str) -> str:
    with object_store.open_to_write(address) as file:
        file.write(path.read_bytes())
    return address


def upload_all(folder: Path, address: str) -> str:
    for path in folder.rglob("*"):
        if path.is_file():
            upload(path, f"{address}/{path.relative_to(folder).as_posix()}")
    return address


def same(here, there, config):
    """Reads both, compares them and returns the history; compares the counters without the file names."""
    expected, found = read_history([str(here)], config), read_history([str(there)], config)
    assert found.frames.starts.tobytes() == expected.frames.starts.tobytes()
    assert found.frames.maps.tobytes() == expected.frames.maps.tobytes()
    side = (history.covariates(history.frames.starts, config) for history in (found, expected))
    for name, values in next(side).items():
        np.testing.assert_array_equal(
            values, expected.covariates(found.frames.starts, config)[name]
        )
    text = json.dumps(found.counters).replace(str(there), str(here))
    assert json.loads(text) == expected.counters
    resolved = [resolve([str(place)], config) for place in (here, there)]
    sources = [inspect_sources(one.paths, one.config) for one in resolved]
    assert fingerprint(sources[0]) == fingerprint(sources[1])
    return found


@pytest.mark.parametrize("form", ["csv", "h5", "parquet"])
def test_flow_records_with_weather_and_holidays(form, city, config, bucket, tmp_path):
    folder = tmp_path / "flows"
    folder.mkdir()
    for path in (*city[form], *city["weather"], *city["holidays"]):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / ".hidden").write_text("not read")
    config = config.replace({"ingest.weather": True, "ingest.holidays": True})
    found = same(folder, upload_all(folder, f"{bucket}/flows"), config)
    assert len(found.frames.starts) == 21 * 24
    assert found.counters["ignored_names"] == [f"{bucket}/flows/.hidden"]


@pytest.mark.parametrize("form", ["csv", "gz", "zip", "parquet"])
def test_trips(form, city, config, bucket, tmp_path):
    [csv] = city["trips"]
    path = (
        tmp_path / {"csv": "t.csv", "gz": "t.csv.gz", "zip": "t.zip", "parquet": "t.parquet"}[form]
    )
    if form == "parquet":
        import pyarrow.csv
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.csv.read_csv(csv), path, row_group_size=5000)
    elif form == "zip":
        lines = csv.read_text().splitlines(keepends=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.csv", "".join(lines[: len(lines) // 2]))
            archive.writestr("b.csv", lines[0] + "".join(lines[len(lines) // 2 :]))
            archive.writestr("readme.txt", "no trips")
    else:
        write = gzip.compress if form == "gz" else bytes
        path.write_bytes(write(csv.read_bytes()))
    found = same(path, upload(path, f"{bucket}/trips/{path.name}"), config)
    assert found.counters["trips_read"] > 1000


def test_a_range_of_dates_reads_the_files_of_its_days_alone(city, config, bucket, tmp_path):
    header, *lines = [line for path in city["csv"] for line in path.read_text().splitlines()]
    for line in lines:
        if line == header:
            continue
        year, month, day = line[:10].split("-")
        path = tmp_path / "in" / year / month / day / "flows.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(line + "\n" if path.stat().st_size else f"{header}\n{line}\n")
    address = upload_all(tmp_path / "in", f"{bucket}/in")
    config = config.replace(
        {"range.weeks": 1, "range.pattern": "{YYYY}/{MM}/{DD}", "range.last_date": "2024-04-20"}
    )
    resolved = resolve([address], config)
    here = resolve([str(tmp_path / "in")], config)
    assert [p.removeprefix(address) for p in resolved.paths] == [
        p.removeprefix(str(tmp_path / "in")) for p in here.paths
    ]
    assert resolved._replace(paths=[]) == here._replace(paths=[])
    same(tmp_path / "in", address, config)
    latest = resolve([address], config.replace({"range.last_date": None}))
    assert latest.config.range.last_date == "2024-04-21"
    with pytest.raises(
        DataNotFoundError, match=f"{address}: expected files that match range.pattern"
    ):
        resolve([address], config.replace({"range.pattern": "x-{YYYY}{MM}.csv"}))


def test_other_processes_read_too(city, config, bucket, tmp_path):
    [csv] = city["trips"]
    address = upload(csv, f"{bucket}/trips.csv")

    def ingest(path, out, beam_args):
        ingest_files.ingest(
            config.replace({"paths.data": [str(path)]}), out, (), beam_args, lambda line: None
        )
        return (out / "flows.parquet").read_bytes()

    assert ingest(address, tmp_path / "there", WORKERS) == ingest(csv, tmp_path / "here", ())


def test_what_is_not_there_or_broken_is_told_by_its_address(city, config, bucket, tmp_path):
    upload(city["csv"][0], f"{bucket}/in/flows.csv")
    for wrong, message in (
        (f"{bucket}/none", f"{bucket}/none: no such file or folder"),
        (f"{bucket}/in/*.h5", r"/in/\*.h5: no such file or folder"),
    ):
        with pytest.raises(DataNotFoundError, match=message):
            inspect_sources([wrong], config)
    with pytest.raises(StoreError, match="s3://no-such/in: the object store has no bucket no-such"):
        inspect_sources(["s3://no-such/in"], config)
    for name, content, words in (
        ("a.h5", b"\x89HDF\r\n\x1a\ncut", "expected a whole HDF5 file"),
        ("a.parquet", b"PAR1", "expected a whole Parquet file"),
        ("a.zip", b"PK", "expected a whole zip file"),
        ("a.csv", b"", "the file is empty"),
    ):
        broken = tmp_path / name
        broken.write_bytes(content)
        address = upload(broken, f"{bucket}/{name}")
        with pytest.raises(DataError, match=f"{address}: {words}"):
            inspect_sources([address], config)


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (lambda path: trip_files.csv_header(path, Config()), "a.csv"),
        (lambda path: trip_files.csv_header(path, Config()), "a.csv.gz"),
        (lambda path: trip_files.zip_members(path, Config()), "a.zip"),
        (trip_parquet.parquet_names, "a.parquet"),
        (lambda path: next(trip_files.read_csv(path, 0, Config())), "a.csv"),
        (lambda path: refuse_twice([path, path], Config()), "a.csv"),
        (lambda path: open_hdf5(path).__enter__(), "a.h5"),
        (lambda path: read_holidays([path]), "holidays.txt"),
        (lambda path: read_table([path], ("TMAX",), "DATE", None), "weather.csv"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_store_that_fails_is_not_told_as_a_damaged_file(read, name, bucket):
    with pytest.raises(StoreError, match=f"{bucket}/{name}: no such object"):
        read(f"{bucket}/{name}")
