"""What a run knows of the days since a push: every frame, and the covariates of its windows."""

import dataclasses
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tfx import types
from tfx.types import artifact_utils

from crowdflow.config import Config
from crowdflow.evaluation.window_files import WindowFiles
from crowdflow.flows.frames import FrameBlock
from crowdflow.flows.windows import SPLITS
from crowdflow.schema import features
from crowdflow.schema.intervals import MINUTES_PER_DAY
from crowdflow.storage.map_store import MapStore


@dataclasses.dataclass(frozen=True)
class Known:
    """Frames and covariates.

    Attributes:
      frames: all of the run, ascending, without covariates.
      times: first target intervals of all windows, wall-clock minutes, int64 `[k]`, ascending; empty where there
        are no covariates.
      covariates: of these intervals, `[k, ...]` by name.
    """

    frames: FrameBlock
    times: np.ndarray
    covariates: Mapping[str, np.ndarray]

    def holidays(self, otherwise: np.ndarray) -> np.ndarray:
        """The days off, since 1970-01-01: by the windows if they know, else `otherwise`."""
        if features.HOLIDAY not in self.covariates:
            return otherwise
        return np.unique(self.times[self.covariates[features.HOLIDAY] == 1] // MINUTES_PER_DAY)

    def has(self, origins: np.ndarray) -> np.ndarray:
        """Whether the covariates of intervals are known, bool `[m]`."""
        return np.isin(origins, self.times) if self.covariates else np.ones(len(origins), bool)

    def of(self, origins: np.ndarray) -> dict[str, np.ndarray]:
        """The covariates of intervals that `has` knows, `[m, ...]` by name."""
        rows = np.searchsorted(self.times, origins)
        return {name: values[rows] for name, values in self.covariates.items()}


def read_known(windows: types.Artifact, config: Config) -> Known:
    """Reads WindowGen's output: the maps by day, and of the windows no more than their covariates.

    Args:
      windows: the artifact.
      config: for the covariates.
    """
    store = MapStore(os.path.join(windows.uri, features.FRAMES_FOLDER))
    frames = FrameBlock(*store.read(store.days().tolist()))
    ingest = config.ingest
    names = features.covariates(ingest.holidays, ingest.weather, ingest.weather_columns)
    if not names:
        return Known(frames, np.zeros(0, np.int64), {})
    spec = {
        known.name: tf.io.FixedLenFeature(known.shape, tf.int64 if known.is_integer else tf.float32)
        for known in names
    }
    spec[features.TARGET_TIME] = tf.io.FixedLenFeature([], tf.int64)
    folders = (artifact_utils.get_split_uri([windows], split) for split in SPLITS)
    parts = [part for folder in folders for part in WindowFiles(folder).parsed(spec)]
    found = {name: np.concatenate([part[name] for part in parts]) for name in spec}
    order = np.argsort(found[features.TARGET_TIME])
    found = {name: values[order] for name, values in found.items()}
    return Known(frames, found.pop(features.TARGET_TIME), found)
