"""FlowExampleGen's data flow: ingested frames with their covariates, as tf.Examples."""

import collections
import dataclasses
import pickle
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems

from crowdflow.components.tf_examples import encode_frames
from crowdflow.config import Config
from crowdflow.flows.frames import FrameBlock
from crowdflow.ingest import tally as tallies
from crowdflow.ingest.chunks import merge_of
from crowdflow.ingest.covariates import side_files
from crowdflow.ingest.sources import Source, read_side_files
from crowdflow.ingest.transform import FlowsToFrames
from crowdflow.schema import features

_TALLY = "tally"


@beam.typehints.with_input_types(FrameBlock)
@beam.typehints.with_output_types(bytes)
class EncodeFrames(beam.DoFn):
    """Adds covariates to frames and serializes them."""

    def __init__(self, sources: Sequence[Source], config: Config):
        self._ingest = config.ingest
        self._side = read_side_files(sources, config)

    def process(self, frames):
        """Yields serialized frames, and a tally as a tagged output."""
        known = side_files.covariates(
            frames.starts, **self._side, max_age_hours=self._ingest.weather_max_age_hours
        )
        yield from encode_frames(dataclasses.replace(frames, covariates=known))
        if features.WEATHER_KNOWN in known:
            unknown = int((known[features.WEATHER_KNOWN] == 0).sum())
            counts = collections.Counter(weather_unknown=unknown)
            yield beam.pvalue.TaggedOutput(_TALLY, tallies.Tally(counts))


class FlowsToExamples(beam.PTransform):
    """Reads the sources as serialized frames, and writes the combined tally, pickled, to a file."""

    def __init__(self, sources: Sequence[Source], config: Config, tally_path: str):
        super().__init__()
        self._sources = list(sources)
        self._config = config
        self._tally_path = tally_path

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection[bytes]:
        """Returns the serialized frames."""
        found = pipeline | "Frames" >> FlowsToFrames(self._sources, self._config)
        encode = beam.ParDo(EncodeFrames(self._sources, self._config))
        examples = found["frames"] | encode.with_outputs(_TALLY, main="examples")
        (
            (found["tally"], examples[_TALLY])
            | "Tallies" >> beam.Flatten()
            | "Merge" >> beam.CombineGlobally(merge_of(self._sources))
            | "WriteTally" >> beam.Map(_write_tally, self._tally_path)
        )
        return examples.examples


def _write_tally(tally: tallies.Tally, path: str) -> None:
    with FileSystems.create(path) as file:
        file.write(pickle.dumps(tally))
