"""A tiny world: windows of random flows, the Transform graph of its train part, and a model for it."""

import dataclasses
import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
from worlds.transform_graph import analyze, write_records

from crowdflow.components.tf_examples import encode_columns
from crowdflow.config import Config
from crowdflow.flows.frames import FrameBlock, merge_blocks
from crowdflow.flows.usual import usual_flows
from crowdflow.flows.windows import gather
from crowdflow.schema import features
from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY
from crowdflow.storage.map_store import write_day, write_starts

ROWS, COLS, HORIZON = 4, 3, 2
NO_HOLIDAYS = np.zeros(0, np.int64)
SIZES = {"train": 13, "eval": 7, "test": 5}
# Later splits have larger flows, so that a constant taken from them would show.
LARGEST = {"train": 40.0, "eval": 60.0, "test": 90.0}


def make_config():
    """Every covariate and every calendar feature."""
    values = {
        "grid": {"rows": ROWS, "cols": COLS},
        "ingest": {"holidays": True, "weather": True},
        "windows": {"closeness": 3, "period": 1, "trend": 1, "horizon": HORIZON, "average": 2},
        "transform": {"day_of_week": True, "time_of_day": True, "time_of_day_type": True},
        "model": {
            "residual_units": 1,
            "filters": 4,
            "batch_norm": True,
            "head": "linear",
            "local": True,
        },
        "training": {"epochs": 3, "final_epochs": 2, "batch_size": 5, "precision": "float32"},
    }
    return Config.from_dict(values)


def make_windows(split, config):
    """Raw windows, feature name -> array `[n, ...]`, in no order of time; and the frames that they are made of."""
    random = np.random.default_rng(sorted(SIZES).index(split))
    count = SIZES[split]
    shape = (config.grid.rows, config.grid.cols, 2)
    low, high = 2.0, LARGEST[split]  # the smallest flow is not zero either
    first = {"train": 0, "eval": 70, "test": 140}[split]
    days = (dt.date(2014, 4, 1) - dt.date(1970, 1, 1)).days + first
    slots = random.choice(DAYS_PER_WEEK * MINUTES_PER_DAY // 60, count, replace=False)
    origins = days * MINUTES_PER_DAY + 60 * slots.astype(np.int64)
    starts = np.arange((days - 16) * MINUTES_PER_DAY, (days + 9) * MINUTES_PER_DAY, 60)
    maps = random.uniform(low, high, (len(starts), *shape)).astype(np.float32)
    maps[np.searchsorted(starts, origins[0] - 60), 0, 0] = low, high
    columns = gather(starts, maps, origins, config.windows, 60, NO_HOLIDAYS)
    columns[features.TARGET_TIME] = origins
    known = np.arange(count) % 3 != 1
    columns[features.HOLIDAY] = (np.arange(count) % 4 == 0).astype(np.int64)
    columns[features.WEATHER_KNOWN] = known.astype(np.int64)
    columns[features.WEATHER] = np.where(known, np.arange(count) % 17, 0).astype(np.int64)
    for name, values in {
        features.TEMPERATURE: random.uniform(10, 30, count),
        features.WIND_SPEED: random.uniform(1, 9, count),
    }.items():
        columns[name] = np.where(known, values, 0).astype(np.float32)
    width = len(config.ingest.weather_columns)
    if width:
        values = random.uniform(-5, high, (count, width)) * known[:, None]
        columns[features.WEATHER_VALUES] = values.astype(np.float32)
    return columns, FrameBlock(starts, maps)


def write_maps(folder, frames, config):
    """Writes frames, and all of their averages, by day."""
    windows = config.windows
    how = windows.average, windows.average_days, NO_HOLIDAYS, windows.average_decay
    averages, known = usual_flows(frames.starts, frames.maps, frames.starts, *how)
    for name, starts, maps in (
        (features.FRAMES_FOLDER, frames.starts, frames.maps),
        (features.AVERAGES_FOLDER, frames.starts[known], averages[known]),
    ):
        days = starts // MINUTES_PER_DAY
        write_starts(str(folder / name), starts)
        for day in np.unique(days):
            write_day(str(folder / name), day, maps[days == day])


def evaluation_columns(columns):
    """What else a window carries, which is not the model's business."""
    count = len(columns["target"])
    found = {features.naive_feature(n): columns["target"] * 0 for n in features.NAIVE_FORECASTS}
    for name in (features.HOUR, features.WEEKEND):
        found[name] = np.ones(count, np.int64)
    found[features.ACTIVE_CELLS] = np.ones(
        columns["target"].shape[:1] + columns["target"].shape[2:4], np.int64
    )
    return found


@dataclasses.dataclass
class World:
    """Windows of each split as arrays and as files, and the fitted Transform graph."""

    config: Config
    folder: Path
    raw: dict

    @property
    def graph(self):
        import tensorflow_transform as tft

        return tft.TFTransformOutput(str(self.folder / "transform"))

    def encode(self, columns):
        """Windows in full, serialized."""
        return encode_columns({**columns, **evaluation_columns(columns)})

    def files(self, split):
        return [str(self.folder / f"Split-{split}" / "*")]


def make_world(folder, config):
    raw, encoded, blocks = {}, {}, []
    for split in SIZES:
        raw[split], frames = make_windows(split, config)
        blocks.append(frames)
        encoded[split] = encode_columns({**raw[split], **evaluation_columns(raw[split])})
        written = encoded[split]
        if split != "test":  # the others are references
            written = encode_columns({n: v for n, v in raw[split].items() if v.ndim < 3})
        half = len(written) // 2
        write_records(folder / f"Split-{split}" / "part-00000", written[:half])
        write_records(folder / f"Split-{split}" / "part-00001", written[half:])
    write_maps(folder, merge_blocks(blocks), config)
    analyze(config, encoded["train"], folder)
    return World(config, folder, raw)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"), make_config())


@pytest.fixture(scope="session")
def table_world(tmp_path_factory):
    """A world with a weather table of two columns, and New Jersey's holidays to the end of 2014."""
    config = make_config().replace(
        {
            "ingest.holidays": False,
            "ingest.weather": False,
            "ingest.weather_columns": ["rain", "heat"],
            "transform.holiday_country": "US",
            "transform.holiday_subdivision": "NJ",
            "transform.holidays_until": "2014-12-31",
        }
    )
    return make_world(tmp_path_factory.mktemp("table_world"), config)


@pytest.fixture(scope="session")
def splits(world):
    """The transformed train and eval windows."""
    from crowdflow.trainer import input_fn

    patterns = {split: world.files(split) for split in ("train", "eval")}
    return input_fn.load_splits(patterns, world.graph, world.config)


@pytest.fixture(scope="session")
def external_reference():
    """A function: raw windows, config and train windows -> the external vector, by Python's calendar."""

    def reference(raw, config, train):
        rows = []
        for index, minutes in enumerate(raw[features.TARGET_TIME].tolist()):
            time = dt.datetime(1970, 1, 1) + dt.timedelta(minutes=minutes)
            row = [float(time.weekday() == day) for day in range(7)]
            row.append(float(time.weekday() < 5))
            minute = time.hour * 60 + time.minute
            row += [
                float(minute // config.intervals.minutes == s)
                for s in range(config.intervals.per_day)
            ]
            row.append(float(raw[features.HOLIDAY][index]))
            off = time.weekday() >= 5 or row[-1] == 1
            for wanted in (False, True):
                row += [
                    float(off == wanted and minute // config.intervals.minutes == s)
                    for s in range(config.intervals.per_day)
                ]
            known = bool(raw[features.WEATHER_KNOWN][index])
            row += [float(known and raw[features.WEATHER][index] == kind) for kind in range(17)]
            for name in (features.TEMPERATURE, features.WIND_SPEED):
                seen = train[name][train[features.WEATHER_KNOWN] == 1]
                span = seen.max() - seen.min()
                row.append(float((raw[name][index] - seen.min()) / span) if known else 0.0)
            rows.append(row)
        return np.array(rows)

    return reference


@pytest.fixture(scope="session")
def as_json():
    """A function: config -> what the Trainer node's `custom_config` has."""

    def dump(config):
        return json.dumps({k: v for k, v in config.to_dict().items() if k != "paths"})

    return dump
