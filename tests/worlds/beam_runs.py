"""Ingest and windows of a small city on any of Beam's runners, for tests that compare their results."""

import json
import pickle

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

from crowdflow.components.flow_example_gen.transform import FlowsToExamples
from crowdflow.components.window_gen.transform import FramesToWindows
from crowdflow.config import Config
from crowdflow.config.beam_runner import with_runner
from crowdflow.ingest.counters import counters_json, rejects_csv
from crowdflow.ingest.date_range import resolve
from crowdflow.ingest.sources import inspect_sources
from crowdflow.simulation.city import CitySpec, simulate
from crowdflow.simulation.files import write_city

SPEC = CitySpec(rows=3, cols=4, days=24)
SPLITS = ("train", "eval", "test", "scaling")
FORMS = {"flow records": ("csv", "weather", "holidays"), "trips": ("trips", "holidays")}


def make_world(form, folder):
    """The paths of a city's files in a form, and a configuration that takes a range of their dates."""
    formats = FORMS[form]
    paths = [str(path) for path in write_city(simulate(SPEC), folder, formats)]
    grid = {n: getattr(SPEC, n) for n in ("rows", "cols", "south", "west", "north", "east")}
    return paths, Config().replace(
        {
            **{f"grid.{name}": value for name, value in grid.items()},
            "ingest.holidays": True,
            "ingest.weather": "weather" in formats,
            "range.weeks": 2,
            "range.last_date": "2024-04-23",
            "windows.horizon": 2,
            "windows.average": 1,
            "windows.average_days": 7,
            "split.test_days": 3,
        }
    )


def records(pattern) -> list[bytes]:
    return sorted(tf.data.TFRecordDataset(tf.io.gfile.glob(f"{pattern}*")).as_numpy_iterator())


def run(paths, config, beam_args, folder):
    """Frames and windows by split, sorted; the windows' counters and active cells; what the ingest counted."""
    folder.mkdir()
    resolved = resolve(paths, config)
    sources = inspect_sources(resolved.paths, resolved.config)
    tally = folder / "tally.pickle"
    with beam.Pipeline(options=PipelineOptions(with_runner(beam_args))) as pipeline:
        frames = pipeline | FlowsToExamples(sources, resolved.config, str(tally))
        frames | beam.io.WriteToTFRecord(f"{folder}/frames")
    with beam.Pipeline(options=PipelineOptions(with_runner(beam_args))) as pipeline:
        serialized = pipeline | beam.io.ReadFromTFRecord(f"{folder}/frames*")
        results = serialized | FramesToWindows(config, [], f"{folder}/maps")
        for name in SPLITS:
            results[name] | name >> beam.io.WriteToTFRecord(f"{folder}/{name}")
        for name in ("counters", "active"):
            text = results[name] | f"{name} text" >> beam.Map(json.dumps, default=np.ndarray.tolist)
            text | name >> beam.io.WriteToText(f"{folder}/{name}", num_shards=1)
    found = {name: records(folder / name) for name in ("frames", *SPLITS)}
    for path in sorted(folder.glob("maps/[fa]*/*")):  # maps by day
        found[str(path.relative_to(folder))] = [path.read_bytes()]
    texts = [next(folder.glob(f"{name}-*")).read_text() for name in ("counters", "active")]
    counted = pickle.loads(tally.read_bytes())  # in whatever order
    return found, texts, [counters_json(counted, sources, paths, resolved), rejects_csv(counted)]
