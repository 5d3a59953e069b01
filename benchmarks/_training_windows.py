"""Arrays of random windows as the Trainer takes them, for training.py."""

from typing import Any

import numpy as np

from crowdflow.schema import features
from crowdflow.trainer.windows import Windows, allocate


def as_windows(data: dict[str, Any]) -> Windows:
    """Arrays as the Trainer takes them: one array of maps, and the numbers of each window's."""
    shapes_ = {name: values.shape for name, values in data.items() if values.ndim == 5}
    maps = np.concatenate([data[name].reshape(-1, *shape[2:]) for name, shape in shapes_.items()])
    rows, first = {}, 0
    for name, (count, length, *_) in shapes_.items():
        rows[name] = first + np.arange(count * length, dtype=np.int32).reshape(count, length)
        first += count * length
    values = {name: part for name, part in data.items() if name not in shapes_}
    for name, value in ((features.FLOW_MIN, 0.0), (features.FLOW_MAX, 100.0)):
        values[name] = np.full(len(data[features.TARGET]), value, np.float32)
    shared = allocate(maps.shape)
    shared[:] = maps
    return Windows(shared, rows, values)
