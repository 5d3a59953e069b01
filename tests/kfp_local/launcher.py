"""The launcher: a step's container as a process, from its inputs' download to its outputs' upload."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfp_local.documents import Task
from kfp_local.driver import LOGS
from kfp_local.store import ObjectStore, local_path

_PLACEHOLDER = re.compile(r"\{\{\$(?P<path>[^}]*)\}\}")


def start_process(
    command: list[str], cwd: Path, env: dict[str, str], log: Path
) -> subprocess.Popen:
    """Starts a container's command in a session of its own; the log takes its output and errors."""
    with log.open("wb") as out:
        return subprocess.Popen(
            command, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )


def launch(
    task: Task,
    given: dict[str, Any],
    store: ObjectStore,
    folder: Path,
    environment: dict[str, str],
    root_variable: str,
    follow: Callable[[str, subprocess.Popen, Path], None],
    start: Callable[[list[str], Path, dict[str, str], Path], subprocess.Popen],
) -> tuple[int, dict[str, dict[str, Any]]]:
    """Runs a step.

    Args:
      task: to be run.
      given: its ExecutorInput.
      store: of the artifacts.
      folder: the container's own, empty: its root, and its output file.
      environment: of the process.
      root_variable: tells the process where its root is, since a process cannot have one of its own.
      follow: called with the task's name, the process and its log as soon as it runs.
      start: as `start_process`.

    Returns:
      The exit code, and each output as the step left it, with its properties.
    """
    root = folder / "root"
    for entry in given["inputs"]["artifacts"].values():
        for artifact in entry["artifacts"]:
            store.download(artifact["uri"], root)
    made = {name: entry["artifacts"][0] for name, entry in given["outputs"]["artifacts"].items()}
    for artifact in made.values():
        local_path(artifact["uri"], root).parent.mkdir(parents=True, exist_ok=True)
    output_file = Path(given["outputs"]["outputFile"])
    output_file.parent.mkdir(parents=True, exist_ok=True)
    log = local_path(made[LOGS]["uri"], root)
    command = [
        resolve(text, given) for text in [*task.container["command"], *task.container["args"]]
    ]
    work = folder / "work"
    work.mkdir()
    process = start(command, work, environment | {root_variable: str(root)}, log)
    try:
        follow(task.name, process, log)
        code = process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()
    _apply_changes(made, output_file)
    for name, artifact in made.items():
        if code == 0 or name == LOGS:
            store.upload(artifact["uri"], root)
    return code, made


def _apply_changes(made: dict[str, dict[str, Any]], output_file: Path) -> None:
    """Updates each output with the address and the properties that the step wrote, if it wrote any."""
    output = json.loads(output_file.read_text()) if output_file.exists() else {}
    for name, artifact in made.items():
        for changed in output.get("artifacts", {}).get(name, {}).get("artifacts", [])[:1]:
            artifact["uri"] = changed.get("uri") or artifact["uri"]
            artifact["metadata"] = {**artifact["metadata"], **changed.get("metadata", {})}


def resolve(text: str, given: dict[str, Any]) -> str:
    """A part of the command with the placeholder of the whole ExecutorInput replaced; others are unknown here."""

    def value(match: re.Match) -> str:
        if match["path"]:
            raise ValueError(f"a placeholder that is not implemented: {match[0]}")
        return json.dumps(given)

    return _PLACEHOLDER.sub(value, text)


def python_first() -> dict[str, str]:
    """An environment where `python` is the interpreter that runs this, as the image has it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path}
