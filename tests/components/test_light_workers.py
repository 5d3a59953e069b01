"""What Beam's workers import to run FlowExampleGen's and WindowGen's stages, in real processes of their own."""

import sys
from pathlib import Path

import pytest
from tfx.types import artifact_utils, standard_artifacts

from crowdflow.components.artifacts import FlowCounters
from crowdflow.components.flow_example_gen import executor as flow_executor
from crowdflow.components.window_gen import executor as window_executor
from crowdflow.config import presets
from crowdflow.config.beam_runner import with_runner
from crowdflow.simulation.city import CitySpec, simulate
from crowdflow.simulation.files import write_city

PROCESS = ["--direct_running_mode=multi_processing", "--direct_num_workers=1"]
HEAVY = {"tfx", "tensorflow", "tensorflow_model_analysis", "tensorflow_transform", "keras"}
HEAVY |= {"tensorflow_data_validation", "kfp", "matplotlib"}
# Python runs this in every process: when it ends, it writes down what it has imported.
AT_THE_END = """
import atexit, os, pathlib, sys

def tell():
    if any("sdk_worker_main" in argument for argument in sys.orig_argv):
        pathlib.Path(os.environ["LOADED"], str(os.getpid())).write_text(" ".join(sys.modules))

atexit.register(tell)
"""


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """The modules that each worker had imported when it ended, once there are any."""
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(AT_THE_END)
    (tmp_path / "loaded").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "python"))
    monkeypatch.setenv("LOADED", str(tmp_path / "loaded"))

    def found() -> list[set[str]]:
        files = [*Path(tmp_path, "loaded").iterdir()]
        workers = [set(file.read_text().split()) for file in files]
        for file in files:
            file.unlink()
        return workers

    return found


def artifact(kind: type, folder: Path) -> list:
    made = kind()
    made.uri = str(folder)
    return [made]


def execute(executor: type, inputs: dict, outputs: dict, properties: dict) -> None:
    context = executor.Context(beam_pipeline_args=with_runner(PROCESS))
    executor(context).Do(inputs, outputs, properties)


def test_workers_import_neither_tfx_nor_tensorflow(tmp_path, loaded):
    data = tmp_path / "data"
    data.mkdir()
    drawn = simulate(CitySpec(rows=3, cols=3, days=28))
    for name in ("trips", "weather", "holidays"):
        write_city(drawn, data, [name])
    grid = {n: getattr(drawn.spec, n) for n in ("rows", "cols", "south", "west", "north", "east")}
    changes = {f"grid.{name}": value for name, value in grid.items()} | {"split.test_days": 3}
    config = presets.load("tiny-city").replace(changes)
    frames = artifact(standard_artifacts.Examples, tmp_path / "frames")
    execute(
        flow_executor.Executor,
        {},
        {"examples": frames, "counters": artifact(FlowCounters, tmp_path / "counted")},
        {
            "paths": f'["{data}"]',
            "config": config.section("grid", "intervals", "ingest", "trips"),
        },
    )
    ingest = loaded()
    windows = artifact(standard_artifacts.Examples, tmp_path / "windows")
    execute(
        window_executor.Executor,
        {"examples": frames},
        {"windows": windows, "counters": artifact(FlowCounters, tmp_path / "planned")},
        {
            "config": config.section("grid", "intervals", "ingest", "windows", "split"),
            "holidays": "[]",
        },
    )
    for workers, ran in (
        (ingest, "crowdflow.components.flow_example_gen.transform"),
        (loaded(), "crowdflow.components.window_gen.transform"),
    ):
        assert workers and any(ran in modules for modules in workers)
        assert [modules & HEAVY for modules in workers] == [set()] * len(workers)
    for split in ("train", "eval", "test", "scaling"):
        assert any(Path(artifact_utils.get_split_uri(windows, split)).iterdir())
    assert "tensorflow" in sys.modules  # of this process, which started the workers
