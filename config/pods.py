"""Where and as whom the steps' pods run: the fields of Kubeflow's Kubernetes platform, by step, checked.

A text is `NODE.FIELD=VALUE`: the step or `all`, a field of `KubernetesExecutorConfig` by its JSON name
(https://github.com/kubeflow/pipelines, kubernetes_executor_config.proto of 2.17), and its value in YAML.
"""

import posixpath
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import yaml

from crowdflow.config.checks import require

SETTING, ALL = "kubeflow.pods", "all"
_TEXT = re.compile(r"(?P<node>all|[A-Z]\w+)\.(?P<field>\w+)=(?P<value>.*)", re.DOTALL)
_QUANTITY = re.compile(r"\d+(\.\d+)?([EPTGM]i?|[kK]i|k)?")
_MOST_WEIGHT = 100
_VOLUMES = ("emptyDirMounts", "genericEphemeralVolume")


class _Leaf:
    """A value without parts: what it must be, in words, and whether one is."""

    def __init__(self, words: str, ok: Callable[[Any], bool]):
        self.words, self.ok = words, ok


def _whole(least: int, most: int) -> _Leaf:
    words = f"a whole number of {least} to {most}"
    return _Leaf(words, lambda v: type(v) is int and least <= v <= most)


def _one_of(*names: str) -> _Leaf:
    return _Leaf(f"one of {', '.join(names)}", lambda v: v in names)


_NAME = _Leaf("a text", lambda v: isinstance(v, str) and bool(v))
_FLAG = _Leaf("true or false", lambda v: isinstance(v, bool))
_SIZE = _Leaf("a size such as 8Gi", lambda v: isinstance(v, str) and bool(_QUANTITY.fullmatch(v)))
_FOLDER = _Leaf(
    "an absolute path", lambda v: isinstance(v, str) and v == posixpath.normpath(v) and v[0] == "/"
)
_USER, _SECONDS = _whole(0, 2**31 - 1), _whole(1, 2**31 - 1)
_LABELS = _Leaf(
    "a mapping of texts; quote a number or a true",
    lambda v: isinstance(v, dict) and all(isinstance(t, str) for pair in v.items() for t in pair),
)
_TEXTS = _Leaf(
    "a list of texts", lambda v: isinstance(v, list) and all(isinstance(t, str) for t in v)
)
_RULES = [
    {
        "key!": _NAME,
        "operator!": _one_of("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
        "values": _TEXTS,
    }
]
_WEIGHT = _whole(1, _MOST_WEIGHT)

# Field -> its shape: a leaf, a mapping of parts (`!`: must be there), or a list of what the only entry says.
FIELDS: Mapping[str, Any] = {
    "nodeSelector": {"labels!": _LABELS},
    "tolerations": [
        {
            "key": _NAME,
            "operator": _one_of("Exists", "Equal"),
            "value": _Leaf("a text", lambda v: isinstance(v, str)),
            "effect": _one_of("NoSchedule", "PreferNoSchedule", "NoExecute"),
            "tolerationSeconds": _whole(0, 2**31 - 1),
        }
    ],
    "nodeAffinity": [{"matchExpressions": _RULES, "matchFields": _RULES, "weight": _WEIGHT}],
    "podAffinity": [
        {
            "matchPodExpressions": _RULES,
            "matchPodLabels": _LABELS,
            "topologyKey!": _NAME,
            "namespaces": _TEXTS,
            "matchNamespaceExpressions": _RULES,
            "matchNamespaceLabels": _LABELS,
            "weight": _WEIGHT,
            "anti": _FLAG,
        }
    ],
    "imagePullSecret": [{"secretName!": _NAME}],
    "imagePullPolicy": _one_of("Always", "IfNotPresent", "Never"),
    "podMetadata": {"labels": _LABELS, "annotations": _LABELS},
    "activeDeadlineSeconds": _SECONDS,
    "enabledSharedMemory": {"volumeName!": _NAME, "size": _SIZE},
    "emptyDirMounts": [
        {
            "volumeName!": _NAME,
            "mountPath!": _FOLDER,
            "medium": _one_of("Memory"),
            "sizeLimit": _SIZE,
        }
    ],
    "genericEphemeralVolume": [
        {
            "volumeName!": _NAME,
            "mountPath!": _FOLDER,
            "accessModes!": _TEXTS,
            "size!": _SIZE,
            "storageClassName": _NAME,
            "defaultStorageClass": _FLAG,
        }
    ],
    "configMapAsEnv": [
        {
            "configMapName!": _NAME,
            "keyToEnv!": [{"configMapKey!": _NAME, "envVar!": _NAME}],
            "optional": _FLAG,
        }
    ],
    "securityContext": {"runAsUser": _USER, "runAsGroup": _USER, "runAsNonRoot": _FLAG},
}


def read(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The checked fields by step; `all` has those of every step.

    Raises:
      ConfigError: a text is not `NODE.FIELD=VALUE`, a field is unknown or comes twice for a step, or its value has
        another shape or cannot be meant.
    """
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        match = _TEXT.fullmatch(text)
        if match is None:
            expected = "NODE.FIELD=VALUE, such as Trainer.nodeSelector={labels: {pool: gpu}}"
            require(False, SETTING, expected, text)
        node, field = match["node"], match["field"]
        place = f"{SETTING}: {node}.{field}"
        require(field in FIELDS, SETTING, f"a field of {', '.join(FIELDS)}", field)
        require(field not in found.get(node, {}), place, "once", "twice")
        try:
            value = yaml.safe_load(match["value"])
        except yaml.YAMLError:
            require(False, place, "a value in YAML", match["value"])
        _check(FIELDS[field], value, place)
        _check_meaning(field, value, place)
        found.setdefault(node, {})[field] = value
    return found


def of_node(fields: Mapping[str, Mapping[str, Any]], node: str) -> dict[str, Any]:
    """A step's fields: those of `all` with its own; lists are joined, mappings merged, other values replaced."""
    return _merge(fields.get(ALL, {}), fields.get(node, {}))


def check_folders(
    fields: Mapping[str, Mapping[str, Any]], nodes: Collection[str], mounts: Collection[str]
) -> None:
    """Checks that steps exist and that no folder of a pod has two volumes.

    Raises:
      ConfigError: one does not.
    """
    unknown = fields.keys() - {ALL, *nodes}
    require(
        not unknown, SETTING, f"all or a node of {', '.join(nodes)}", ", ".join(sorted(unknown))
    )
    for node in nodes:
        own = of_node(fields, node)
        volumes = [volume for name in _VOLUMES for volume in own.get(name, ())]
        for part, known in (("mountPath", mounts), ("volumeName", ())):
            values = [*known, *(volume[part] for volume in volumes)]
            if part == "volumeName" and "enabledSharedMemory" in own:
                values.append(own["enabledSharedMemory"][part])
            twice = sorted({value for value in values if values.count(value) > 1})
            require(not twice, f"{SETTING}: {node}", f"each {part} once", ", ".join(twice))


def folders(fields: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Where volumes of the pods alone are mounted."""
    return [
        volume["mountPath"]
        for own in fields.values()
        for name in _VOLUMES
        for volume in own.get(name, ())
    ]


def _merge(first: Any, second: Any) -> Any:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        both = {name: _merge(first[name], second[name]) for name in first.keys() & second.keys()}
        return {**first, **second, **both}
    if isinstance(first, list) and isinstance(second, list):
        return [*first, *second]
    return second


def _check(shape: Any, value: Any, place: str) -> None:
    if isinstance(shape, _Leaf):
        require(shape.ok(value), place, shape.words, value)
    elif isinstance(shape, list):
        require(isinstance(value, list) and value, place, "a list, such as [{...}]", value)
        for number, part in enumerate(value):
            _check(shape[0], part, f"{place}[{number}]")
    else:
        parts = {name.rstrip("!"): part for name, part in shape.items()}
        ok = isinstance(value, dict) and value
        require(ok, place, f"a mapping of {', '.join(parts)}", value)
        for name in value:
            require(name in parts, place, f"parts {', '.join(parts)}", name)
            _check(parts[name], value[name], f"{place}.{name}")
        missing = [name[:-1] for name in shape if name[-1] == "!" and name[:-1] not in value]
        require(not missing, place, f"{' and '.join(missing)} as well", value)


def _check_meaning(field: str, value: Any, place: str) -> None:
    """What Kubernetes would refuse when the pod starts, hours later."""
    if field == "tolerations":
        for one in value:
            ok = one.get("operator") != "Exists" or not one.get("value")
            require(ok, place, "no value with the operator Exists", one)
            ok = "key" in one or one.get("operator") == "Exists"
            require(ok, place, "a key, or the operator Exists for every taint", one)
            ok = "tolerationSeconds" not in one or one.get("effect") == "NoExecute"
            require(ok, place, "tolerationSeconds with the effect NoExecute only", one)
    if field == "securityContext" and value.get("runAsNonRoot"):
        require(value.get("runAsUser") != 0, place, "a runAsUser above 0 with runAsNonRoot", value)
    if field == "genericEphemeralVolume":
        for one in value:
            ok = one.get("storageClassName") or one.get("defaultStorageClass")
            require(ok, place, "storageClassName, or defaultStorageClass: true", one)
