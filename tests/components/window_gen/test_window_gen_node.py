"""Both executors, files in and windows out: the form of the input does not matter."""

import datetime as dt
import json

import h5py
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts
from worlds import paper

from crowdflow.components.artifacts import FlowCounters
from crowdflow.components.flow_example_gen import executor as flow_executor
from crowdflow.components.flow_example_gen.component import FlowExampleGen
from crowdflow.components.window_gen import executor as window_executor
from crowdflow.config import Config
from crowdflow.flows import windows as pure
from crowdflow.schema.errors import DataError
from crowdflow.storage.map_store import MapStore

CONFIG = Config.from_dict(
    {
        "grid": {"rows": 2, "cols": 3},
        "intervals": {"minutes": 180},
        "windows": {**paper.LAGS, "closeness": 2, "horizon": 2},
        "split": {"test_days": 2, "eval_days": 2, "eval_share": None},
    }
)


@pytest.fixture(scope="module")
def frames(plain):
    return plain.random_frames(9, dt.datetime(2014, 4, 1), 14, 180, gaps=[(90, 2)])


def write_hdf5(folder, frames, parts=1):
    times = np.array_split(np.array(sorted(frames)), parts)
    for number, part in enumerate(times):
        with h5py.File(folder / f"{number}.h5", "w") as file:
            file["data"] = np.stack([np.moveaxis(frames[t], -1, 0) for t in part]).astype(float)
            slots = [f"{t:%Y%m%d}{t.hour // 3 + 1:02d}" for t in part]
            file["date"] = np.array(slots, "S10")


def as_table(frames):
    """A row a cell with any flow, and one zero row of each interval, in random order."""
    rows = [
        (time, row, col, *map(int, flow_map[row, col]))
        for time, flow_map in frames.items()
        for row, col in np.ndindex(*flow_map.shape[:2])
        if flow_map[row, col].any() or (row, col) == (0, 0)
    ]
    columns = ["interval_start", "row", "col", "inflow", "outflow"]
    return pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=1)


def write_csv(folder, frames):
    for number, rows in enumerate(np.array_split(np.arange(len(as_table(frames))), 3)):
        as_table(frames).iloc[rows].to_csv(folder / f"{number}.csv", index=False)


def write_parquet(folder, frames):
    as_table(frames).to_parquet(folder / "flows.parquet", index=False)


FORMS = {
    "hdf5": write_hdf5,
    "hdf5 in three files": lambda folder, frames: write_hdf5(folder, frames, 3),
    "shuffled csv in three files": write_csv,
    "shuffled parquet": write_parquet,
}


def make_artifacts(folder, **kinds):
    found = {}
    for name, kind in kinds.items():
        artifact = kind()
        artifact.uri = str(folder / name)
        found[name] = [artifact]
    return found


def make_frames(data, folder, config):
    """Runs FlowExampleGen's executor; returns its artifacts."""
    node = FlowExampleGen([str(data)], config.section("grid", "intervals", "ingest"), "code")
    out = make_artifacts(folder, examples=standard_artifacts.Examples, counters=FlowCounters)
    flow_executor.Executor().Do({}, out, node.exec_properties)
    return out


def make_windows(frames, folder, config):
    """Runs WindowGen's executor; returns the sorted records by split, the counters, the active cells."""
    out = make_artifacts(folder, windows=standard_artifacts.Examples, counters=FlowCounters)
    properties = {"config": config.section("grid", "intervals", "ingest", "windows", "split")}
    properties["holidays"] = "[]"
    window_executor.Executor().Do({"examples": frames["examples"]}, out, properties)
    splits = artifact_utils.decode_split_names(out["windows"][0].split_names)
    assert splits == ["train", "eval", "test", "scaling"]
    assert not (folder / "windows" / "parked").exists()
    found = {}
    for split in splits:
        files = tf.io.gfile.glob(f"{folder}/windows/Split-{split}/*.gz")
        found[split] = sorted(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator())
    names = ("counters.json", "active_cells.json")
    return found, *(json.loads((folder / "counters" / name).read_text()) for name in names)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the flows of HDF5 files are made into windows."""
    return tmp_path_factory.mktemp("hdf5")


@pytest.fixture(scope="module")
def from_form(tmp_path_factory, frames):
    """The windows of a form of the same flows."""

    def run(form, folder=None):
        folder = folder or tmp_path_factory.mktemp("form")
        for name in ("data", "frames", "windows"):
            (folder / name).mkdir()
        FORMS[form](folder / "data", frames)
        made = make_frames(folder / "data", folder / "frames", CONFIG)
        return make_windows(made, folder / "windows", CONFIG)

    return run


@pytest.fixture(scope="module")
def from_hdf5(from_form, folder):
    return from_form("hdf5", folder)


def test_windows_and_counters_equal_the_reference(from_hdf5, frames, plain):
    found, counters, active = from_hdf5
    active = np.array(active, bool).tolist()
    expected, *accounted = plain.windows(frames, CONFIG)
    assert [counters, active] == accounted
    plain.assert_equal(found["test"], expected["test"])
    for split in ("train", "eval"):
        times = [{"target_time": window["target_time"]} for window in expected[split]]
        assert times
        plain.assert_equal(found[split], times)


def test_a_references_maps_are_in_the_files_by_day(from_hdf5, folder, frames, plain):
    """Each frame is stored once; the reference's windows come from there by the definition of a window."""
    store = MapStore(str(folder / "windows" / "windows" / "frames"))
    assert len(store.starts) == len(frames)
    assert len(list((folder / "windows" / "windows" / "frames").glob("20*.npy"))) == 14
    offsets = pure.window_offsets(CONFIG.windows, CONFIG.intervals.per_day)
    for reference in plain.windows(frames, CONFIG)[0].values():
        for window in reference[:: len(reference) // 5]:
            for name, steps in offsets.items():
                times = window["target_time"] + steps * CONFIG.intervals.minutes
                np.testing.assert_array_equal(store.maps(times), window[name], err_msg=name)


def test_the_scaling_windows_hold_the_extremes_of_train(from_hdf5, frames, plain):
    found, *_ = from_hdf5
    train = {w["target_time"]: w for w in plain.windows(frames, CONFIG)[0]["train"]}
    scaling = [plain.parse(record) for record in found["scaling"]]
    chosen = sorted(int(window["target_time"][0]) for window in scaling)
    plain.assert_equal(found["scaling"], [train[time] for time in chosen])
    assert 1 <= len(scaling) <= 2
    names = ("closeness", "period", "trend", "target")

    def extremes(windows):
        flows = np.concatenate([np.ravel(window[name]) for window in windows for name in names])
        return flows.min(), flows.max()

    assert extremes(scaling) == extremes(train.values())


@pytest.mark.parametrize("form", [form for form in FORMS if form != "hdf5"])
def test_every_form_of_the_same_flows_gives_identical_windows(form, from_form, from_hdf5):
    assert from_form(form) == from_hdf5


def test_too_little_data_is_said_without_beams_wrapping(tmp_path, plain):
    for name in ("data", "frames", "windows"):
        (tmp_path / name).mkdir()
    week = plain.random_frames(9, dt.datetime(2014, 4, 1), 5, 180)
    write_hdf5(tmp_path / "data", week)
    made = make_frames(tmp_path / "data", tmp_path / "frames", CONFIG)
    with pytest.raises(DataError) as raised:
        make_windows(made, tmp_path / "windows", CONFIG)
    message = str(raised.value)
    assert message.startswith("No windows for train and eval and test: 40 frames from 2014-04-01")
    assert "'trend-1': 32" in message and "while running" not in message
