"""The YAML: the spec, the platform's part, and what a run makes of its parameters."""

import dataclasses
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

_KINDS = {
    "STRING": str,
    "NUMBER_DOUBLE": (int, float),
    "NUMBER_INTEGER": int,
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
}


@dataclasses.dataclass(frozen=True)
class Task:
    """A task of the root DAG with all that belongs to it.

    Attributes:
      name: of the task.
      entry: its place in the DAG.
      component: inputs and outputs.
      container: image, command, args and resources.
      claims: the volume claims that it mounts.
    """

    name: str
    entry: dict[str, Any]
    component: dict[str, Any]
    container: dict[str, Any]
    claims: list[dict[str, Any]]

    @property
    def retries(self) -> int:
        """How often its pod is started again; the driver, and so the addresses of its outputs, are not."""
        return self.entry.get("retryPolicy", {}).get("maxRetryCount", 0)

    @property
    def is_cached(self) -> bool:
        return self.entry.get("cachingOptions", {}).get("enableCache", False)


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """A pipeline that can run.

    Attributes:
      name: of the pipeline.
      parameters: name -> ParameterSpec.
      tasks: in an order in which they can run.
    """

    name: str
    parameters: dict[str, Any]
    tasks: list[Task]

    def values(self, given: dict[str, Any]) -> dict[str, Any]:
        """The values of a run's parameters, defaults where none is given; ValueError as the backend refuses."""
        unknown = given.keys() - self.parameters.keys()
        if unknown:
            raise ValueError(f"parameters that are not in the spec: {sorted(unknown)}")
        values = {}
        for name, spec in self.parameters.items():
            if name not in given and "defaultValue" not in spec:
                raise ValueError(f"parameter {name} is required")
            values[name] = given.get(name, spec.get("defaultValue"))
            if not isinstance(values[name], _KINDS[spec["parameterType"]]):
                raise ValueError(
                    f"parameter {name} is no {spec['parameterType']}: {values[name]!r}"
                )
        return values


def load(path: Path) -> Pipeline:
    """Reads a compiled YAML; ValueError where the open-source backend would refuse it."""
    spec, *others = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    if spec["schemaVersion"] != "2.1.0":
        raise ValueError(f"schema version {spec['schemaVersion']}")
    platform = others[0]["platforms"]["kubernetes"] if others else {}
    executors = platform.get("deploymentSpec", {}).get("executors", {})
    entries = spec["root"]["dag"]["tasks"]
    before = {name: set(entry.get("dependentTasks", [])) for name, entry in entries.items()}
    for name, entry in entries.items():
        for source in entry.get("inputs", {}).get("artifacts", {}).values():
            before[name].add(source["taskOutputArtifact"]["producerTask"])
    tasks = []
    for name in TopologicalSorter(before).static_order():
        component = spec["components"][entries[name]["componentRef"]["name"]]
        label = component["executorLabel"]
        [(kind, container)] = spec["deploymentSpec"]["executors"][label].items()
        if kind != "container" or "lifecycle" in container:
            raise ValueError(f"{name}: {kind} executors and lifecycle hooks are not implemented")
        claims = executors.get(label, {}).get("pvcMount", [])
        tasks.append(Task(name, entries[name], component, container, claims))
    parameters = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    return Pipeline(spec["pipelineInfo"]["name"], parameters, tasks)
