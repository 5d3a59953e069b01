"""`summary.json`: the outcome of a run, read from MLMD and from the report's artifact."""

import json
import shutil
from pathlib import Path
from typing import Any, Optional

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2

from crowdflow.config import Config
from crowdflow.pipeline.local.root import Root
from crowdflow.schema import features
from crowdflow.storage.disk import whole_file

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
        "config": config.public().to_dict(),
        "seed": config.seed,
        "versions": None,
        "libraries": None,
        "nodes": [],
        "counters": None,
        "windows": None,
        "metrics": None,
        "quantiles": None,
        "blessed": False,
        "reasons": reasons,
        "refit": None,
        "drift": None,
        "live": None,
        "pushed_model": None,
        "report": None,
    }


def node_states(
    store: metadata_store.MetadataStore, run_id: str, seconds: dict[str, float]
) -> list[dict[str, Any]]:
    """Each node of a run with its state in MLMD and its run time, in the order in which the nodes ran."""
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
    """The folder of a run's report artifact, or None if it has none."""
    run = store.get_context_by_type_and_name("pipeline_run", run_id)
    found = [
        artifact
        for artifact in store.get_artifacts_by_context(run.id)
        if artifact.type == "crowdflow.FlowReport"
    ]
    return Path(found[-1].uri) if found else None


def pushed_model(store: metadata_store.MetadataStore, run_id: str, root: Root) -> Optional[str]:
    """The version that a run pushed, relative to the root if it is below it, or None."""
    run = store.get_context_by_type_and_name("pipeline_run", run_id)
    for artifact in store.get_artifacts_by_context(run.id) if run else ():
        version = artifact.custom_properties["pushed_version"].string_value
        if artifact.type == "PushedModel" and version:
            pushed = artifact.custom_properties["pushed_destination"].string_value
            inside = Path(pushed).is_relative_to(root.path)
            return Path(pushed).relative_to(root.path).as_posix() if inside else pushed
    return None


def complete(summary: dict[str, Any], folder: Path, root: Root) -> dict[str, Any]:
    """Adds the contents of the report's artifact, and copies its page under the root."""
    report = json.loads((folder / features.METRICS_FILE).read_text(encoding="utf-8"))
    root.report.mkdir(parents=True, exist_ok=True)
    page = root.report / features.PAGE_FILE
    shutil.copyfile(folder / page.name, page)
    reasons, pushed = report["reasons"], summary["pushed_model"] is not None
    unblessed = summary["config"]["evaluation"]["push_unblessed"]
    if (report["blessed"] or unblessed) and not pushed:
        reasons = [*reasons, report["held_back"] or NOT_SERVED]
    return {
        **summary,
        "versions": report["versions"],
        "libraries": report["libraries"],
        "counters": report["counters"],
        "windows": report["counters"]["windows"]["windows"],
        "metrics": report["metrics"],
        "quantiles": report["quantiles"],
        "blessed": report["blessed"] and pushed,
        "reasons": reasons,
        "refit": report["refit"],
        "drift": report["drift"],
        "live": {name: value for name, value in report["live"].items() if name != "record"},
        "report": page.relative_to(root.path).as_posix(),
    }


def write(summary: dict[str, Any], root: Root) -> None:
    """Writes `summary.json` atomically."""
    with whole_file(root.summary) as partial:
        partial.write_text(json.dumps(summary, indent=2), encoding="utf-8")
