"""What another evaluation of the same model finds."""

from typing import Any

import pytest


def close(metrics: Any) -> Any:
    """Metrics, or metrics by name, to compare with by `==`: the last digits of the numbers may differ.

    TensorFlow Model Analysis makes its batches as large as their duration suggests, and float32 sums of other
    batches differ a little: the same weights give RMSEs that differ by some 1e-9 of them.
    """
    if isinstance(metrics, dict):
        return {name: close(value) for name, value in metrics.items()}
    return pytest.approx(metrics, rel=1e-7) if isinstance(metrics, float) else metrics
