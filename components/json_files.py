"""JSON in artifacts."""

import json
import os
from typing import Any

import tensorflow as tf


def read_json(folder: str, name: str) -> dict[str, Any]:
    """Reads a JSON file of an artifact."""
    with tf.io.gfile.GFile(os.path.join(folder, name)) as file:
        return json.loads(file.read())
