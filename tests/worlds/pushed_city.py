"""A simulated city with gaps, the pipeline's own windows of it, and a pushed model of random weights."""

import dataclasses
from pathlib import Path

import numpy as np

from crowdflow.config import Config
from crowdflow.flows.windows import SPLITS

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
        "average_decay": 1.0,
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


def push(folder: Path) -> Pushed:
    """Makes the city and pushes version 1 of the model below a folder."""
    import keras
    import pandas as pd
    import tensorflow_transform as tft
    from worlds.transform_graph import analyze

    from crowdflow.schema import features
    from crowdflow.simulation.files import CitySpec, ensure_city
    from crowdflow.trainer.model import build_model
    from crowdflow.trainer.signatures import export

    config = Config.from_dict(VALUES)
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
    account = {
        "config": {name: saved[name] for name in saved if name != "paths"},
        features.FORMAT: features.FORMAT_NUMBER,
        features.LEVELS: list(config.model.quantiles),
    }
    serving = folder / "serving" / "crowdflow"
    spread = some_spread(config)
    export(model, graph, 0.0, 200.0, config, account, str(serving / "1"), parsed, spread)
    return Pushed(config, data, serving, windows)


def some_spread(config):
    """The spread of Poisson counts around forecasts of 0 to 200."""
    from crowdflow.trainer.quantiles.spread import fit

    random, grid = np.random.default_rng(4), config.grid
    shape = 60, config.windows.horizon, grid.rows, grid.cols, 2
    means = random.uniform(0, 1, shape) ** 3 * 200
    times, alive = 60 * np.arange(60), np.ones(shape[2:], bool)
    levels, minutes = config.model.quantiles, config.intervals.minutes
    return fit(means, random.poisson(means).astype(float), times, alive, levels, minutes)


def pipeline_windows(data, config, folder) -> dict[str, list[bytes]]:
    """FlowExampleGen's and WindowGen's data flows, one after the other."""
    import apache_beam as beam
    import tensorflow as tf

    from crowdflow.components.flow_example_gen.transform import FlowsToExamples
    from crowdflow.components.window_gen.transform import FramesToWindows
    from crowdflow.config.beam_runner import LocalRunner
    from crowdflow.ingest.sources import inspect_sources

    sources = inspect_sources(data, config)
    with beam.Pipeline(LocalRunner()) as pipeline:
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
