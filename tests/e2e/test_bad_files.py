"""Files that cannot be used: one clear message each, exit code 1, nothing pushed."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import pytest

# Found only when the records are read, by a Beam step.
late = pytest.mark.e2e
FRAMES, FRAME = 35 * 24, 100


class Bad(NamedTuple):
    """How a good file is spoilt, and what the message must contain besides the file's name."""

    name: str
    spoil: Callable[[Path], object]
    parts: tuple[str, ...]


def wrong_shape(path: Path) -> None:
    with h5py.File(path, "a") as file:
        maps = file["data"][:, :, :, :3]
        del file["data"]
        file["data"] = maps


def missing_data_set(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["date"]


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def slot(row: int, text: bytes) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with h5py.File(path, "a") as file:
            file["date"][row] = text

    return spoil


def flow(value: float) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with h5py.File(path, "a") as file:
            maps = file["data"][:].astype("float64")
            maps[FRAME, 0, 1, 2] = value
            del file["data"]
            file["data"] = maps

    return spoil


def text_in_a_number(path: Path) -> None:
    lines = path.read_text().splitlines()
    lines[8] = lines[8].rsplit(",", 1)[0] + ",many"
    path.write_text("\n".join(lines) + "\n")


EARLY = [
    Bad("h5", wrong_shape, ("data set data", f"[{FRAMES}, 2, 4, 4]", f"[{FRAMES}, 2, 4, 3]")),
    Bad("h5", missing_data_set, ("data sets data, date", "date missing")),
    Bad("h5", truncated, ("expected a whole HDF5 file",)),
    Bad("h5", slot(700, b"2024043025"), ("data set date, row 700", "'2024043025'", "01..24")),
    Bad("h5", lambda path: path.write_bytes(b""), ("the file is empty",)),
    Bad("h5", lambda path: path.unlink(), ("no such file",)),
]
LATE = [
    Bad("h5", flow(float("nan")), (f"row {FRAME}: non_finite_flow", "inflow nan in cell 1,2")),
    Bad("h5", flow(-3), (f"row {FRAME}: negative_flow", "inflow -3.0 in cell 1,2")),
    Bad("csv", text_in_a_number, ("line 9: unparsable", "outflow='many'")),
    Bad("h5", slot(701, b"2024043005"), ("row 701: duplicate", "2024-04-30 04:00")),
]
IDS = (
    "wrong shape, missing data set, truncated, wrong slot, empty, not there, NaN, negative, text, duplicate"
).split(", ")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bad", EARLY + [pytest.param(bad, marks=late) for bad in LATE], ids=IDS)
def test_a_bad_file_is_one_clear_message(bad, city, side_files, crowdflow, tmp_path):
    path = Path(shutil.copy(city[bad.name][0], tmp_path / f"bad.{bad.name}"))
    bad.spoil(path)
    run = crowdflow(tmp_path / "root", data=[path, *side_files])
    assert run.code == 1
    assert "Traceback" not in run.output
    assert run.output.count("Error") == 1
    message = run.output[run.output.index("Error") :]
    for part in (str(path), *bad.parts):
        assert part in message
    assert len(message) < 500
    [reason] = run.summary["reasons"]
    assert message.strip().endswith(reason.removeprefix("FlowExampleGen: "))
    assert run.states == ({"FlowExampleGen": "failed"} if bad in LATE else {})
    assert run.versions == []
    assert (run.summary["blessed"], run.summary["pushed_model"]) == (False, None)


@pytest.mark.e2e
def test_a_frame_out_of_range_stops_the_run_before_any_window(
    city, side_files, crowdflow, tmp_path
):
    path = Path(shutil.copy(city["h5"][0], tmp_path / "bad.h5"))
    flow(5000)(path)
    run = crowdflow(tmp_path / "root", data=[path, *side_files])
    assert run.code == 1
    assert "Traceback" not in run.output
    [reason] = run.summary["reasons"]
    assert reason.startswith("ValidationGate: ")
    [line] = [line for line in reason.splitlines() if line.strip().startswith("inflow: ")]
    assert "5000" in line and "2000" in line
    assert "outflow" not in reason
    assert run.states["ValidationGate"] == "failed"
    assert len(run.executions("FlowExampleGen")) == 1
    assert run.executions("WindowGen") == []
    assert run.versions == []
