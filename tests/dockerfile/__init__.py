"""Reads a Dockerfile and executes one of its stages as plain commands: enough of its language for ours."""

import os
import re
import shutil
import string
import subprocess
from pathlib import Path
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction: its stage (0 is before the first), its word in capitals, and the rest of it."""

    stage: str
    word: str
    text: str


def read(path: Path) -> list[Instruction]:
    """The instructions, with their lines joined."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    found, stage = [], ""
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            word, text = line.split(maxsplit=1)
            if word == "FROM":
                stage = text.split(" AS ")[1]
            found.append(Instruction(stage, word, text))
    return found


def execute(
    instructions: list[Instruction],
    stage: str,
    context: Path,
    root: Path,
    environment: dict[str, str],
    **arguments: str,
) -> None:
    """Executes a stage below a folder that stands for the container's root.

    Args:
      instructions: of the Dockerfile.
      stage: its name.
      context: the folder that is built.
      root: where WORKDIR and relative paths lead.
      environment: what the base image would bring.
      **arguments: for ARG; absolute places in them are the caller's to redirect.

    Raises:
      subprocess.CalledProcessError: a RUN failed.
    """
    values, here = dict(environment), root
    for _, word, text in (one for one in instructions if one.stage == stage):
        text = string.Template(text).safe_substitute(values) if word != "RUN" else text
        if word == "ARG":
            name, _, default = text.partition("=")
            values[name] = arguments.get(name, default)
        elif word == "WORKDIR":
            here = root / text.lstrip("/")
            here.mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            *sources, target = text.split()
            for source in sources:
                _copy(context / source, here / target, target.endswith("/"))
        elif word == "RUN":
            subprocess.run(["bash", "-euc", text], cwd=here, env=values, check=True)
        elif word != "FROM":
            raise ValueError(f"an instruction that is not implemented: {word}")


def _copy(source: Path, target: Path, into: bool) -> None:
    if source.is_dir():
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, ignore=ignore, dirs_exist_ok=True)
    else:
        target = target / source.name if into else target
        os.makedirs(target.parent, exist_ok=True)
        shutil.copy(source, target)
