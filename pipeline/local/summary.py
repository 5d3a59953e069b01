"""`summary.json`: what a run did, read back from MLMD and from the report's artifact."""

import json
import shutil
from pathlib import Path
from typing import Any, Optional

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2

from crowdflow.config import Config
from crowdflow.pipeline.local.root import Root

REPORT_NODE = "FlowReportGen"
NOT_SERVED = (
    "InfraValidator: TensorFlow Serving did not load the model or did not answer; see logs/"
)
_STATES = {
    metadata_store_pb2.Execution.COMPLETE: "executed",
    metadata_store_pb2.Execution.CACHED: "cached",
}


def empty(config: Config, reasons: list[str]) -> dict[str, Any]:
    """The summary of a run that did not complete."""
    return {
        "preset": config.preset,
        "config": config.to_dict(),
        "seed": config.seed,
        "versions": None,
        "nodes": [],
        "counters": None,
        "windows": None,
        "metrics": None,
        "blessed": False,
        "reasons": reasons,
        "drift": None,
        "pushed_model": None,
        "report": None,
    }


def node_states(
    store: metadata_store.MetadataStore, run_id: str, seconds: dict[str, float]
) -> list[dict[str, Any]]:
    """Each node of a run with its state in MLMD and its time, in the order in which they ran."""
    run = store.get_context_by_type_and_name("pipeline_run", run_id)
    states = {}
    for execution in store.get_executions_by_context(run.id) if run else ():
        for context in store.get_contexts_by_execution(execution.id):
            if store.get_context_types_by_id([context.type_id])[0].name == "node":
                node = context.name.split(".", 1)[1]
                states[node] = _STATES.get(execution.last_known_state, "failed")
    return [
        {"id": node, "state": states.get(node, "failed"), "seconds": round(taken, 2)}
        for node, taken in seconds.items()
    ]


def report_folder(store: metadata_store.MetadataStore, run_id: str) -> Optional[Path]:
    """The report's artifact of a run, or None where there is none."""
    run = store.get_context_by_type_and_name("pipeline_run", run_id)
    found = [
        artifact
        for artifact in store.get_artifacts_by_context(run.id)
        if artifact.type == "crowdflow.FlowReport"
    ]
    return Path(found[-1].uri) if found else None


def pushed_model(store: metadata_store.MetadataStore, run_id: str, root: Root) -> Optional[str]:
    """The version that a run's Pusher gave, relative to the root where it is below it, or None."""
    run = store.get_context_by_type_and_name("pipeline_run", run_id)
    for artifact in store.get_artifacts_by_context(run.id) if run else ():
        version = artifact.custom_properties["pushed_version"].string_value
        if artifact.type == "PushedModel" and version:
            given = artifact.custom_properties["pushed_destination"].string_value
            inside = Path(given).is_relative_to(root.path)
            return Path(given).relative_to(root.path).as_posix() if inside else given
    return None


def complete(summary: dict[str, Any], folder: Path, root: Root) -> dict[str, Any]:
    """Fills in what the report's artifact holds, and copies its page under the root."""
    account = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    root.report.mkdir(parents=True, exist_ok=True)
    page = root.report / "index.html"
    shutil.copyfile(folder / page.name, page)
    reasons = account["reasons"]
    if account["blessed"] and not summary["pushed_model"]:
        reasons = [*reasons, NOT_SERVED]
    return {
        **summary,
        "versions": account["versions"],
        "counters": account["counters"],
        "windows": account["counters"]["windows"]["windows"],
        "metrics": account["metrics"],
        "blessed": account["blessed"],
        "reasons": reasons,
        "drift": account["drift"],
        "report": page.relative_to(root.path).as_posix(),
    }


def write(summary: dict[str, Any], root: Root) -> None:
    """Writes `summary.json`, as a whole."""
    partial = root.summary.with_suffix(".partial")
    partial.write_text(json.dumps(summary, indent=2), encoding="utf-8")
    partial.replace(root.summary)
