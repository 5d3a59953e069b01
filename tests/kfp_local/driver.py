"""The driver: a step's ExecutorInput, and the key under which a cache knows it."""

import hashlib
import json
import posixpath
from typing import Any

from kfp_local.documents import Task
from kfp_local.store import Metadata

LOGS = "executor-logs"


def executor_input(
    task: Task,
    values: dict[str, Any],
    outputs: dict[str, dict[str, int]],
    metadata: Metadata,
    root: str,
    salt: str,
    output_file: str,
) -> dict[str, Any]:
    """What the step gets.

    Args:
      task: to be run.
      values: of the run's parameters.
      outputs: finished task -> output -> artifact's number.
      metadata: where the artifacts are.
      root: of this run's artifacts, an address in the object store.
      salt: keeps a second attempt's outputs apart.
      output_file: where the step leaves its ExecutorOutput.
    """
    given = task.entry.get("inputs", {})
    artifacts = {}
    for name, source in given.get("artifacts", {}).items():
        output = source["taskOutputArtifact"]
        number = outputs[output["producerTask"]][output["outputArtifactKey"]]
        artifacts[name] = {"artifacts": [metadata.runtime_artifact(number)]}
    parameters = {}
    for name, source in given.get("parameters", {}).items():
        if "componentInputParameter" in source:
            parameters[name] = values[source["componentInputParameter"]]
        else:
            parameters[name] = source["runtimeValue"]["constant"]
    declared = dict(task.component.get("outputDefinitions", {}).get("artifacts", {}))
    declared[LOGS] = {"artifactType": {"schemaTitle": "system.Artifact"}}
    made = {
        name: {
            "artifacts": [
                {
                    "uri": posixpath.join(root, task.name, salt, name),
                    "type": spec["artifactType"],
                    "metadata": spec.get("metadata", {}),
                }
            ]
        }
        for name, spec in declared.items()
    }
    return {
        "inputs": {"artifacts": artifacts, "parameterValues": parameters},
        "outputs": {"artifacts": made, "outputFile": output_file},
    }


def fingerprint(task: Task, given: dict[str, Any]) -> str:
    """Kubeflow's cache key: names of input artifacts, parameters, outputs without places, container."""
    inputs, outputs = given["inputs"], given["outputs"]["artifacts"]
    key = {
        "inputArtifactNames": {
            name: [one["name"] for one in entry["artifacts"]]
            for name, entry in inputs["artifacts"].items()
        },
        "inputParameterValues": inputs["parameterValues"],
        "outputArtifactsSpec": {
            name: {k: v for k, v in entry["artifacts"][0].items() if k != "uri"}
            for name, entry in outputs.items()
        },
        "containerSpec": {
            "image": task.container["image"],
            "cmdArgs": [*task.container["command"], *task.container["args"]],
            "pvcNames": [claim["constant"] for claim in task.claims],
        },
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
