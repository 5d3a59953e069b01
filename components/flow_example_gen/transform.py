"""FlowExampleGen's data flow: chunks of files -> records by day -> frames, and the tally beside."""

import collections
import dataclasses
import pickle
from collections.abc import Sequence
from typing import Any

import apache_beam as beam

from components.errors import CrowdFlowError
from components.flow_example_gen import side_files
from components.flow_example_gen import tally as tallies
from components.flow_example_gen.chunks import Chunk, chunks, merge_of, of_trips, parts
from components.flow_example_gen.records import assemble_day
from components.flow_example_gen.sources import (
    READERS,
    Source,
    read_side_files,
)
from components.flow_example_gen.trips_transform import TripsToFrames
from components.frames import FrameBlock, encode_frames
from pipeline.config import Config
from trainer import features

_TALLY = "tally"


@beam.typehints.with_input_types(Chunk)
@beam.typehints.with_output_types(tuple[int, Any])
class ReadChunk(beam.DoFn):
    """Reads a chunk as (day, block) pairs; what goes wrong becomes a problem in the tally."""

    def __init__(self, sources: Sequence[Source], config: Config):
        self._sources = list(sources)
        self._config = config

    def process(self, chunk):
        """Yields the blocks, and tallies beside."""
        source = self._sources[chunk.index]
        try:
            for blocks, tally in READERS[source.kind].read(source.path, *chunk, self._config):
                yield from blocks
                yield beam.pvalue.TaggedOutput(_TALLY, tally)
        except CrowdFlowError as error:
            yield beam.pvalue.TaggedOutput(_TALLY, tallies.Tally(problems=[str(error)]))


@beam.typehints.with_output_types(FrameBlock)
class AssembleDay(beam.DoFn):
    """Makes a day's frames of its blocks."""

    def __init__(self, sources: Sequence[Source], config: Config):
        self._files = [source.path for source in sources]
        self._config = config

    def process(self, day):
        """Yields the frames, and a tally beside; `day` is (day, its blocks)."""
        grid, ingest = self._config.grid, self._config.ingest
        frames, tally = assemble_day(day[1], grid.rows, grid.cols, ingest.absent_cells, self._files)
        yield frames
        yield beam.pvalue.TaggedOutput(_TALLY, tally)


@beam.typehints.with_input_types(FrameBlock)
@beam.typehints.with_output_types(bytes)
class EncodeFrames(beam.DoFn):
    """Adds their covariates to frames and serializes them."""

    def __init__(self, sources: Sequence[Source], config: Config):
        self._ingest = config.ingest
        self._side = read_side_files(sources, config)

    def process(self, frames):
        """Yields serialized frames, and a tally beside."""
        known = side_files.covariates(
            frames.starts, **self._side, max_age_hours=self._ingest.weather_max_age_hours
        )
        yield from encode_frames(dataclasses.replace(frames, covariates=known))
        if features.WEATHER_KNOWN in known:
            unknown = int((known[features.WEATHER_KNOWN] == 0).sum())
            counts = collections.Counter(weather_unknown=unknown)
            yield beam.pvalue.TaggedOutput(_TALLY, tallies.Tally(counts))


class FlowsToFrames(beam.PTransform):
    """Reads the sources as frames.

    The result has `frames`, FrameBlocks without covariates, and `tally`, of Tally, or of TripTally for raw trips.
    """

    def __init__(self, sources: Sequence[Source], config: Config):
        super().__init__()
        self._sources = list(sources)
        self._config = config

    def expand(self, pipeline: beam.Pipeline):
        """The frames and the tallies."""
        if of_trips(self._sources):
            return pipeline | "Trips" >> TripsToFrames(parts(self._sources), self._config)
        read = beam.ParDo(ReadChunk(self._sources, self._config))
        assemble = beam.ParDo(AssembleDay(self._sources, self._config))
        records = (
            pipeline
            | "Chunks" >> beam.Create(chunks(self._sources))
            | "Spread" >> beam.Reshuffle()
            | "ReadChunk" >> read.with_outputs(_TALLY, main="records")
        )
        frames = (
            records.records
            | "ByDay" >> beam.GroupByKey()
            | "AssembleDay" >> assemble.with_outputs(_TALLY, main="frames")
        )
        tally = (records[_TALLY], frames[_TALLY]) | "Tallies" >> beam.Flatten()
        return {"frames": frames.frames, "tally": tally}


class FlowsToExamples(beam.PTransform):
    """Reads the sources as serialized frames, and writes the combined tally, pickled, to a file."""

    def __init__(self, sources: Sequence[Source], config: Config, tally_path: str):
        super().__init__()
        self._sources = list(sources)
        self._config = config
        self._tally_path = tally_path

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection[bytes]:
        """The frames, serialized."""
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
    from tfx.dsl.io import fileio  # only a node of TFX comes here

    with fileio.open(path, "wb") as file:
        file.write(pickle.dumps(tally))
