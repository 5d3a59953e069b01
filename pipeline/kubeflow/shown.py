"""What Kubeflow's pages show of a run: its numbers as `system.Metrics`, and its report as `system.HTML`."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

from crowdflow.evaluation.naive import best_naive
from crowdflow.evaluation.score import MODEL
from crowdflow.flows.metrics import MAE_ACTIVE, RMSE_ACTIVE
from crowdflow.pipeline.kubeflow.spec import METRICS, PAGE
from crowdflow.schema.features import METRICS_FILE, PAGE_FILE

REPORT = "report"


def show(report: Path, outputs: dict[str, Any]) -> dict[str, Any]:
    """Writes the page, and returns both outputs as an ExecutorOutput has them.

    Args:
      report: folder of FlowReportGen's report.
      outputs: both outputs as the ExecutorInput has them, at local paths.
    """
    made = copy.deepcopy(outputs)
    [metrics], [page] = (made[name]["artifacts"] for name in (METRICS, PAGE))
    account = json.loads((report / METRICS_FILE).read_text(encoding="utf-8"))
    metrics.setdefault("metadata", {}).update(numbers(account))
    Path(metrics["uri"]).parent.mkdir(parents=True, exist_ok=True)
    Path(metrics["uri"]).write_text(json.dumps(numbers(account), indent=2), encoding="utf-8")
    shutil.copyfile(report / PAGE_FILE, page["uri"])
    return made


def numbers(account: dict[str, Any]) -> dict[str, float]:
    """The numbers that runs are compared by: errors in trips per interval, and 1 or 0 for approved or not.

    Those with `live_` are of the model that was pushed before, on its last days with figures, where there are any.

    Args:
      account: the content of the report's `metrics.json`.
    """
    metrics = account["metrics"]
    found = {"approved": float(account["blessed"])}
    for name in (RMSE_ACTIVE, MAE_ACTIVE):
        found[name] = metrics["model"][name]
        found[f"best_naive_{name}"] = metrics[best_naive(metrics, name)][name]
    if live := account["live"]["verdict"]:
        found["live_days"], found["live_worse"] = float(live["days"]), float(live["worse"])
        for name in (RMSE_ACTIVE, MAE_ACTIVE):
            found[f"live_{name}"] = live["metrics"][MODEL][name]
    return found
