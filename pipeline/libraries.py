"""A fingerprint of the libraries that nodes run, because TFX's cache keys ignore an upgrade of them."""

import functools
import hashlib
import re
import sys
from importlib import metadata

from crowdflow.pipeline.fingerprint import PACKAGE

_NAME = re.compile(r"[\w.-]+")


@functools.cache
def libraries_fingerprint() -> str:
    """Hash of Python's version and of `versions()`, as 16 hexadecimal digits."""
    lines = [f"python {sys.version_info[:3]}", *(f"{n} {v}" for n, v in versions(PACKAGE).items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def versions(distribution: str) -> dict[str, str]:
    """Name -> version of every installed library that a distribution requires, directly or indirectly, by name.

    Requirements of extras are left out: development tools change no result.
    """
    found, todo = {}, [distribution]
    while todo:
        name = todo.pop()
        try:
            library = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # of another platform, or of an extra
            continue
        required = [line for line in library.requires or () if "extra ==" not in line]
        names = {_canonical(_NAME.match(line)[0]) for line in required}
        found |= {name: library.version}
        todo += names - set(found)
    del found[distribution]
    return dict(sorted(found.items()))


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
