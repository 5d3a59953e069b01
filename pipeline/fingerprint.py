"""A fingerprint of the code that a node runs, because TFX's cache keys ignore the code behind a dotted path."""

import ast
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

import crowdflow

PACKAGE = "crowdflow"


def fingerprint(*modules: str) -> str:
    """Hash of modules, of every CrowdFlow module that they import, directly or indirectly, and of their templates.

    Imports are read from the source, including those inside functions; nothing is imported. A module's
    templates are the files in the folders `templates` and `vendor` next to it.

    Args:
      modules: dotted names of CrowdFlow modules, such as `crowdflow.trainer.run_fn`.

    Returns:
      Hex digest; it changes with any byte of those files.

    Raises:
      ModuleNotFoundError: a name is not a CrowdFlow module.
    """
    digest = hashlib.sha256()
    found = closure(*modules)
    for name, path in sorted(found.items()):
        digest.update(f"{name}\0".encode())
        digest.update(path.read_bytes())
    for path in _templates(found.values()):
        digest.update(f"{path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def closure(*modules: str) -> dict[str, Path]:
    """The given modules and the CrowdFlow modules that they need, with their files."""
    found, todo = {}, [parent for name in modules for parent in _with_parents(name)]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        path = _find(name)
        if path is None:
            raise ModuleNotFoundError(f"{name}: expected a module of {PACKAGE}.")
        found[name] = path
        todo += [part for part in _imports(path) if part not in found]
    return found


def _templates(paths: Iterable[Path]) -> list[Path]:
    """The files that modules render, which no import names, in an order that is the same everywhere."""
    folders = {path.parent for path in paths}
    found = (folder.glob(f"{name}/*") for folder in folders for name in ("templates", "vendor"))
    return sorted(file for files in found for file in files if file.is_file())


@functools.cache
def _find(name: str) -> Path | None:
    """The file of a CrowdFlow module, or None if the name is not a module (but a class, say)."""
    root, *rest = name.split(".")
    for folder in crowdflow.__path__ if root == PACKAGE else ():
        path = Path(folder, *rest)
        for candidate in (path / "__init__.py", path.with_suffix(".py")):
            if candidate.is_file() and (rest or candidate.name == "__init__.py"):
                return candidate
    return None


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """What a file imports, also inside functions: modules, and names of modules such as `numpy.linalg`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


@functools.cache
def _imports(path: Path) -> frozenset[str]:
    """The CrowdFlow modules that a file imports, with their parents."""
    return frozenset(n for full in imported(path) for n in _with_parents(full) if _find(n))


def _with_parents(name: str) -> list[str]:
    """A dotted name and its parent packages, whose `__init__` an import also runs."""
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(len(parts), 0, -1)]
