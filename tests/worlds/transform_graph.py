"""Fits the Transform graph on windows, as the node does, and writes windows as files."""

import apache_beam as beam
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform import beam as tft_beam
from tfx_bsl.public import tfxio

from crowdflow.components.flow_schema.render import render
from crowdflow.config.beam_runner import LocalRunner
from crowdflow.flows.holiday_table import holiday_dates
from crowdflow.schema import templates
from crowdflow.trainer.preprocessing import preprocessing_fn


def write_records(path, serialized):
    path.parent.mkdir(parents=True, exist_ok=True)
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for record in serialized:
            writer.write(record)


def analyze(config, train, folder):
    """Fits the Transform graph as the Transform component does, on the train windows only."""
    custom = {
        "config": config.section("intervals", "ingest", "transform"),
        "holidays": holiday_dates(config.transform),
    }
    described = templates.parse(render(templates.WINDOWS, config))
    source = tfxio.TFExampleBeamRecord(physical_format="tfrecord", schema=described)
    with beam.Pipeline(LocalRunner()) as pipeline, tft_beam.Context(temp_dir=str(folder / "temp")):
        batches = pipeline | beam.Create(train) | source.BeamSource()
        fitted = (batches, source.TensorAdapterConfig()) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, custom)
        )
        fitted | tft_beam.WriteTransformFn(str(folder / "transform"))
        raw = tft.DatasetMetadata(described)
        path = str(folder / "transform" / tft.TFTransformOutput.RAW_METADATA_DIR)
        raw | tft_beam.WriteMetadata(path, pipeline)
