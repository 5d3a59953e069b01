"""The libraries that a node's result depends on, because TFX's cache keys ignore an upgrade of them."""

import functools
import hashlib
import re
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from crowdflow.pipeline.fingerprint import PACKAGE, closure, imported

# What a library's own results come from; our code need not import these to depend on them.
BUILT_ON = {
    "pandas": ("numpy",),
    "tensorflow-data-validation": (
        "apache-beam",
        "numpy",
        "pandas",
        "pyarrow",
        "tensorflow-metadata",
        "tfx-bsl",
    ),
    "tensorflow-model-analysis": ("apache-beam", "numpy", "tensorflow", "tfx-bsl"),
    "tensorflow-transform": ("apache-beam", "numpy", "tensorflow", "tfx-bsl"),
    "tfx-bsl": ("pyarrow", "tensorflow"),
}
# Many import these, for logs and settings; no result depends on them.
_NO_RESULT = {"absl-py", "pyyaml"}


def libraries(*modules: str) -> dict[str, str]:
    """Name -> version of the installed libraries that the results of modules depend on, by name.

    They are those that the modules import, but for those of logs and settings, and those that these are built on.
    A CrowdFlow module counts with every CrowdFlow module that it needs; a module of a library, such as TFX's
    executors, counts alone.

    Args:
      modules: dotted names.

    Raises:
      ModuleNotFoundError: a name is not a module of CrowdFlow or of an installed library.
    """
    own = [name for name in modules if name.split(".")[0] == PACKAGE]
    paths = [*closure(*own).values()] if own else []
    paths += [_library_file(name) for name in modules if name not in own]
    todo = [name for path in paths for module in _imports(path) for name in _owners(module)]
    found = {}
    while todo:
        name = todo.pop()
        if name not in found and name not in _NO_RESULT:
            found[name] = metadata.version(name)
            todo += BUILT_ON.get(name, ())
    return dict(sorted(found.items()))


def libraries_fingerprint(versions: Mapping[str, str]) -> str:
    """Hash of Python's minor version and of libraries' versions, as 16 hexadecimal digits."""
    lines = [f"python {sys.version_info[:2]}", *(f"{n} {v}" for n, v in sorted(versions.items()))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _imports(path: Path) -> frozenset[str]:
    """The modules of libraries that a file imports."""
    foreign = {*sys.stdlib_module_names, PACKAGE}
    return frozenset(name for name in imported(path) if name.split(".")[0] not in foreign)


@functools.cache
def _owners(module: str) -> tuple[str, ...]:
    """The distributions that a module comes from, those of its nearest package; none if it is not installed."""
    while module:
        path = module.replace(".", "/")
        for file in (f"{path}.py", f"{path}/__init__.py", path):
            if file in _files():
                return _files()[file]
        module = module.rpartition(".")[0]
    return ()


@functools.cache
def _files() -> dict[str, tuple[str, ...]]:
    """Python file of an installed distribution, or compiled module without its ending -> who installed it."""
    found: dict[str, set[str]] = {}
    for distribution in metadata.distributions():
        name = _canonical(distribution.metadata["Name"])
        for line in (distribution.read_text("RECORD") or "").splitlines():
            path = line.split(",")[0]
            if path.endswith(".so"):
                path = path.split(".", 1)[0]
            if not path.endswith(".py") and "." in path:
                continue
            found.setdefault(path, set()).add(name)
    return {path: tuple(sorted(names)) for path, names in found.items()}


def _library_file(module: str) -> Path:
    file = module.replace(".", "/") + ".py"
    for owner in _owners(module):
        for found in metadata.distributions(name=owner):
            path = Path(found.locate_file(file))
            if path.is_file():
                return path
    raise ModuleNotFoundError(f"{module}: expected a module of an installed library.")


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
