"""The node under TFX's own launcher: driver, cache, artifacts."""

import json
import os
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner

import crowdflow
from crowdflow.components.flow_example_gen.component import FlowExampleGen


def run(root: Path, paths, config):
    """Runs a pipeline of the one node; returns the state of its last execution and its artifacts."""
    connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.db"))
    node = FlowExampleGen(paths, config.section("grid", "intervals", "ingest"), "code")
    LocalDagRunner().run(
        pipeline.Pipeline("flows", str(root), connection, [node], enable_cache=True)
    )
    with metadata.Metadata(connection) as handle:
        last = max(handle.store.get_executions(), key=lambda execution: execution.id)
        events = handle.store.get_events_by_execution_ids([last.id])
        artifacts = handle.store.get_artifacts_by_id([event.artifact_id for event in events])
    states = metadata_store_pb2.Execution
    return last.last_known_state == states.CACHED, {a.type: a for a in artifacts}


def test_cache_follows_the_content_of_every_file(tmp_path, city):
    data = tmp_path / "data"
    data.mkdir()
    flows = city.write_hdf5(data / "flows.h5")
    (data / "days.txt").write_text("20140401\n")
    paths, config = [flows, str(data / "days.txt")], city.config(holidays=True)
    cached, artifacts = run(tmp_path, paths, config)
    assert not cached
    assert sorted(artifacts) == ["Examples", "crowdflow.FlowCounters"]
    examples = artifacts["Examples"]
    assert json.loads(examples.properties["split_names"].string_value) == ["all"]
    assert examples.custom_properties["span"].int_value == 0
    first = examples.custom_properties["input_fingerprint"].string_value
    counters = Path(artifacts["crowdflow.FlowCounters"].uri) / "counters.json"
    assert json.loads(counters.read_text())["frames"] == 57

    os.utime(flows, (1, 1))
    cached, artifacts = run(tmp_path, paths[::-1], config)
    assert cached
    assert artifacts["Examples"].custom_properties["input_fingerprint"].string_value == first

    (data / "days.txt").write_text("20140402\n")
    cached, artifacts = run(tmp_path, paths, config)
    assert not cached
    assert artifacts["Examples"].custom_properties["input_fingerprint"].string_value != first


def test_artifact_types_are_importable_under_their_names():
    for name in ("FlowCounters", "FlowReport"):
        assert getattr(crowdflow, name).TYPE_NAME == f"crowdflow.{name}"
