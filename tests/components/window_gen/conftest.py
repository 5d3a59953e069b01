"""The windows of frames, by the transform in a real pipeline and by the plain reference."""

import json

import numpy as np
import pytest
from worlds import plain_windows


@pytest.fixture(scope="session")
def plain():
    """The reference."""
    return plain_windows


@pytest.fixture(scope="session")
def through_beam(tmp_path_factory):
    """Serialized frames -> sorted windows by split and the counters, by the transform in a real pipeline."""
    import apache_beam as beam
    import tensorflow as tf

    from crowdflow.components.window_gen.transform import FramesToWindows
    from crowdflow.config.beam_runner import LocalRunner

    def run(serialized, config):
        out = tmp_path_factory.mktemp("windows")
        with beam.Pipeline(LocalRunner()) as pipeline:
            results = (
                pipeline
                | beam.Create(serialized)
                | FramesToWindows(config, [], str(out / "maps"), full=plain_windows.SPLITS)
            )
            for name, found in results.items():
                if name in (*plain_windows.SPLITS, "scaling"):
                    found | name >> beam.io.WriteToTFRecord(str(out / name))
                else:
                    text = found | f"{name} text" >> beam.Map(json.dumps, default=np.ndarray.tolist)
                    text | name >> beam.io.WriteToText(str(out / name), num_shards=1)

        def read(split):
            files = sorted(map(str, out.glob(f"{split}-*")))
            return sorted(tf.data.TFRecordDataset(files).as_numpy_iterator())

        texts = [next(out.glob(f"{name}-*")).read_text() for name in ("counters", "active")]
        return {split: read(split) for split in plain_windows.SPLITS}, *map(json.loads, texts)

    return run
