"""The files of WindowGen that are no windows, as its workers write them."""

import json
from typing import Any

import numpy as np
from apache_beam.io.filesystems import FileSystems


def write_json(values: Any, path: str) -> None:
    """Writes values as JSON; an earlier file is replaced."""
    with FileSystems.create(path) as file:
        file.write(json.dumps(values, indent=2).encode())


def write_mask(mask: np.ndarray, path: str) -> None:
    """Writes a mask, bool `[H, W]`, as lists of 0 and 1."""
    write_json(mask.astype(int).tolist(), path)
