"""The rules for a spec that open-source Kubeflow Pipelines can run, one function per rule.

A rule yields one line for every place that breaks it: the place, what was expected and what was received.
"""

import json
import posixpath
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from crowdflow.config.kubeflow_settings import TRAINERS
from crowdflow.pipeline.kubeflow.spec import Spec, component, containers, tasks
from crowdflow.schema.errors import ConfigError

SCHEMA_VERSION = "2.1.0"

# An absolute path in a text, alone or after a quote, a blank or an equals sign; not `s3://b/k` and `and/or`.
_ABSOLUTE = re.compile(r"(?:^|(?<=[\s\"'=,;(\[]))(?:file:/+|~?/(?=[\w.]))[^\s\"',;)\]]*")
_RELATIVE = re.compile(r"\.\.?/\S*")


class Expectations(NamedTuple):
    """What a spec is checked against.

    Attributes:
      uncached: tasks that read something that is not among their inputs.
      mounts: folders where every container has a volume.
      gpus: number of accelerators of each task that trains.
    """

    uncached: Collection[str] = ()
    mounts: Collection[str] = ()
    gpus: int = 0


def check_spec(spec: Spec, expected: Expectations) -> None:
    """Checks a spec against every rule.

    Raises:
      ConfigError: a rule is broken; lists every place.
    """
    broken = [line for rule in RULES for line in rule(spec, expected)]
    if broken:
        lines = "\n  ".join(broken)
        raise ConfigError(f"The compiled spec would not run on Kubeflow Pipelines:\n  {lines}")


def schema_version(spec: Spec, expected: Expectations) -> Iterator[str]:
    """The schema version is 2.1.0, that of plain YAML files."""
    found = spec.get("schemaVersion")
    if found != SCHEMA_VERSION:
        yield f"schemaVersion: expected {SCHEMA_VERSION}. Received: {found!r}."


def only_containers(spec: Spec, expected: Expectations) -> Iterator[str]:
    """Every executor is a container: the open-source compiler refuses resolvers; CrowdFlow has no importers."""
    for label, executor in spec["deploymentSpec"]["executors"].items():
        if set(executor) != {"container"}:
            yield f"{label}: expected a container. Received: {', '.join(executor) or 'nothing'}."


def no_lifecycle(spec: Spec, expected: Expectations) -> Iterator[str]:
    """There are no lifecycle hooks: the open-source backend never runs them."""
    for task, found in containers(spec):
        if "lifecycle" in found:
            yield f"{task}: expected no lifecycle hook. Received one, which would never run."


def image_is_fixed(spec: Spec, expected: Expectations) -> Iterator[str]:
    """Every container's image has a tag or a digest."""
    for task, found in containers(spec):
        image = found.get("image", "")
        last = image.rpartition("/")[2]
        if not ("@sha256:" in last or re.search(r".:[\w][\w.\-]*$", last)):
            yield f"{task}: expected an image with a tag or digest. Received: {image!r}."


def inputs_are_bound(spec: Spec, expected: Expectations) -> Iterator[str]:
    """Every declared input is another task's output, a parameter of the pipeline or a constant."""
    root = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for task, entry in tasks(spec).items():
        declared, given = component(spec, task).get("inputDefinitions", {}), entry.get("inputs", {})
        for kind, is_bound in (("artifacts", _artifact_is_bound), ("parameters", _value_is_bound)):
            names, sources = declared.get(kind, {}), given.get(kind, {})
            for name in names:
                if not is_bound(spec, root, sources.get(name, {})):
                    yield f"{task}.{name}: expected a task's output, a parameter or a constant."
            for name in sources.keys() - names.keys():
                yield f"{task}.{name}: given, but not declared."


def _artifact_is_bound(spec: Spec, root: Spec, source: Spec) -> bool:
    output = source.get("taskOutputArtifact", {})
    producer = output.get("producerTask")
    if producer not in tasks(spec):
        return False
    made = component(spec, producer).get("outputDefinitions", {}).get("artifacts", {})
    return output.get("outputArtifactKey") in made


def _value_is_bound(spec: Spec, root: Spec, source: Spec) -> bool:
    if "constant" in source.get("runtimeValue", {}):
        return True
    return source.get("componentInputParameter") in root


def parameters_have_defaults(spec: Spec, expected: Expectations) -> Iterator[str]:
    """Every parameter has a default, so that a run may omit it."""
    for name, entry in spec["root"].get("inputDefinitions", {}).get("parameters", {}).items():
        if "defaultValue" not in entry:
            yield f"parameter {name}: expected a default."


def resources_are_set(spec: Spec, expected: Expectations) -> Iterator[str]:
    """Every container has limits of processor and memory."""
    for task, found in containers(spec):
        limits = found.get("resources", {})
        for name in ("cpuLimit", "memoryLimit"):
            if not limits.get(name, 0) > 0:
                yield f"{task}: expected {name} above 0. Received: {limits.get(name)!r}."


def trainer_has_its_gpus(spec: Spec, expected: Expectations) -> Iterator[str]:
    """The tasks that train have the requested accelerators, and no other task has any."""
    for task, found in containers(spec):
        accelerator = found.get("resources", {}).get("accelerator", {})
        gpus = expected.gpus if task in TRAINERS else 0
        if int(accelerator.get("count", 0)) != gpus or (gpus and not accelerator["type"]):
            yield f"{task}: expected {gpus} accelerators. Received: {accelerator or 'none'}."


def outside_is_not_cached(spec: Spec, expected: Expectations) -> Iterator[str]:
    """Tasks that read something outside their inputs are not cached: Kubeflow's cache key does not cover it."""
    for task in expected.uncached:
        if "cachingOptions" in tasks(spec).get(task, {}):
            yield f"{task}: expected no cachingOptions, as it reads what the cache key does not cover."


def no_local_path(spec: Spec, expected: Expectations) -> Iterator[str]:
    """All paths are on volumes or in object stores, none on the machine that compiled the spec."""
    for place, text in _texts(spec, ""):
        for path in [text] if _RELATIVE.fullmatch(text) else _ABSOLUTE.findall(text):
            if not _is_mounted(path, expected.mounts):
                mounts = ", ".join(expected.mounts) or "none is set"
                yield f"{place}: expected a path on a volume ({mounts}). Received: {path}"


def _is_mounted(path: str, mounts: Collection[str]) -> bool:
    clean = posixpath.normpath(path)
    return any(clean == mount or clean.startswith(f"{mount}/") for mount in mounts)


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every text in a nested value, with its place; a text that is JSON is parsed and searched as well."""
    if isinstance(value, dict):
        for name, inside in value.items():
            yield from _texts(inside, f"{place}.{name}".lstrip("."))
    elif isinstance(value, list):
        for number, inside in enumerate(value):
            yield from _texts(inside, f"{place}[{number}]")
    elif isinstance(value, str):
        inside = _parsed(value)
        if isinstance(inside, (dict, list)):
            yield from _texts(inside, place)
        else:
            yield place, value


def _parsed(text: str) -> Any:
    if text[:1] not in "{[":
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


RULES = (
    schema_version,
    only_containers,
    no_lifecycle,
    image_is_fixed,
    inputs_are_bound,
    parameters_have_defaults,
    resources_are_set,
    trainer_has_its_gpus,
    outside_is_not_cached,
    no_local_path,
)
