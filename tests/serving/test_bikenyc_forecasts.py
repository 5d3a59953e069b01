"""A model that a run on the real BikeNYC pushed: `crowdflow predict` against the Evaluator's own windows."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from standin import server

from crowdflow.storage.versions import complete_versions

COMMAND = str(Path(sys.executable).with_name("crowdflow"))
BIKENYC = Path(__file__).parents[3] / "shared/data/bikenyc/NYC14_M16x8_T60_NewEnd.h5"
# A small network: what is tested is that all ways to it agree, not what it knows. Its gate is the real one.
SETTINGS = ["model.filters=16", "model.residual_units=1", "model.members=2", "training.epochs=12"]
SETTINGS += ["training.final_epochs=2", "training.learning_rate=2e-3"]
SETTINGS += ["evaluation.refit=false"]  # the pushed model is the one that was evaluated
TEST_DAYS = ["--from=2014-09-21", "--to=2014-09-30"]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not BIKENYC.exists(), reason="needs shared/data/bikenyc"),
]


def crowdflow(*arguments: object) -> str:
    done = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("bikenyc") / "root"
    sets = [f"--set={setting}" for setting in SETTINGS]
    crowdflow("run", "--preset=bikenyc", f"--data={BIKENYC}", f"--root={root}", *sets)
    return root


@pytest.fixture(scope="module")
def evaluated(root) -> np.ndarray:
    """What the pushed model answers to the Evaluator's windows, float32 `[240, H, W, 2]`, by target time."""
    import tensorflow as tf

    [folder] = (root / "artifacts/WindowGen/windows").iterdir()
    files = sorted(map(str, folder.glob("Split-test/*.gz")))
    records = list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())
    spec = {"target_time": tf.io.FixedLenFeature([], tf.int64)}
    times = tf.io.parse_example(records, spec)["target_time"].numpy()
    records = [records[i] for i in np.argsort(times)]
    [version] = complete_versions(root / "serving/crowdflow")
    model = tf.saved_model.load(str(version))
    answer = model.signatures["serving_examples"](examples=tf.constant(records))
    return answer["flow"].numpy()[:, 0]


@pytest.fixture(scope="module")
def address(root):
    with server.running(root / "serving/crowdflow") as running:
        yield {
            "folder": root / "serving/crowdflow",
            "rest": running.url.split("/v1/")[0],
            "grpc": f"grpc://{running.target}",
        }


@pytest.mark.parametrize("kind", ["folder", "rest", "grpc"])
def test_all_240_targets_are_the_evaluators(kind, address, root, evaluated, tmp_path):
    out = tmp_path / "forecasts.parquet"
    model = f"--model={address[kind]}"
    crowdflow("predict", model, f"--data={BIKENYC}", *TEST_DAYS, f"--out={out}")
    table = pd.read_parquet(out).sort_values(["forecast_start", "row", "col"])
    assert table["forecast_start"].nunique() == len(evaluated) == 240
    flows = table[["inflow", "outflow"]].to_numpy().reshape(240, 16, 8, 2)
    np.testing.assert_allclose(flows, evaluated, rtol=1e-5, atol=1e-3)

    with h5py.File(BIKENYC) as file:
        true = np.moveaxis(file["data"][-240:], 1, -1)
    summary = json.loads((root / "summary.json").read_text())
    rmse = float(np.sqrt(np.mean((flows - true) ** 2)))
    assert rmse == pytest.approx(summary["metrics"]["model"]["rmse_all_cells"], rel=1e-4)
