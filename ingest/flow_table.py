"""`crowdflow ingest`: reads files and writes a table of flow records. Needs only Beam, no TensorFlow or TFX."""

import json
import logging
import pickle
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions

from crowdflow.config import Config
from crowdflow.config.beam_runner import with_runner
from crowdflow.flows.frames import FrameBlock, flow_records
from crowdflow.flows.map_tables import write_on_maps
from crowdflow.ingest import libcity
from crowdflow.ingest.beam_errors import clear_errors
from crowdflow.ingest.chunks import merge_of
from crowdflow.ingest.counters import REJECTS_FILE, counters_json, in_words, rejects_csv
from crowdflow.ingest.covariates.side_files import NO_COVARIATES
from crowdflow.ingest.date_range import Resolved, resolve
from crowdflow.ingest.sources import Source, inspect_sources
from crowdflow.ingest.tally import Tally
from crowdflow.ingest.transform import FlowsToFrames
from crowdflow.schema import intervals
from crowdflow.schema.errors import DataError
from crowdflow.schema.features import COUNTERS_FILE
from crowdflow.storage import disk, files

FLOWS_FILE = "flows.parquet"
_PARTIAL, _TALLY_FILE = ".partial", "tally.pickle"
_SCHEMA = pa.schema(
    [
        ("interval_start", pa.timestamp("us")),
        ("row", pa.int32()),
        ("col", pa.int32()),
        ("inflow", pa.float32()),
        ("outflow", pa.float32()),
    ]
)


def ingest(
    config: Config,
    out: Path,
    formats: Sequence[str],
    beam_args: Sequence[str],
    say: Callable[[str], None],
) -> dict:
    """Runs the data flow of FlowExampleGen and writes the flows as a table.

    Args:
      config: with `paths.data`.
      out: the output folder; the files of an earlier call are replaced one by one at the end.
      formats: `parquet` (always written), `libcity`, `geoparquet` and `geojson`.
      beam_args: Beam options that override those of the configuration.
      say: prints a line.

    Returns:
      The counters.

    Raises:
      DataNotFoundError: an input does not exist.
      DataError: an input cannot be used, too many records are rejected, or there is no frame.
    """
    started = time.monotonic()
    resolved = resolve(config.paths.data, config)
    sources = inspect_sources(resolved.paths, resolved.config, side_files_needed=False)
    config = resolved.config.replace(NO_COVARIATES)
    resolved = resolved._replace(config=config)
    size = sum(files.size(source.path) for source in sources)
    say(f"reading {len(sources)} files, {size / 2**20:,.1f} MiB")
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: expected a folder. Received: a file.")
    with disk.scratch_folder(out / _PARTIAL) as partial:
        tally = run_flows(
            sources,
            config,
            partial,
            [*config.beam.all, *config.beam.nodes.FlowExampleGen, *beam_args],
            lambda frames: frames | "WriteDay" >> beam.Map(_write_day, str(partial)),
        )
        counters = _counters_or_rejects(tally, sources, resolved, out)
        days = sorted(partial.glob("*.parquet"))
        written = [_join(days, partial / FLOWS_FILE)]
        if "libcity" in formats:
            written += libcity.write(partial / FLOWS_FILE, config, partial)
        written += write_on_maps([partial / FLOWS_FILE], formats, config, partial / "flows")
        (partial / COUNTERS_FILE).write_text(counters, encoding="utf-8")
        (partial / REJECTS_FILE).write_text(rejects_csv(tally), encoding="utf-8")
        for path in [*written, partial / COUNTERS_FILE, partial / REJECTS_FILE]:
            path.replace(out / path.name)
            say(f"wrote {out / path.name}")
    counters = json.loads(counters)
    for line in in_words(counters):
        say(line)
    say(f"{time.monotonic() - started:.1f} s")
    return counters


def log_to(say: Callable[[str], None]) -> None:
    """Prints the log of CrowdFlow's own steps and hides Beam's."""

    class Lines(logging.Handler):
        def emit(self, record):
            say(f"  {record.getMessage()}")

    own = logging.getLogger("crowdflow")
    own.handlers, own.propagate = [Lines()], False
    own.setLevel(logging.INFO)
    logging.getLogger().setLevel(logging.ERROR)
    # It logs an error's traceback, then raises the error.
    logging.getLogger("apache_beam.runners.common").setLevel(logging.CRITICAL)


def run_flows(
    sources: Sequence[Source],
    config: Config,
    folder: Path,
    beam_args: Sequence[str],
    then: Callable[[beam.PCollection[FrameBlock]], object],
) -> Tally:
    """Runs the data flow from files to frames, and the steps after it.

    Args:
      sources: the files to read.
      config: of the ingest.
      folder: where the data flow leaves the tally.
      beam_args: Beam options.
      then: adds the rest of the data flow; takes the frames, one block per day, without covariates.
    """
    options = PipelineOptions(with_runner(beam_args))
    with clear_errors(), beam.Pipeline(options=options) as pipeline:
        found = pipeline | FlowsToFrames(sources, config)
        then(found["frames"])
        (
            found["tally"]
            | "Merge" >> beam.CombineGlobally(merge_of(sources))
            | "WriteTally" >> beam.Map(_write_tally, str(folder / _TALLY_FILE))
        )
    return pickle.loads((folder / _TALLY_FILE).read_bytes())


def _counters_or_rejects(
    tally: Tally, sources: Sequence[Source], resolved: Resolved, out: Path
) -> str:
    """The text of `counters.json`; if the tally is not usable, writes the rejects all the same."""
    try:
        return counters_json(tally, sources, resolved.config.paths.data, resolved)
    except DataError:
        if tally.rejects:
            (out / REJECTS_FILE).write_text(rejects_csv(tally), encoding="utf-8")
        raise


def as_table(frames: FrameBlock) -> pa.Table:
    """The flow records of frames, `flows.frames.flow_records`, as the table that `crowdflow ingest` writes."""
    records = flow_records(frames)
    records["interval_start"] = records["interval_start"].astype("datetime64[us]")
    columns = [pa.array(records[field.name], field.type) for field in _SCHEMA]
    return pa.table(columns, schema=_SCHEMA)


def _write_day(frames: FrameBlock, folder: str) -> None:
    if len(frames.starts):
        day = int(frames.starts[0]) // intervals.MINUTES_PER_DAY
        path = Path(folder, f"{day:07d}.parquet")
        scratch = path.with_suffix(".tmp")
        pq.write_table(as_table(frames), scratch)
        scratch.replace(path)


def _write_tally(tally: Tally, path: str) -> None:
    Path(path).write_bytes(pickle.dumps(tally))


def _join(days: Sequence[Path], path: Path) -> Path:
    """Joins the tables of the days into one file, a few at a time."""
    with pq.ParquetWriter(path, _SCHEMA) as writer:
        for first in range(0, len(days), 30):
            tables = [pq.read_table(day) for day in days[first : first + 30]]
            writer.write_table(pa.concat_tables(tables))
    return path
