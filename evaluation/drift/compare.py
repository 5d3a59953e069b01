"""Compares the newest flows with a model's training data, by TFDV's drift comparators."""

from typing import Any

import numpy as np
from tensorflow_metadata.proto.v0 import schema_pb2

from crowdflow.evaluation.drift.statistics import Statistics
from crowdflow.evaluation.drift.words import in_words
from crowdflow.schema.intervals import MINUTES_PER_DAY


def newest(starts: np.ndarray, days: int) -> np.ndarray:
    """Which intervals lie in the last days, bool `[n]`.

    Args:
      starts: wall-clock minutes, int64 `[n]`.
      days: number of days, counted back from the last interval's day.
    """
    day = starts // MINUTES_PER_DAY
    return day > day.max() - days


def compare(
    new: Statistics, training: Statistics, schema: schema_pb2.Schema
) -> tuple[list[dict[str, Any]], list[str]]:
    """Compares statistics of the same features.

    Args:
      new: of the newest data.
      training: of the training data.
      schema: with the drift comparators.

    Returns:
      A dict a comparison, `feature`, `divergence` (Jensen-Shannon, 0 to 1), `threshold` and `drifted`; and the
      anomalies in words, sorted. A distribution that one side lacks, weekends say, is not compared.
    """
    import tensorflow_data_validation as tfdv  # and with it Beam: seconds that a first run does without

    held = set.intersection(
        *({f.path.step[0] for f in s.datasets[0].features} for s in (new, training))
    )
    schema = schema_pb2.Schema(feature=[f for f in schema.feature if f.name in held])
    found = tfdv.validate_statistics(new, schema, previous_statistics=training)
    measurements, lines = [], []
    for info in sorted(found.drift_skew_info, key=lambda info: info.path.step[0]):
        [name], [measured] = info.path.step, info.drift_measurements
        drifted = name in found.anomaly_info
        measurements.append(
            {
                "feature": name,
                "divergence": measured.value,
                "threshold": measured.threshold,
                "drifted": drifted,
            }
        )
        if drifted:
            lines.append(
                f"{in_words(name)}: Jensen-Shannon divergence {measured.value:.3f}, above "
                f"{measured.threshold:g}"
            )
    return measurements, lines
