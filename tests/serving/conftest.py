"""A simulated city with gaps, the pipeline's own windows of it, and a pushed model of random weights."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from crowdflow.components.flow_schema.render import render
from crowdflow.config import Config
from crowdflow.ingest.history import History
from crowdflow.schema import templates

SPLITS = ("train", "eval", "test")
VALUES = {
    "grid": {"rows": 5, "cols": 4},
    "ingest": {"holidays": True, "weather": True, "max_flow": 5000},
    "windows": {
        "closeness": 3,
        "period": 2,
        "trend": 1,
        "horizon": 2,
        "average": 2,
        "average_days": 5,
    },
    "split": {"test_days": 4, "eval_share": 0.2},
    "transform": {"time_of_day": True, "time_of_day_type": True},
    "model": {"residual_units": 1, "filters": 8, "head": "linear", "local": True},
}


@dataclasses.dataclass
class Pushed:
    """What a run would have left.

    Attributes:
      config: of the run.
      data: input files.
      serving: folder of the versions, of which there is 1.
      windows: the pipeline's own windows, serialized, by split.
    """

    config: Config
    data: list[str]
    serving: Path
    windows: dict[str, list[bytes]]


@pytest.fixture(scope="session")
def pushed(tmp_path_factory) -> Pushed:
    import keras
    import pandas as pd
    import tensorflow_transform as tft
    from worlds.transform_graph import analyze

    from crowdflow.schema import features
    from crowdflow.simulation.files import CitySpec, ensure_city
    from crowdflow.trainer.model import build_model
    from crowdflow.trainer.signatures import export

    folder, config = tmp_path_factory.mktemp("pushed"), Config.from_dict(VALUES)
    spec = CitySpec(rows=5, cols=4, days=28)
    data = [str(path) for path in ensure_city(folder / "city", spec)]
    [flows] = [path for path in data if "weather" not in path and "holidays" not in path]
    table = pd.read_parquet(flows)
    hours = np.sort(table["interval_start"].unique())
    gone = np.random.default_rng(7).choice(hours[:-60], 12, replace=False)
    table[~table["interval_start"].isin(gone)].to_parquet(flows, index=False)

    windows = pipeline_windows(data, config, folder)
    analyze(config, windows["train"], folder)
    graph = tft.TFTransformOutput(str(folder / "transform"))
    keras.utils.set_random_seed(3)
    external = graph.transformed_feature_spec()[features.EXTERNAL].shape[0]
    model = build_model(config.model, config.windows, 5, 4, external, seed=3)
    parsed = parse(windows["eval"][:20], graph.raw_feature_spec())
    saved = {**config.to_dict(), "paths": {}}
    account = {"config": {name: saved[name] for name in saved if name != "paths"}}
    serving = folder / "serving" / "crowdflow"
    export(model, graph, 0.0, 200.0, config, account, str(serving / "1"), parsed)
    return Pushed(config, data, serving, windows)


def pipeline_windows(data, config, folder) -> dict[str, list[bytes]]:
    """FlowExampleGen's and WindowGen's data flows, one after the other."""
    import apache_beam as beam
    import tensorflow as tf

    from crowdflow.components.flow_example_gen.transform import FlowsToExamples
    from crowdflow.components.window_gen.transform import FramesToWindows
    from crowdflow.ingest.sources import inspect_sources

    sources = inspect_sources(data, config)
    with beam.Pipeline() as pipeline:
        frames = pipeline | FlowsToExamples(sources, config, str(folder / "tally"))
        found = frames | FramesToWindows(config, [], str(folder / "maps"), full=SPLITS)
        for split in SPLITS:
            found[split] | split >> beam.io.WriteToTFRecord(str(folder / split), num_shards=1)
    files = {split: str(folder / f"{split}-00000-of-00001") for split in SPLITS}
    return {s: list(tf.data.TFRecordDataset(f).as_numpy_iterator()) for s, f in files.items()}


def parse(serialized, spec) -> dict[str, np.ndarray]:
    """Windows as arrays, in order of target time."""
    import tensorflow as tf

    parsed = tf.io.parse_example(serialized, spec)
    order = np.argsort(parsed["target_time"].numpy())
    return {name: values.numpy()[order] for name, values in parsed.items()}


@pytest.fixture(scope="session")
def every_window(pushed) -> dict[str, np.ndarray]:
    """All of the pipeline's windows as arrays, in order of target time."""
    import tensorflow as tf

    described = templates.parse(render(templates.WINDOWS, pushed.config))
    kinds = {"INT": tf.int64, "FLOAT": tf.float32}
    spec = {
        feature.name: tf.io.FixedLenFeature(
            [dim.size for dim in feature.shape.dim], kinds[schema_type(feature)]
        )
        for feature in described.feature
    }
    return parse([record for part in pushed.windows.values() for record in part], spec)


def schema_type(feature) -> str:
    from tensorflow_metadata.proto.v0 import schema_pb2

    return schema_pb2.FeatureType.Name(feature.type)


@pytest.fixture(scope="session")
def history(pushed) -> History:
    from crowdflow.ingest.history import read_history

    return read_history(pushed.data, pushed.config)


@pytest.fixture(scope="session")
def standin(pushed):
    from standin import server

    with server.running(pushed.serving, file_system_poll_wait_seconds=0) as running:
        yield running


@pytest.fixture(scope="session")
def address(pushed, standin):
    """A function: kind of transport -> where the model is."""
    rest = standin.url.split("/v1/")[0]
    found = {"folder": str(pushed.serving), "rest": rest, "grpc": f"grpc://{standin.target}"}
    return found.__getitem__


@pytest.fixture
def account(pushed):
    path = pushed.serving / "1" / "assets.extra" / "crowdflow.json"
    return json.loads(path.read_text())
