"""The libraries of each node: which they are, and that a node's cache key changes with them and no others."""

import importlib.metadata
import re

import pytest
from tfx.dsl.compiler import compiler
from tfx.orchestration import metadata
from tfx.proto.orchestration import pipeline_pb2

from crowdflow.config import presets
from crowdflow.pipeline import libraries
from crowdflow.pipeline.pipeline import NEVER_CACHED, create_pipeline

VALIDATOR = "tfx.components.example_validator.executor"


@pytest.fixture
def upgraded(tmp_path, monkeypatch):
    """Gives an installed library another version, for this test alone."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def upgrade(name, version="99"):
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        assert importlib.metadata.version(name) == version

    return upgrade


@pytest.fixture
def keys(tmp_path):
    """Node -> the part of its executor spec that names the libraries, in a pipeline compiled now."""
    config = presets.load("tiny-city").replace({"evaluation.infra_validator": "docker"})

    def compiled():
        pipeline = create_pipeline(
            name="p",
            root=str(tmp_path),
            config=config,
            data=[str(tmp_path)],
            serving_folder=str(tmp_path),
            checkpoints=str(tmp_path),
            metadata=metadata.sqlite_metadata_connection_config(str(tmp_path / "m")),
        )
        deployment = pipeline_pb2.IntermediateDeploymentConfig()
        compiler.Compiler().compile(pipeline).deployment_config.Unpack(deployment)
        specs = deployment.executor_specs
        assert set(specs) == {node.id for node in pipeline.components} >= set(NEVER_CACHED)
        found = {
            name: re.findall(rb"--libraries=[0-9a-f]{16}", s.value) for name, s in specs.items()
        }
        return {name: key for name, [key] in found.items()}

    return compiled


def test_a_library_that_a_module_imports_counts_and_what_it_is_built_on():
    found = libraries.libraries(VALIDATOR)
    for name in ("tfx", "tensorflow-data-validation", "tfx-bsl", "pyarrow", "numpy"):
        assert found[name] == importlib.metadata.version(name)
    assert not {"pytest", "h5py", "keras", "matplotlib", "kfp"} & set(found)


def test_a_module_of_ours_counts_with_those_that_it_needs():
    found = libraries.libraries("crowdflow.trainer.run_fn")
    assert {"keras", "tensorflow", "tensorflow-transform", "holidays", "numpy"} <= set(found)
    both = libraries.libraries("crowdflow.trainer.run_fn", VALIDATOR)
    assert both == {**found, **libraries.libraries(VALIDATOR)}


def test_of_a_namespace_that_many_share_only_the_owner_counts():
    found = libraries.libraries("crowdflow.components.flow_drift.executor")
    assert "protobuf" in found and not [name for name in found if name.startswith("google")]


@pytest.mark.parametrize(
    "name", ["crowdflow.nothing", "tfx.components.nothing", "no_such_library.x"]
)
def test_a_name_that_is_no_module_is_refused(name):
    with pytest.raises(ModuleNotFoundError, match=name):
        libraries.libraries(name)


@pytest.mark.parametrize("name", libraries.BUILT_ON)
def test_what_a_library_is_built_on_is_what_it_requires(name):
    lines = importlib.metadata.requires(name)
    required = {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in lines}
    assert set(libraries.BUILT_ON[name]) <= required


# Of each library, every node whose own result depends on it. The nodes after them run again by their inputs.
USERS = {
    "h5py": {"FlowExampleGen"},
    "holidays": {"Transform", "Trainer", "Refit"},
    "jinja2": {"FlowReportGen"},
    "keras": {"Trainer", "Refit"},
    "tensorflow-model-analysis": {"Evaluator", "FlowReportGen", "Pusher"},
    "click": set(),
    "kfp": set(),
}


@pytest.mark.parametrize("library", USERS)
def test_another_version_changes_the_keys_of_the_nodes_that_depend_on_it_and_no_other(
    library, keys, upgraded
):
    before = keys()
    assert keys() == before
    upgraded(library)
    after = keys()
    assert {name for name in before if before[name] != after[name]} == USERS[library]


def test_another_version_of_tfx_changes_every_key(keys, upgraded):
    before = keys()
    upgraded("tfx")
    upgraded("ml-pipelines-sdk")  # the part of TFX that defines nodes, of the same version
    after = keys()
    assert [name for name in before if before[name] == after[name]] == []


def test_python_is_in_every_key(monkeypatch):
    before = libraries.libraries_fingerprint({"numpy": "2"})
    assert libraries.libraries_fingerprint({"numpy": "3"}) != before
    monkeypatch.setattr(libraries.sys, "version_info", (3, 99, 0))
    assert libraries.libraries_fingerprint({"numpy": "2"}) != before
