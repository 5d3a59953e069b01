"""Adds what TFX's compiler leaves out of a PipelineSpec for open-source Kubeflow Pipelines: pure functions.

A spec here is the nested dict in the YAML file, with the JSON names of the PipelineSpec message
(https://www.kubeflow.org/docs/components/pipelines, `pipeline_spec.proto`). No function changes its argument.
"""

import copy
import dataclasses
import json
import types
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from crowdflow.config import Resources

Spec = dict[str, Any]

# Options of the container's command. The first two are TFX's, the others those of `entrypoint.py`.
EXECUTOR_OPTION = "--executor_class_path"
INPUTS_OPTION = "--json_serialized_inputs_spec_args"
NODE_OPTION, OUTPUTS_OPTION = "--node", "--outputs"
LIBRARIES_OPTION = "--libraries"

# Task -> output -> type of what Kubeflow's pages show: numbers that runs are compared by, and a page.
METRICS, PAGE = "metrics", "page"
SHOWN = {"FlowReportGen": {METRICS: "system.Metrics", PAGE: "system.HTML"}}
BACKOFF = {"backoffDuration": "60s", "backoffFactor": 2.0, "backoffMaxDuration": "3600s"}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A parameter of the whole pipeline.

    Attributes:
      kind: `STRING` or `NUMBER_DOUBLE`.
      default: its value if a run gives none.
      readers: task -> the task's parameter that gets the value; an existing parameter is replaced.
      description: shown to users.
    """

    kind: str
    default: str | float
    readers: Mapping[str, str]
    description: str


def complete_spec(
    spec: Spec,
    *,
    parameters: Mapping[str, Parameter],
    resources: Mapping[str, Resources],
    uncached: Collection[str],
    libraries: Mapping[str, str],
    retries: int,
    variables: Mapping[str, str] = types.MappingProxyType({}),
) -> Spec:
    """A compiled spec with everything that open-source Kubeflow Pipelines needs.

    Args:
      spec: the output of TFX's KubeflowV2DagRunner.
      parameters: name -> parameter of the pipeline.
      resources: task -> its limits, for every task.
      uncached: tasks that read something that is not among their inputs.
      libraries: task -> fingerprint of its libraries, so that Kubeflow's cache sees an upgrade.
      retries: of every task.
      variables: environment variables of every container.

    Raises:
      KeyError: a named task is not in the spec, or a task has no limits.
    """
    spec = without_lifecycle(spec)
    spec = with_parameters(spec, parameters)
    spec = with_options(spec, libraries)
    spec = with_resources(spec, resources)
    spec = with_variables(spec, variables)
    spec = with_retries(spec, retries)
    spec = with_shown(spec)
    return without_caching(spec, uncached)


def tasks(spec: Spec) -> dict[str, Spec]:
    """Task -> its entry in the root DAG."""
    return spec["root"]["dag"]["tasks"]


def component(spec: Spec, task: str) -> Spec:
    """The component of a task: its inputs and outputs."""
    return spec["components"][tasks(spec)[task]["componentRef"]["name"]]


def container(spec: Spec, task: str) -> Spec:
    """The container of a task; `{}` if it has another kind of executor."""
    label = component(spec, task)["executorLabel"]
    return spec["deploymentSpec"]["executors"][label].get("container", {})


def containers(spec: Spec) -> Iterator[tuple[str, Spec]]:
    """Each task with its container."""
    for task in tasks(spec):
        yield task, container(spec, task)


def without_lifecycle(spec: Spec) -> Spec:
    """A spec without the hooks that Vertex AI runs before a cache look-up; open-source backends lack them."""
    spec = copy.deepcopy(spec)
    for _, found in containers(spec):
        found.pop("lifecycle", None)
    return spec


def with_parameters(spec: Spec, parameters: Mapping[str, Parameter]) -> Spec:
    """A spec with parameters of the pipeline, connected to the tasks that read them.

    TFX supports runtime parameters only for a node's whole parameters, and loses their defaults.
    """
    spec = copy.deepcopy(spec)
    root = spec["root"].setdefault("inputDefinitions", {}).setdefault("parameters", {})
    for name, parameter in parameters.items():
        root[name] = {
            "parameterType": parameter.kind,
            "defaultValue": parameter.default,
            "isOptional": True,
            "description": parameter.description,
        }
        for task, inside in parameter.readers.items():
            definitions = component(spec, task).setdefault("inputDefinitions", {})
            definitions.setdefault("parameters", {})[inside] = {"parameterType": parameter.kind}
            given = tasks(spec)[task].setdefault("inputs", {}).setdefault("parameters", {})
            given[inside] = {"componentInputParameter": name}
    for task, found in containers(spec):
        args = found["args"]
        definitions = component(spec, task).get("inputDefinitions", {})
        args[args.index(INPUTS_OPTION) + 1] = json.dumps(definitions, sort_keys=True)
    return spec


def with_options(spec: Spec, libraries: Mapping[str, str]) -> Spec:
    """A spec with the options of `entrypoint.py`: the task's name, its outputs, the libraries."""
    spec = copy.deepcopy(spec)
    for task, found in containers(spec):
        outputs = component(spec, task).get("outputDefinitions", {}).get("artifacts", {})
        options = [NODE_OPTION, task, OUTPUTS_OPTION, ",".join(sorted(outputs))]
        options += [LIBRARIES_OPTION, libraries[task]]
        place = found["args"].index(EXECUTOR_OPTION)
        found["args"][place:place] = options
    return spec


def with_resources(spec: Spec, resources: Mapping[str, Resources]) -> Spec:
    """A spec with limits of processor, memory and accelerators on every container."""
    spec = copy.deepcopy(spec)
    for task, found in containers(spec):
        limits = resources[task]
        found["resources"] = {"cpuLimit": limits.cpus, "memoryLimit": limits.memory_gb}
        if limits.gpus:
            accelerator = {"type": limits.gpu, "count": str(limits.gpus)}
            found["resources"]["accelerator"] = accelerator
    return spec


def with_variables(spec: Spec, variables: Mapping[str, str]) -> Spec:
    """A spec with variables in every container's environment."""
    spec = copy.deepcopy(spec)
    for _, found in containers(spec) if variables else ():
        found["env"] = [{"name": name, "value": value} for name, value in variables.items()]
    return spec


def with_retries(spec: Spec, retries: int) -> Spec:
    """A spec whose tasks are started again after a failure, such as an eviction."""
    spec = copy.deepcopy(spec)
    for entry in tasks(spec).values() if retries else ():
        entry["retryPolicy"] = {"maxRetryCount": retries, **BACKOFF}
    return spec


def with_shown(spec: Spec) -> Spec:
    """A spec with outputs that Kubeflow's pages show; TFX does not know of them."""
    spec = copy.deepcopy(spec)
    for task, outputs in SHOWN.items():
        declared = component(spec, task)["outputDefinitions"]["artifacts"]
        for name, title in outputs.items():
            declared[name] = {"artifactType": {"schemaTitle": title, "schemaVersion": "0.0.1"}}
    return spec


def without_caching(spec: Spec, uncached: Collection[str]) -> Spec:
    """A spec without caching options on some tasks, so that these always run."""
    spec = copy.deepcopy(spec)
    for task in uncached:
        tasks(spec)[task].pop("cachingOptions", None)
    return spec


def platform_spec(
    spec: Spec,
    mounts: Mapping[str, str],
    secrets: Mapping[str, tuple[str, str]],
    pods: Mapping[str, Mapping[str, Any]],
    deadline: int | None = None,
) -> Spec | None:
    """The second document of the YAML: what Kubernetes has to know of every pod; None if that is nothing.

    Args:
      spec: the completed spec.
      mounts: folder -> claim.
      secrets: variable -> secret and its key.
      pods: task -> fields of `kubernetes_executor_config.proto`, for every task.
      deadline: seconds until the whole run ends; None for no limit.
    """
    given: Spec = {}
    if mounts:
        claims = [{"constant": claim, "mountPath": folder} for folder, claim in mounts.items()]
        given["pvcMount"] = claims
    if secrets:
        given["secretAsEnv"] = [
            {"secretName": secret, "keyToEnv": [{"secretKey": key, "envVar": name}]}
            for name, (secret, key) in secrets.items()
        ]
    executors = {}
    for task in tasks(spec):
        fields = copy.deepcopy({**given, **pods[task]})
        if fields:
            executors[component(spec, task)["executorLabel"]] = fields
    found: Spec = {"deploymentSpec": {"executors": executors}} if executors else {}
    if deadline:
        found["pipelineConfig"] = {"activeDeadlineSeconds": deadline}
    return {"platforms": {"kubernetes": found}} if found else None
