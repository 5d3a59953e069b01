"""What a step has imported when its executor begins, in a process of its own, as the golden spec starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from crowdflow.pipeline.kubeflow.spec import component, container, tasks

# Runs the entry point as a container does, up to the executor, which tells what is loaded in its place.
BEGIN = """
import json, sys
from crowdflow.pipeline.kubeflow import entrypoint, light_imports
arguments = json.loads(sys.argv[1])
path = arguments[arguments.index("--executor_class_path") + 1]
executor = light_imports.import_executor(path)
executor.Do = lambda self, inputs, outputs, properties: print(json.dumps([*sys.modules, *outputs]))
sys.exit(entrypoint.main(arguments))
"""
EVERY_COMPONENT = ["tfx.components", "tfx.v1", "tfx.components.pusher.component", "kfp"]
EVALUATION, TRANSFORM = "tensorflow_model_analysis.metrics", "tensorflow_transform"
KERAS = ["keras.src.models", "tf_keras"]
NO_BEAM = ["apache_beam", "tensorflow_data_validation", TRANSFORM, EVALUATION, *KERAS]
STEPS = {
    "FlowSchema": NO_BEAM,
    "ValidationGate": NO_BEAM,
    "LastPushedModel": NO_BEAM,
    "FlowDrift": NO_BEAM,
    "Pusher": NO_BEAM,
    "FlowExampleGen": ["tensorflow_data_validation", TRANSFORM, EVALUATION, *KERAS],
    "WindowGen": ["tensorflow_data_validation", TRANSFORM, EVALUATION, *KERAS],
    "StatisticsGen": [TRANSFORM, EVALUATION, *KERAS],
    "ExampleValidator": [TRANSFORM, EVALUATION, *KERAS],
    "Transform": [EVALUATION, "keras.src.models"],
    "Trainer": [TRANSFORM, EVALUATION, *KERAS],
    "Evaluator": [TRANSFORM],
    "Refit": [EVALUATION],
}


def arguments_of(spec: dict, task: str, folder: Path) -> list[str]:
    """A step's command line, for inputs and outputs in a folder."""
    declared, values = component(spec, task), {}
    root = spec["root"]["inputDefinitions"]["parameters"]
    for name, source in tasks(spec)[task]["inputs"].get("parameters", {}).items():
        if "runtimeValue" in source:
            values[name] = source["runtimeValue"]["constant"]
        else:
            values[name] = root[source["componentInputParameter"]]["defaultValue"]

    def artifacts(side: str) -> dict:
        entries = declared.get(side, {}).get("artifacts", {})
        return {
            name: {"artifacts": [{"uri": str(folder / name), "type": spec["artifactType"]}]}
            for name, spec in entries.items()
        }

    given = {
        "inputs": {"artifacts": artifacts("inputDefinitions"), "parameterValues": values},
        "outputs": {
            "artifacts": artifacts("outputDefinitions"),
            "outputFile": str(folder / "kfp" / "output.json"),
        },
    }
    return [text.replace("{{$}}", json.dumps(given)) for text in container(spec, task)["args"]]


@pytest.mark.parametrize("task", STEPS)
def test_a_step_imports_what_its_node_needs(task, tmp_path):
    text = Path(__file__).with_name("golden.yaml").read_text(encoding="utf-8")
    spec = next(yaml.safe_load_all(text))
    # Transform asks for another Keras in the environment of every process that imports it, such as this one.
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, "-c", BEGIN, json.dumps(arguments_of(spec, task, tmp_path))],
        env={**environment, "TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"tensorflow", *component(spec, task)["outputDefinitions"]["artifacts"]} <= loaded
    assert loaded.isdisjoint([*EVERY_COMPONENT, *STEPS[task]])
