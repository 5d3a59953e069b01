"""The same city in other forms gives the same model; other flows in the test days change nothing before them."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from worlds.metrics import close

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SPLITS = ("train", "eval", "test", "scaling")
TEST_START = np.datetime64("2024-05-01T00:00")  # the last 5 of 35 days from 2024-04-01


def windows(run, split: str) -> list[bytes]:
    """The first run's windows of a split, as a sorted set of records."""
    records = []
    for path in sorted((run.artifact("WindowGen", "windows") / f"Split-{split}").iterdir()):
        data = gzip.decompress(path.read_bytes())
        while data:  # TFRecord: length, its checksum, record, its checksum
            (length,) = struct.unpack("<Q", data[:8])
            records.append(data[12 : 12 + length])
            data = data[12 + length + 4 :]
    return sorted(records)


def maps(run) -> dict[str, bytes]:
    """The first run's files of maps, to which windows refer, by folder and day."""
    folder = run.artifact("WindowGen", "windows")
    paths = [path for name in ("frames", "averages") for path in (folder / name).glob("20*.npy")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def trained(run) -> tuple[dict, dict[str, np.ndarray]]:
    """The scaling constants and the exported weights of the first run under a root."""
    import tensorflow as tf

    history = run.artifact("Trainer", "model_run") / "history.json"
    folder = run.artifact("Trainer", "model") / "Format-Serving" / "variables" / "variables"
    reader = tf.train.load_checkpoint(str(folder))
    names = [name for name in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name]
    return json.loads(history.read_text()), {name: reader.get_tensor(name) for name in names}


def assert_same_training(run, other) -> None:
    """Bit for bit: scaling constants, losses, weights."""
    (history, weights), (expected_history, expected) = trained(run), trained(other)
    assert history["scaling"] == expected_history["scaling"]
    for entry, wanted in zip(history["history"], expected_history["history"], strict=True):
        assert (entry["loss"], entry["eval_rmse"]) == (wanted["loss"], wanted["eval_rmse"])
    assert weights.keys() == expected.keys()
    assert sum(array.dtype == np.float32 for array in weights.values()) > 20
    for name, array in weights.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


@pytest.mark.parametrize(
    ("form", "beam"),
    [
        ("h5", ()),
        ("csv", ("--", "--direct_running_mode=multi_threading", "--direct_num_workers=2")),
    ],
    ids=["HDF5", "CSV, with Beam options"],
)
def test_every_form_of_the_same_flows_gives_the_same_model(
    form, beam, first, city, side_files, crowdflow, tmp_path
):
    files = city[form][::-1]
    run = crowdflow(tmp_path / "root", *beam, data=[*side_files, *files])
    assert run.code == 0
    for split in SPLITS:
        assert windows(run, split) == windows(first, split)
    assert len(maps(first)) > 60 and maps(run) == maps(first)
    assert_same_training(run, first)
    assert run.summary["metrics"] == close(first.summary["metrics"])


def test_noise_in_the_test_days_changes_nothing_before_them(
    first, city, side_files, crowdflow, tmp_path
):
    [path] = city["parquet"]
    table = pd.read_parquet(path)
    later = table["interval_start"] >= TEST_START
    for column in ("inflow", "outflow"):
        noise = np.random.default_rng(5).integers(0, 1500, int(later.sum()))
        table.loc[later, column] = noise
    noisy = Path(tmp_path / path.name)
    table.to_parquet(noisy, index=False)

    run = crowdflow(tmp_path / "root", data=[noisy, *side_files])
    for split in ("train", "eval", "scaling"):
        assert windows(run, split) == windows(first, split)
    before, now = maps(first), maps(run)
    early = [name for name in before if name.split("/")[1] < str(TEST_START)[:10]]
    assert early and all(now[name] == before[name] for name in early)
    assert now != before
    assert not set(windows(run, "test")) & set(windows(first, "test"))
    assert_same_training(run, first)
    assert run.summary["metrics"]["model"] != close(first.summary["metrics"]["model"])


def test_beam_options_reach_beam_which_may_refuse_them(crowdflow, tmp_path):
    run = crowdflow(tmp_path / "root", "--", "--direct_running_mode=sideways")
    assert run.code == 1  # argparse's own exit code would say that a model was refused
    assert "Traceback" not in run.output
    [reason] = run.summary["reasons"]
    assert (
        "--direct_running_mode" in reason and "sideways" in reason and "multi_processing" in reason
    )
    assert run.output.rstrip().endswith(reason)
    assert run.summary["nodes"] == []
