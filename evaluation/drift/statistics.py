"""Profiles as TFDV statistics for its drift comparators, and a model's training statistics in its folder."""

import os
from typing import Optional

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

from crowdflow.evaluation.drift.profile import EDGES, Profile
from crowdflow.schema.features import TRAINING_STATISTICS_FILE
from crowdflow.schema.intervals import format_start

Statistics = statistics_pb2.DatasetFeatureStatisticsList


def to_statistics(found: Profile) -> Statistics:
    """The statistics of a profile: numbers with a histogram, and texts (hours, cells) with counts.

    The data set's name says the first and the last interval.
    """
    statistics = Statistics()
    span = f"{format_start(found.first)} to {format_start(found.last)}"
    dataset = statistics.datasets.add(name=span, num_examples=found.intervals)
    for name, counts in sorted(found.sizes.items()):
        numbers = _add(dataset, name, statistics_pb2.FeatureNameStatistics.FLOAT).num_stats
        numbers.common_stats.CopyFrom(_common(found.intervals))
        numbers.min, numbers.max = EDGES[0], EDGES[-1]
        histogram = numbers.histograms.add(type=statistics_pb2.Histogram.STANDARD)
        for low, high, count in zip(EDGES, EDGES[1:], counts.tolist()):
            histogram.buckets.add(low_value=low, high_value=high, sample_count=count)
    for name, counts in sorted(found.trips.items()):
        texts = _add(dataset, name, statistics_pb2.FeatureNameStatistics.STRING).string_stats
        texts.common_stats.CopyFrom(_common(found.intervals))
        texts.unique = int((counts > 0).sum())
        for rank, value in enumerate(np.argsort(-counts, kind="stable")[: texts.unique].tolist()):
            texts.rank_histogram.buckets.add(
                low_rank=rank, high_rank=rank, label=str(value), sample_count=counts[value]
            )
    return statistics


def write_training_statistics(found: Profile, folder: str) -> None:
    """Writes the statistics of a model's training data into its folder, where a push takes them along.

    Args:
      found: of the training's targets.
      folder: of the SavedModel.
    """
    from tfx.dsl.io import fileio

    path = os.path.join(folder, TRAINING_STATISTICS_FILE)
    fileio.makedirs(os.path.dirname(path))
    with fileio.open(path, "wb") as file:
        file.write(to_statistics(found).SerializeToString(deterministic=True))


def read_training_statistics(folder: str) -> Optional[Statistics]:
    """Reads the statistics that `write_training_statistics` wrote, or None if there are none."""
    from tfx.dsl.io import fileio

    path = os.path.join(folder, TRAINING_STATISTICS_FILE)
    if not fileio.exists(path):
        return None
    with fileio.open(path, "rb") as file:
        return Statistics.FromString(file.read())


def _add(
    dataset: statistics_pb2.DatasetFeatureStatistics, name: str, kind: int
) -> statistics_pb2.FeatureNameStatistics:
    return dataset.features.add(path={"step": [name]}, type=kind)


def _common(intervals: int) -> statistics_pb2.CommonStatistics:
    return statistics_pb2.CommonStatistics(
        num_non_missing=intervals, min_num_values=1, max_num_values=1, avg_num_values=1.0
    )
