"""Citi Bike's real files to flows, by `crowdflow ingest`: conservation, and equality with a plain pandas count."""

import zipfile
from pathlib import Path

import pandas as pd
import pytest
from worlds.plain_flows import COLUMNS, PORTABLE, plain_count, rejects, require_equal, run_ingest

REAL = Path(__file__).parents[3] / "shared/data/citibike_jc"
pytestmark = pytest.mark.skipif(
    not REAL.exists(), reason="Citi Bike's files are not next to the checkout"
)
JERSEY = {"rows": 8, "cols": 9, "south": 40.711, "west": -74.084, "north": 40.749, "east": -74.032}


def read_real(path) -> pd.DataFrame:
    """Reads a file with pandas alone: only the six columns, renamed as in `COLUMNS`."""
    names = {
        "starttime": "start_time", "startedat": "start_time",
        "stoptime": "end_time", "endedat": "end_time",
        "startstationlatitude": "start_lat", "startlat": "start_lat",
        "startstationlongitude": "start_lon", "startlng": "start_lon",
        "endstationlatitude": "end_lat", "endlat": "end_lat",
        "endstationlongitude": "end_lon", "endlng": "end_lon",
    }  # fmt: skip

    def plain_name(name):
        return names.get(name.lower().replace(" ", "").replace("_", ""))

    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            [member] = [n for n in archive.namelist() if n[0] != "_"]
            table = pd.read_csv(archive.open(member), usecols=lambda name: plain_name(name))
    else:
        table = pd.read_csv(path, usecols=lambda name: plain_name(name))
    table = table.rename(columns=plain_name)
    return table.assign(**{name: pd.to_datetime(table[name]) for name in COLUMNS[:2]})


def test_all_real_files_are_conserved_and_equal_a_plain_count(tmp_path):
    files = sorted(REAL.glob("JC-*"))
    flows, counters = run_ingest(files, tmp_path / "out", JERSEY)
    trips = pd.concat(map(read_real, files), ignore_index=True)
    assert counters["trips_read"] == len(trips) == 466_025
    require_equal(flows, plain_count(trips, JERSEY))
    assert flows["outflow"].sum() == counters["starts_binned"]
    assert flows["inflow"].sum() == counters["ends_binned"]
    assert counters["end_rejects"]["no_position"] == 238
    assert counters["end_rejects"]["outside_span"] == 4
    assert len(rejects(tmp_path / "out")) == sum(counters["rejected"].values())
    assert counters["missing_months"][:2] == ["2017-04", "2017-05"]
    assert counters["empty_days_listed"] == ["2017-03-14", "2017-03-15", "2017-03-16", "2021-02-02"]
    assert [name.split("/")[-1] for name in counters["ignored_members"]] == [
        f"._JC-2021{month}-citibike-tripdata.csv" for month in ("02", "03", "04")
    ]
    assert counters["frames"] == 24 * (31 + 365 + 31 + 28 + 31 + 30)
    assert (counters["repeated_intervals"], counters["skipped_intervals"]) == (1, 3)


def test_closed_days_of_a_real_month_are_zero_or_missing(tmp_path):
    file = REAL / "JC-201703-citibike-tripdata.csv.gz"
    for empty_days, frames in (("zero", 24 * 31), ("missing", 24 * 28)):
        flows, counters = run_ingest([file], tmp_path / empty_days, JERSEY, empty_days=empty_days)
        assert counters["frames"] == frames
        assert counters["empty_days"] == 3
        closed = flows["interval_start"].dt.day.isin([14, 15, 16])
        assert closed.sum() == (72 if empty_days == "zero" else 0)  # one row of zeros per interval
        assert not flows[closed][["inflow", "outflow"]].any(axis=None)


@pytest.mark.e2e
def test_all_real_files_through_the_portable_runner(tmp_path):
    files = sorted(REAL.glob("JC-*"))
    run_ingest(files, tmp_path / "a", JERSEY)
    run_ingest(files, tmp_path / "b", JERSEY, PORTABLE)
    for name in ("flows.parquet", "counters.json", "rejects.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
