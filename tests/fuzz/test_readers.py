"""Damaged files into every reader: frames with an exact account come out, or one clear message, and nothing else.

Each example takes a good small file and damages it: pieces are replaced, inserted, deleted or repeated, or
the file is cut. `make test` draws a few examples of each kind; `make fuzz` as many as fit into FUZZ_SECONDS.
"""

import gzip
import io
import itertools
import os
import random
import time
import warnings
import zipfile

import h5py
import hypothesis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crowdflow.config import Config
from crowdflow.ingest.grid_proposal import read_positions
from crowdflow.ingest.history import read_history
from crowdflow.schema.errors import CrowdFlowError

SECONDS = float(os.environ.get("FUZZ_SECONDS", 0))
EXAMPLES = 200 if SECONDS else 25
BOX = {"south": 0.0, "west": 0.0, "north": 2.0, "east": 2.0}

RECORDS = "interval_start,row,col,inflow,outflow\n" + "".join(
    f"2024-04-0{day} {hour:02d}:00:00,{cell // 2},{cell % 2},{hour},{day}\n"
    for day in (1, 2)
    for hour in range(24)
    for cell in range(4)
)
TRIPS = "start_time,end_time,start_lat,start_lon,end_lat,end_lon\n" + "".join(
    f"2024-04-0{day} {hour:02d}:{minute:02d}:00,2024-04-0{day} {hour:02d}:59:00,1.5,0.{minute},0.5,1.5\n"
    for day in (1, 2)
    for hour in range(24)
    for minute in (11, 42)
)
POINTS = "id,time,latitude,longitude\n" + "".join(
    f"taxi-{taxi},2024-04-0{day} {hour:02d}:{minute:02d}:00,{0.1 + taxi},{minute / 30}\n"
    for day in (1, 2)
    for taxi in (0, 1)
    for hour in range(24)
    for minute in (1, 31)
)
WEATHER = "DATE,TMAX,AWND\n" + "".join(
    f"2024-0{m}-0{d},{d},{m}.5\n" for m in (3, 4) for d in range(1, 9)
)
HOLIDAYS = "20240401\n20240402\n20241225\n"
# What often goes wrong in a text, beside single characters.
PIECES = [
    "",
    "\0",
    "\n",
    "\r\n",
    ",",
    '"',
    ";",
    "nan",
    "inf",
    "-1",
    "1e400",
    "9" * 30,
    "é",
    "\ufeff",
    "NULL",
    "  ",
]
PIECES += [
    "2024-02-30",
    "2024-13-01 25:61:00",
    "9999-12-31 23:59:59",
    "0001-01-01 00:00:00",
    "1677-09-21 00:00:00",
]


def flows_hdf5() -> bytes:
    text = io.BytesIO()
    with h5py.File(text, "w") as file:
        file["data"] = np.arange(48 * 2 * 4, dtype=float).reshape(48, 2, 2, 2)
        slots = [f"2024040{day}{hour:02d}" for day in (1, 2) for hour in range(1, 25)]
        file["date"] = np.array(slots, "S10")
    return text.getvalue()


def weather_hdf5() -> bytes:
    text = io.BytesIO()
    with h5py.File(text, "w") as file:
        slots = [f"2024040{day}{hour:02d}" for day in (1, 2) for hour in range(1, 25)]
        file["date"] = np.array(slots, "S10")
        file["Temperature"], file["WindSpeed"] = np.arange(48.0), np.ones(48)
        file["Weather"] = np.eye(17)[np.arange(48) % 17]
    return text.getvalue()


def parquet(text: str) -> bytes:
    lines = [line.split(",") for line in text.splitlines()]
    columns = [pa.array(values) for values in zip(*lines[1:])]
    out = io.BytesIO()
    pq.write_table(pa.table(columns, lines[0]), out, row_group_size=40)
    return out.getvalue()


def zipped(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trips.csv", text)
    return out.getvalue()


TEXTS = {"records.csv": RECORDS, "trips.csv": TRIPS, "points.csv": POINTS}
FILES = {name: text.encode() for name, text in TEXTS.items()}
FILES |= {f"{name}.gz": gzip.compress(text.encode(), mtime=0) for name, text in TEXTS.items()}
FILES |= {name.replace("csv", "parquet"): parquet(text) for name, text in TEXTS.items()}
FILES |= {"trips.zip": zipped(TRIPS), "flows.h5": flows_hdf5()}
SIDE = {
    "weather.csv": (WEATHER.encode(), {"ingest.weather_columns": ["TMAX", "AWND"]}),
    "weather.h5": (weather_hdf5(), {"ingest.weather": True}),
    "holidays.txt": (HOLIDAYS.encode(), {"ingest.holidays": True}),
}


@st.composite
def damages(draw, content: bytes) -> bytes:
    """The content, damaged in one to four places."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from([0, 1, 2, 5, 20, 100]))
        new = draw(
            st.one_of(
                st.binary(max_size=4),
                st.sampled_from(PIECES).map(str.encode),
                st.just(content[at : at + length] * 2),
            )
        )
        content = content[:at] + new + content[at + length :]
        if draw(st.integers(0, 9)) == 0:
            content = content[: draw(st.integers(0, len(content)))]
    return content


def config(**more) -> Config:
    values = {
        "intervals.timezone": "America/New_York",
        "grid.rows": 2,
        "grid.cols": 2,
        **{f"grid.{k}": v for k, v in BOX.items()},
    }
    values |= {"ingest.max_reject_share": 1.0, "trips.max_reject_share": 1.0}
    return Config().replace({**values, **more})


def check(read, paths: list[str], settings_: Config) -> None:
    """Reads; a clear error is fine, any other one is not, and an account must add up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            history = read(paths, settings_)
        except CrowdFlowError as error:
            assert str(error) and "Traceback" not in str(error)
            return
    if read is read_positions:
        return
    frames, found = history.frames, history.counters
    assert len(frames.starts) == found["frames"] > 0
    assert (np.diff(frames.starts) > 0).all()
    assert np.isfinite(frames.maps).all() and (frames.maps >= 0).all()
    if "trips_read" in found:
        outflow, inflow = frames.maps[..., 1].sum(), frames.maps[..., 0].sum()
        assert outflow == found["starts_binned"] + found["crossings_out"]
        assert inflow == found["ends_binned"] + found["crossings_in"]
        for side in ("start", "end"):
            assert (
                found[f"{side}s_binned"] + sum(found[f"{side}_rejects"].values())
                == found["trips_read"]
            )
        assert found["points_used"] + sum(found["point_rejects"].values()) == found["points_read"]
    else:
        assert sum(found["rejected"].values()) <= found["records_read"]


def fuzz(content: bytes, run) -> None:
    """Draws damages of a file and runs each: a few, always the same, or new ones until the time is up."""
    until = time.monotonic() + SECONDS
    for seed in itertools.count():

        @hypothesis.seed(random.randrange(2**32) if SECONDS else seed)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(damages(content))
        def examples(damaged):
            run(damaged)

        examples()
        if time.monotonic() >= until:
            return


@pytest.mark.parametrize("name", FILES)
def test_records_trips_and_points(name, tmp_path):
    path = tmp_path / name

    def run(damaged):
        path.write_bytes(damaged)
        check(read_history, [str(path)], config())

    fuzz(FILES[name], run)


@pytest.mark.parametrize("name", ["trips.csv", "points.parquet", "trips.zip"])
def test_grid(name, tmp_path):
    path = tmp_path / name

    def run(damaged):
        path.write_bytes(damaged)
        check(read_positions, [str(path)], Config())

    fuzz(FILES[name], run)


@pytest.mark.parametrize("name", SIDE)
def test_side_files(name, tmp_path):
    content, more = SIDE[name]
    records, path = tmp_path / "records.csv", tmp_path / name
    records.write_text(RECORDS)

    def run(damaged):
        path.write_bytes(damaged)
        check(read_history, [str(records), str(path)], config(**more))

    fuzz(content, run)


@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_configurations(ending, tmp_path):
    path = tmp_path / f"config.{ending}"
    config().save(path)

    def run(damaged):
        path.write_bytes(damaged)
        try:
            assert isinstance(Config.load(path), Config)
        except CrowdFlowError as error:
            assert str(error)

    fuzz(path.read_bytes(), run)


@pytest.mark.parametrize("name", [*FILES, *SIDE])
def test_the_files_are_good_before_they_are_damaged(name, tmp_path):
    path, records = tmp_path / name, tmp_path / "records.csv"
    records.write_text(RECORDS)
    content, more = SIDE.get(name) or (FILES[name], {})
    path.write_bytes(content)
    history = read_history(
        [str(path)] if name in FILES else [str(records), str(path)], config(**more)
    )
    assert len(history.frames.starts) > 40
