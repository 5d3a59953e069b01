"""What must hold in a spec that open-source Kubeflow Pipelines is to run: one rule a function.

A rule yields a line for every place that breaks it: where, what was expected, what was found.
"""

import json
import posixpath
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from crowdflow.pipeline.kubeflow.spec import Spec, component, containers, tasks
from crowdflow.schema.errors import ConfigError

SCHEMA_VERSION = "2.1.0"
TRAINER = "Trainer"

# An absolute path in a text, alone or after a quote, a blank, an equals sign; `s3://b/k` and `and/or` are none.
_ABSOLUTE = re.compile(r"(?:^|(?<=[\s\"'=,;(\[]))(?:file:/+|~?/(?=[\w.]))[^\s\"',;)\]]*")
_RELATIVE = re.compile(r"\.\.?/\S*")


class Wanted(NamedTuple):
    """What a spec is checked against.

    Attributes:
      uncached: tasks that look at something outside.
      mounts: folders where every container has a volume.
      gpus: accelerators of the Trainer.
    """

    uncached: Collection[str] = ()
    mounts: Collection[str] = ()
    gpus: int = 0


def check_spec(spec: Spec, wanted: Wanted) -> None:
    """Checks a spec by every rule.

    Raises:
      ConfigError: a rule is broken; every broken place is listed.
    """
    broken = [line for rule in RULES for line in rule(spec, wanted)]
    if broken:
        lines = "\n  ".join(broken)
        raise ConfigError(f"The compiled spec would not run on Kubeflow Pipelines:\n  {lines}")


def schema_version(spec: Spec, wanted: Wanted) -> Iterator[str]:
    """The schema is 2.1.0, which bare YAML files have."""
    found = spec.get("schemaVersion")
    if found != SCHEMA_VERSION:
        yield f"schemaVersion: expected {SCHEMA_VERSION}. Received: {found!r}."


def only_containers(spec: Spec, wanted: Wanted) -> Iterator[str]:
    """No resolver: the open-source compiler refuses them; nor an importer, which no task of ours is."""
    for label, executor in spec["deploymentSpec"]["executors"].items():
        if set(executor) != {"container"}:
            yield f"{label}: expected a container. Received: {', '.join(executor) or 'nothing'}."


def no_lifecycle(spec: Spec, wanted: Wanted) -> Iterator[str]:
    """No hook: nothing would run it, and what it should find out would be missing."""
    for task, found in containers(spec):
        if "lifecycle" in found:
            yield f"{task}: expected no lifecycle hook, it never runs."


def image_is_fixed(spec: Spec, wanted: Wanted) -> Iterator[str]:
    """Every container's image has a tag or a digest."""
    for task, found in containers(spec):
        image = found.get("image", "")
        last = image.rpartition("/")[2]
        if not ("@sha256:" in last or re.search(r".:[\w][\w.\-]*$", last)):
            yield f"{task}: expected an image with a tag or digest. Received: {image!r}."


def inputs_are_bound(spec: Spec, wanted: Wanted) -> Iterator[str]:
    """Every declared input comes from an output of another task, a parameter of the pipeline or a constant."""
    root = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for task, entry in tasks(spec).items():
        declared, given = component(spec, task).get("inputDefinitions", {}), entry.get("inputs", {})
        for kind, is_bound in (("artifacts", _artifact_is_bound), ("parameters", _value_is_bound)):
            names, sources = declared.get(kind, {}), given.get(kind, {})
            for name in names:
                if not is_bound(spec, root, sources.get(name, {})):
                    yield f"{task}.{name}: expected a task's output, a parameter or a constant."
            for name in sources.keys() - names.keys():
                yield f"{task}.{name}: given, and not declared."


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


def parameters_have_defaults(spec: Spec, wanted: Wanted) -> Iterator[str]:
    """A run may leave every parameter out."""
    for name, entry in spec["root"].get("inputDefinitions", {}).get("parameters", {}).items():
        if "defaultValue" not in entry:
            yield f"parameter {name}: expected a default."


def resources_are_set(spec: Spec, wanted: Wanted) -> Iterator[str]:
    """Every container has limits of processor and memory."""
    for task, found in containers(spec):
        limits = found.get("resources", {})
        for name in ("cpuLimit", "memoryLimit"):
            if not limits.get(name, 0) > 0:
                yield f"{task}: expected {name} above 0. Received: {limits.get(name)!r}."


def trainer_has_its_gpus(spec: Spec, wanted: Wanted) -> Iterator[str]:
    """The Trainer has the accelerators that were asked for, and no other task has one."""
    for task, found in containers(spec):
        accelerator = found.get("resources", {}).get("accelerator", {})
        expected = wanted.gpus if task == TRAINER else 0
        if int(accelerator.get("count", 0)) != expected or (expected and not accelerator["type"]):
            yield f"{task}: expected {expected} accelerators. Received: {accelerator or 'none'}."


def outside_is_not_cached(spec: Spec, wanted: Wanted) -> Iterator[str]:
    """No caching options on a task that looks outside: Kubeflow's key does not see what it looks at."""
    for task in wanted.uncached:
        if "cachingOptions" in tasks(spec).get(task, {}):
            yield f"{task}: expected no cachingOptions, it reads what no cache key sees."


def no_local_path(spec: Spec, wanted: Wanted) -> Iterator[str]:
    """No path of the machine that compiled: only folders of volumes, and addresses of object stores."""
    for place, text in _texts(spec, ""):
        for path in [text] if _RELATIVE.fullmatch(text) else _ABSOLUTE.findall(text):
            if not _is_mounted(path, wanted.mounts):
                mounts = ", ".join(wanted.mounts) or "there is none"
                yield f"{place}: expected a path on a volume ({mounts}). Received: {path}"


def _is_mounted(path: str, mounts: Collection[str]) -> bool:
    clean = posixpath.normpath(path)
    return any(clean == mount or clean.startswith(f"{mount}/") for mount in mounts)


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every text in a nested value, with its place; JSON inside of a text is looked into."""
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
