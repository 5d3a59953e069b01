"""FlowReportGen: the report of a run, for people (`index.html`) and for programs (`metrics.json`)."""

import json
import os
from importlib import metadata

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from crowdflow.components.artifacts import FlowCounters, FlowReport
from crowdflow.components.flow_drift.executor import DRIFT_FILE
from crowdflow.components.flow_report import results
from crowdflow.components.flow_report.page import render_page
from crowdflow.components.json_files import read_json
from crowdflow.components.last_pushed_model.words import NAIVE, PASSED_OVER, VERSION
from crowdflow.components.pusher.executor import HELD_BACK
from crowdflow.components.refit.words import APPROVED_UNTIL, OUTCOME, TRAINED_UNTIL
from crowdflow.config import Config
from crowdflow.schema import features
from crowdflow.schema.intervals import format_start

PACKAGES = (
    "crowdflow",
    "tfx",
    "tensorflow",
    "keras",
    "tensorflow-transform",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
    "apache-beam",
    "numpy",
)


@component
def FlowReportGen(
    frame_counters: InputArtifact[FlowCounters],
    window_counters: InputArtifact[FlowCounters],
    windows: InputArtifact[standard_artifacts.Examples],
    model: InputArtifact[standard_artifacts.Model],
    model_run: InputArtifact[standard_artifacts.ModelRun],
    baseline: InputArtifact[standard_artifacts.Model],
    refitted: InputArtifact[standard_artifacts.Model],
    drift: InputArtifact[FlowCounters],
    evaluation: InputArtifact[standard_artifacts.ModelEvaluation],
    blessing: InputArtifact[standard_artifacts.ModelBlessing],
    pushed_model: InputArtifact[standard_artifacts.PushedModel],
    report: OutputArtifact[FlowReport],
    config: Parameter[str],
    libraries: Parameter[str],
    code_fingerprint: Parameter[str],
) -> None:
    """Gathers the results of the run's nodes into one page and one JSON file."""
    settings = Config.from_sections(config)
    naive = baseline.get_string_custom_property(NAIVE)
    blessed = blessing.get_int_custom_property("blessed") == 1
    outcome = results.read_outcome(evaluation.uri, settings, bool(naive), blessed)
    content = {
        **outcome,
        "versions": versions(),
        "libraries": {
            node: {name: metadata.version(name) for name in names}
            for node, names in json.loads(libraries).items()
        },
        "counters": {
            "frames": read_json(frame_counters.uri, features.COUNTERS_FILE),
            "windows": read_json(window_counters.uri, features.COUNTERS_FILE),
        },
        "training": read_json(model_run.uri, features.HISTORY_FILE),
        "baseline": {
            "pushed_version": baseline.get_string_custom_property(VERSION) or None,
            "naive": naive or None,
            "passed_over": json.loads(baseline.get_string_custom_property(PASSED_OVER)),
        },
        "refit": {
            "outcome": refitted.get_string_custom_property(OUTCOME),
            **{
                name: format_start(refitted.get_int_custom_property(name))
                for name in (TRAINED_UNTIL, APPROVED_UNTIL)
            },
        },
        "drift": read_json(drift.uri, DRIFT_FILE),
        "live": read_json(baseline.uri, features.LIVE_FILE),
        "pushed_version": pushed_model.get_string_custom_property("pushed_version") or None,
        HELD_BACK: pushed_model.get_string_custom_property(HELD_BACK) or None,
    }
    active = read_json(window_counters.uri, features.ACTIVE_FILE)
    data = results.report_data(content, settings, windows.uri, model.uri, active)
    content["quantiles"] = data.quantiles
    path = os.path.join(report.uri, features.METRICS_FILE)
    io_utils.write_string_file(path, json.dumps(content, indent=2))
    io_utils.write_string_file(os.path.join(report.uri, features.PAGE_FILE), render_page(data))


def versions() -> dict[str, str]:
    """Package -> installed version, for the packages that affect the results."""
    return {name: metadata.version(name) for name in PACKAGES}
