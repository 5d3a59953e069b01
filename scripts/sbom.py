"""Prints what is installed beside this Python as a software bill of materials, CycloneDX 1.5 in JSON.

Usage: python scripts/sbom.py LOCK: the hashes of the lock's files are part of it.
"""

import json
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_ENTRY = re.compile(
    r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)((?:.*\\\n    --hash=sha256:[0-9a-f]{64})+)", re.M
)
_HASH = re.compile(r"sha256:([0-9a-f]{64})")


def bill(lock: str) -> dict[str, Any]:
    """The bill of the installed distributions, by name; the same environment gives the same bill.

    Args:
      lock: text of the lock that they were installed from.
    """
    hashes = {
        (_canonical(name), version): sorted(_HASH.findall(files))
        for name, version, files in _ENTRY.findall(lock)
    }
    found = {_canonical(one.metadata["Name"]): one for one in metadata.distributions()}
    components = []
    for name, one in sorted(found.items()):
        purl = f"pkg:pypi/{name}@{one.version}"
        component = {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": one.version,
            "purl": purl,
        }
        licence = one.metadata.get("License-Expression")
        if licence:
            component["licenses"] = [{"expression": licence}]
        files = hashes.get((name, one.version), [])
        if files:  # of every file that the lock allows; one of them was installed
            component["externalReferences"] = [
                {
                    "type": "distribution",
                    "url": purl,
                    "hashes": [{"alg": "SHA-256", "content": h} for h in files],
                }
            ]
        components.append(component)
    python = ".".join(map(str, sys.version_info[:3]))
    about = {"type": "application", "name": "crowdflow-image", "bom-ref": "crowdflow-image"}
    about["properties"] = [{"name": "python", "value": python}]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": about},
        "components": components,
    }


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    print(json.dumps(bill(Path(sys.argv[1]).read_text(encoding="utf-8")), indent=1))
