"""Commands that write to a full disk: one message that names the folder, exit code 1, no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest
from worlds.small_disk import full_disk

from crowdflow.simulation.city import CitySpec, simulate
from crowdflow.simulation.files import write_city

COMMAND = Path(sys.executable).with_name("crowdflow")
GRID = ("south=40.7", "west=-74.02", "north=40.78", "east=-73.94", "rows=4", "cols=4")


@pytest.fixture(scope="module")
def trips(tmp_path_factory) -> Path:
    [path] = write_city(
        simulate(CitySpec(rows=4, cols=4, days=8)), tmp_path_factory.mktemp("city"), ["trips"]
    )
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["simulate", "{full}/city", "--days", "8"],
        [
            "ingest",
            "--out",
            "{full}/flows",
            "--data",
            "{trips}",
            *(f"--set=grid.{s}" for s in GRID),
        ],
        ["grid", "--out", "{full}/grid.png", "--data", "{trips}"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_it_is_one_message(arguments, trips, tmp_path):
    with full_disk(tmp_path / "full") as full:
        given = [text.format(full=full, trips=trips) for text in arguments]
        done = subprocess.run([COMMAND, *given], capture_output=True, text=True)
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert "Traceback" not in output
    place = next(text for text in given if text.startswith(str(full)))
    assert f"Error: {place}: its disk is full. Make room, then repeat the command." in output
