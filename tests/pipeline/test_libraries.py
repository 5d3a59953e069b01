"""The fingerprint of the libraries: what it holds, and that a node's cache key holds it."""

import importlib.metadata
import subprocess
import sys

import pytest
from tfx import v1 as tfx
from tfx.dsl.compiler import compiler
from tfx.proto.orchestration import pipeline_pb2

from crowdflow.config import presets
from crowdflow.pipeline import libraries
from crowdflow.pipeline.pipeline import NEVER_CACHED, create_pipeline


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """Installs a library of a version, with what it requires, for this test alone."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name, version, *requires):
        folder = tmp_path / f"{name}.dist-info"
        folder.mkdir(exist_ok=True)
        lines = [f"Requires-Dist: {line}\n" for line in requires]
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{''.join(lines)}"
        (folder / "METADATA").write_text(text)

    return install


def test_every_library_that_is_required_counts_and_no_tool(distribution):
    distribution("app", "1", "Lib_A>=2 ; python_version > '3'", "tool ; extra == 'dev'")
    distribution("lib_a", "2.1", "lib-b[fast]", "app", "absent")
    distribution("lib_b", "3")
    distribution("tool", "4")
    assert libraries.versions("app") == {"lib-a": "2.1", "lib-b": "3"}


def test_the_pipelines_libraries_are_among_them():
    found = libraries.versions("crowdflow")
    for name in ("tfx", "tensorflow", "tensorflow-data-validation", "apache-beam", "keras"):
        assert found[name] == importlib.metadata.version(name)
    assert "pytest" not in found


def test_an_upgrade_changes_the_fingerprint(monkeypatch):
    def fresh():
        libraries.libraries_fingerprint.cache_clear()
        return libraries.libraries_fingerprint()

    before = fresh()
    code = "from crowdflow.pipeline.libraries import *; print(libraries_fingerprint())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == before
    found = libraries.versions("crowdflow")
    monkeypatch.setattr(libraries, "versions", lambda _: {**found, "tfx": "99"})
    assert fresh() != before
    monkeypatch.undo()
    assert fresh() == before


def test_every_nodes_cache_key_has_the_libraries(tmp_path):
    config = presets.load("tiny-city").replace({"evaluation.infra_validator": "docker"})
    pipeline = create_pipeline(
        name="p",
        root=str(tmp_path),
        config=config,
        data=[str(tmp_path)],
        serving_folder=str(tmp_path),
        checkpoints=str(tmp_path),
        metadata=tfx.orchestration.metadata.sqlite_metadata_connection_config(str(tmp_path / "m")),
    )
    deployment = pipeline_pb2.IntermediateDeploymentConfig()
    compiler.Compiler().compile(pipeline).deployment_config.Unpack(deployment)
    option = f"--libraries={libraries.libraries_fingerprint()}".encode()
    specs = {name: packed.value for name, packed in deployment.executor_specs.items()}
    assert set(specs) == {node.id for node in pipeline.components} >= set(NEVER_CACHED)
    assert [name for name, spec in specs.items() if option not in spec] == []
