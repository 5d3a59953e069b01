"""Converts Kubeflow's ExecutorInput, a nested dict, to what TFX can use: pure functions.

The launcher downloads a step's input artifacts before it and uploads its outputs after it, under `/gcs`, `/s3` and
`/minio`. TensorFlow cannot read `s3://` and `minio://`, so a step works on these folders.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

# Scheme -> the launcher's folder, under the root of the container.
FOLDERS = {"gs": "gcs", "s3": "s3", "minio": "minio"}
ROOT_VARIABLE = "CROWDFLOW_MOUNT_ROOT"
_URI = re.compile(rf"({'|'.join(FOLDERS)})://(.*)", re.DOTALL)


def mount_root(environment: Mapping[str, str] = os.environ) -> str:
    """The parent of the launcher's folders: `/`, or the value of `CROWDFLOW_MOUNT_ROOT`."""
    return environment.get(ROOT_VARIABLE) or "/"


def to_local(uri: str, root: str) -> str:
    """The local folder of an address in an object store; any other text is returned unchanged."""
    match = _URI.fullmatch(uri)
    return os.path.join(root, FOLDERS[match[1]], match[2]) if match else uri


def to_remote(path: str, root: str) -> str:
    """The inverse of `to_local`."""
    for scheme, folder in FOLDERS.items():
        prefix = os.path.join(root, folder, "")
        if path.startswith(prefix):
            return f"{scheme}://{path[len(prefix) :]}"
    return path


def localize(executor_input: dict[str, Any], root: str) -> dict[str, Any]:
    """An ExecutorInput whose artifacts are at local folders. Its other parts are shared with the argument."""
    out = dict(executor_input)
    for side in ("inputs", "outputs"):
        if "artifacts" in out.get(side, {}):
            artifacts = {
                name: {
                    **entry,
                    "artifacts": [
                        {**one, "uri": to_local(one.get("uri", ""), root)}
                        for one in entry.get("artifacts", [])
                    ],
                }
                for name, entry in out[side]["artifacts"].items()
            }
            out[side] = {**out[side], "artifacts": artifacts}
    return out


def globalize(value: Any, root: str) -> Any:
    """The inverse of `localize` for an ExecutorOutput or a part of it, including the paths in properties."""
    if isinstance(value, dict):
        return {name: globalize(inside, root) for name, inside in value.items()}
    if isinstance(value, list):
        return [globalize(inside, root) for inside in value]
    return to_remote(value, root) if isinstance(value, str) else value


def with_types(executor_input: dict[str, Any], declared: dict[str, Any]) -> dict[str, Any]:
    """An ExecutorInput whose input artifacts have the types that the node declares.

    Kubeflow's driver passes them on with an empty schema, from which TFX cannot make an artifact.

    Args:
      executor_input: as the step received it.
      declared: the node's ComponentInputsSpec.
    """
    given, types = executor_input.get("inputs", {}), declared.get("artifacts", {})
    artifacts = {
        name: {
            **entry,
            "artifacts": [
                {**one, "type": types[name]["artifactType"]} for one in entry.get("artifacts", [])
            ],
        }
        for name, entry in given.get("artifacts", {}).items()
    }
    return {**executor_input, "inputs": {**given, "artifacts": artifacts}}


def keep_declared(executor_input: dict[str, Any], outputs: list[str]) -> dict[str, Any]:
    """An ExecutorInput without output artifacts that its node does not declare.

    Kubeflow's driver adds `executor-logs` of type `system.Artifact`, which TFX takes for a class name and fails to
    import.
    """
    given = executor_input.get("outputs", {})
    kept = {name: entry for name, entry in given.get("artifacts", {}).items() if name in outputs}
    return {**executor_input, "outputs": {**given, "artifacts": kept}}
