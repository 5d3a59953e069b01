"""FlowExampleGen's data flow: chunks of files -> records by day -> frames; the tally is a second output."""

from collections.abc import Sequence
from typing import Any

import apache_beam as beam

from crowdflow.config import Config
from crowdflow.flows.frames import FrameBlock
from crowdflow.ingest import tally as tallies
from crowdflow.ingest.chunks import Chunk, are_trips, chunks, parts
from crowdflow.ingest.records.records import assemble_day
from crowdflow.ingest.sources import READERS, Source, read_places
from crowdflow.ingest.trips.trips_transform import TripsToFrames
from crowdflow.schema.errors import CrowdFlowError

_TALLY = "tally"


@beam.typehints.with_input_types(Chunk)
@beam.typehints.with_output_types(tuple[int, Any])
class ReadChunk(beam.DoFn):
    """Reads a chunk as (day, block) pairs; an error becomes a problem in the tally."""

    def __init__(self, sources: Sequence[Source], config: Config):
        self._sources = list(sources)
        self._config = config

    def process(self, chunk):
        """Yields the blocks, and the tallies as a tagged output."""
        source = self._sources[chunk.index]
        try:
            for blocks, tally in READERS[source.kind].read(source.path, *chunk, self._config):
                yield from blocks
                yield beam.pvalue.TaggedOutput(_TALLY, tally)
        except CrowdFlowError as error:
            yield beam.pvalue.TaggedOutput(_TALLY, tallies.Tally(problems=[str(error)]))


@beam.typehints.with_output_types(FrameBlock)
class AssembleDay(beam.DoFn):
    """Assembles the frames of a day from its blocks."""

    def __init__(self, sources: Sequence[Source], config: Config):
        self._files = [source.path for source in sources]
        self._config = config

    def process(self, day):
        """Yields the frames, and the tally as a tagged output; `day` is (day, its blocks)."""
        grid, ingest = self._config.grid, self._config.ingest
        frames, tally = assemble_day(day[1], grid.rows, grid.cols, ingest.absent_cells, self._files)
        yield frames
        yield beam.pvalue.TaggedOutput(_TALLY, tally)


class FlowsToFrames(beam.PTransform):
    """Reads the sources as frames.

    Returns `frames`, FrameBlocks without covariates, and `tally`, Tally or, for raw trips, TripTally.
    """

    def __init__(self, sources: Sequence[Source], config: Config):
        super().__init__()
        self._sources = list(sources)
        self._config = config

    def expand(self, pipeline: beam.Pipeline):
        """The frames and the tallies, as PCollections."""
        if are_trips(self._sources):
            places = read_places(self._sources, self._config)
            return pipeline | "Trips" >> TripsToFrames(parts(self._sources), self._config, places)
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
