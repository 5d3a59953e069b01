"""The compiled spec of the simulated city, executed once, step by step, as Kubeflow Pipelines would.

The longer executions are in tests/e2e/test_kubeflow.py.
"""

import json
import re

import pytest
from kfp_local import Cluster
from worlds import warm

from crowdflow.config import presets
from crowdflow.pipeline.kubeflow.compiling import compile_to
from crowdflow.pipeline.kubeflow.executor_input import ROOT_VARIABLE
from crowdflow.simulation.city import CitySpec, simulate
from crowdflow.simulation.files import write_city

SETTINGS = {
    "grid.rows": 3,
    "grid.cols": 3,
    "split.test_days": 3,
    "model.residual_units": 0,
    "model.filters": 4,
    "training.precision": "float32",
    "kubeflow.image": "crowdflow:test",
}


@pytest.mark.timeout(1200)
def test_every_step_runs_and_a_parameter_shows(tmp_path):
    volume = tmp_path / "volume"
    (volume / "flows").mkdir(parents=True)
    drawn = simulate(CitySpec(rows=3, cols=3, days=28))
    for name in ("parquet", "weather", "holidays"):
        write_city(drawn, volume / "flows", [name])
    config = presets.load("tiny-city").replace(
        {
            **SETTINGS,
            "kubeflow.volumes": [f"crowdflow:{volume}"],
            "paths.data": [str(volume / "nowhere")],
        }
    )
    compile_to(config, tmp_path / "pipeline.yaml")
    cluster = Cluster(tmp_path / "cluster", ROOT_VARIABLE, start=warm.start)
    run = cluster.run(
        tmp_path / "pipeline.yaml",
        data=str(volume / "flows"),
        training='{"epochs": 2, "final_epochs": 1}',
        naive_margin=0.99,  # no model is that good
    )
    assert len(run.states) >= 12
    assert set(run.states.values()) == {"executed"}
    account = json.loads(
        (cluster.path(run, "FlowReportGen", "report") / "metrics.json").read_text()
    )
    assert (len(account["training"]["history"]), account["blessed"]) == (3, False)
    assert account["metrics"]["model"]["rmse_active_cells"] > 0
    shown = cluster.artifact(run, "FlowReportGen", "metrics")["metadata"]
    ours, naive = shown["rmse_active_cells"], shown["best_naive_rmse_active_cells"]
    assert ours == account["metrics"]["model"]["rmse_active_cells"] and ours != naive > 0
    assert shown["approved"] == 0
    page = cluster.path(run, "FlowReportGen", "page").read_text()
    assert page == (cluster.path(run, "FlowReportGen", "report") / "index.html").read_text()
    assert not re.search(r"(src|href)=.?(https?:)?//", page)  # opens from its file alone
    assert not (volume / "serving").exists()
    assert (volume / "checkpoints").is_dir()
    examples = cluster.artifact(run, "FlowExampleGen", "examples")
    assert len(examples["metadata"]["input_fingerprint"]) == 64
    blessing = cluster.artifact(run, "Evaluator", "blessing")
    assert blessing["metadata"]["current_model"].startswith("s3://mlpipeline/v2/artifacts/")
    for task in run.states:
        log = cluster.path(run, task, "executor-logs").read_text()
        assert f"{task}: " in log
        assert "Traceback" not in log
