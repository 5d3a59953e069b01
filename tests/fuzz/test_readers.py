"""Damaged files into every reader: frames with an exact account come out, or one clear message, and nothing else.

Each example takes a good small file and damages it: pieces are replaced, inserted, deleted or repeated, or
the file is cut. `make test` draws a few examples of each kind; `make fuzz` as many as fit into FUZZ_SECONDS.
"""

import itertools
import os
import random
import time
import warnings
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds.good_files import BOX, KINDS, Kind

from crowdflow.config import Config
from crowdflow.ingest.grid_proposal import read_positions
from crowdflow.ingest.history import read_history
from crowdflow.ingest.inspection.report import inspect
from crowdflow.schema.errors import CrowdFlowError

SECONDS = float(os.environ.get("FUZZ_SECONDS", 0))
EXAMPLES = 200 if SECONDS else 8
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
    if read is not read_history:
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


def write_beside(kind: Kind, folder: Path) -> list[str]:
    """Writes what a kind of file needs beside it, and returns the paths."""
    for name, text in kind.beside.items():
        (folder / name).write_text(text)
    return [str(folder / name) for name in kind.beside]


@pytest.mark.parametrize("name", KINDS)
def test_files(name, tmp_path):
    kind, path = KINDS[name], tmp_path / name
    paths = [*write_beside(kind, tmp_path), str(path)]

    def run(damaged):
        path.write_bytes(damaged)
        check(read_history, paths, config(**kind.settings))

    fuzz(kind.content, run)


@pytest.mark.parametrize("name", ["trips.csv", "points.parquet", "trips.zip", "nested.zip"])
def test_grid(name, tmp_path):
    path = tmp_path / name

    def run(damaged):
        path.write_bytes(damaged)
        check(read_positions, [str(path)], Config())

    fuzz(KINDS[name].content, run)


@pytest.mark.parametrize("name", KINDS)
def test_inspect(name, tmp_path):
    kind, path = KINDS[name], tmp_path / name
    paths = [*write_beside(kind, tmp_path), str(path)]

    def run(damaged):
        path.write_bytes(damaged)
        check(inspect, paths, Config())

    fuzz(kind.content, run)


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


@pytest.mark.parametrize("name", KINDS)
def test_the_files_are_good_before_they_are_damaged(name, tmp_path):
    kind, path = KINDS[name], tmp_path / name
    path.write_bytes(kind.content)
    history = read_history([*write_beside(kind, tmp_path), str(path)], config(**kind.settings))
    assert len(history.frames.starts) > 40
    assert not any(
        count
        for kind_of in ("rejected", "start_rejects", "end_rejects", "point_rejects")
        for count in history.counters.get(kind_of, {}).values()
    )
