"""The object store, a folder, and the metadata store, a JSON file."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

SCHEMES = {"gs": "gcs", "s3": "s3", "minio": "minio"}
_URI = re.compile(r"(gs|s3|minio)://(.+)")


class ObjectStore:
    """Buckets below a folder; steps reach them through the launcher's copies alone."""

    def __init__(self, folder: Path):
        self._folder = folder

    def path(self, uri: str) -> Path:
        """Where the store keeps what is at an address."""
        return local_path(uri, self._folder)

    def download(self, uri: str, root: Path) -> None:
        """Copies what is there below a container's root: nothing where no object has this prefix."""
        _copy(self.path(uri), local_path(uri, root))

    def upload(self, uri: str, root: Path) -> None:
        """Copies what a container left; ValueError where it left nothing, as newer launchers have it."""
        if not local_path(uri, root).exists():
            raise ValueError(f"an output that the step did not leave: {uri}")
        _copy(local_path(uri, root), self.path(uri))


def local_path(uri: str, root: Path) -> Path:
    """The launcher's folder of an address; ValueError for a scheme that it does not know."""
    match = _URI.fullmatch(uri)
    if not match:
        raise ValueError(f"unsupported storage scheme: {uri}")
    return root / SCHEMES[match[1]] / match[2]


def _copy(source: Path, target: Path) -> None:
    """Copies the files; an object store has no empty folders."""
    for path in [source, *source.rglob("*")]:
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


class Metadata:
    """Artifacts by number and executions in order, as ML Metadata keeps them for Kubeflow."""

    def __init__(self, path: Path):
        self._path = path
        empty: dict[str, Any] = {"artifacts": {}, "executions": []}
        self._content = json.loads(path.read_text()) if path.exists() else empty

    def put_artifact(self, name: str, runtime: dict[str, Any], root: str) -> int:
        """Records an output; its properties become what MLMD can hold."""
        properties = {k: _mlmd_value(v) for k, v in runtime.get("metadata", {}).items()}
        properties.setdefault("display_name", name)
        session = {"Provider": root.split(":")[0], "Params": {"fromEnv": "true"}}
        properties.setdefault("store_session_info", json.dumps(session))
        number = len(self._content["artifacts"]) + 1
        self._content["artifacts"][str(number)] = {"uri": runtime["uri"], "metadata": properties}
        return number

    def runtime_artifact(self, number: int) -> dict[str, Any]:
        """An artifact as an input: a number for a name, and a schema that the driver does not know."""
        stored = self._content["artifacts"][str(number)]
        return {
            "name": str(number),
            "type": {"instanceSchema": ""},
            "uri": stored["uri"],
            "metadata": stored["metadata"],
        }

    def put_execution(self, execution: dict[str, Any]) -> None:
        """Records a finished step, and writes everything down: whole, or not at all."""
        self._content["executions"].append(execution)
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(self._content, indent=1))
        os.replace(partial, self._path)

    def finished(self, **wanted: Any) -> dict[str, Any] | None:
        """The newest finished execution with these values, or None."""
        for execution in reversed(self._content["executions"]):
            if all(execution[name] == value for name, value in wanted.items()):
                return execution
        return None


def _mlmd_value(value: Any) -> Any:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, list):
        return {"list": value}
    if isinstance(value, dict):
        return {"struct": value}
    if isinstance(value, str):
        return value
    raise ValueError(f"a property that MLMD cannot hold: {value!r}")
