"""A small city's flows in every form that FlowExampleGen reads, written by hand."""

import datetime as dt
import json

import h5py
import numpy as np
import pytest

from crowdflow.components.tf_examples import decode_frames
from crowdflow.config import Config
from crowdflow.flows import frames
from crowdflow.schema import features
from crowdflow.schema.intervals import date_to_minutes

EPOCH = dt.datetime(1970, 1, 1)
HEADER = "interval_start,row,col,inflow,outflow"


class City:
    """Two and a half days of hourly flows on a 3 x 4 grid, with a gap; no flow is zero."""

    rows, cols, minutes = 3, 4, 60

    def __init__(self):
        first = date_to_minutes(dt.date(2014, 4, 1))
        hours = [h for h in range(60) if h not in (5, 6, 30)]
        self.starts = np.array([first + 60 * h for h in hours], np.int64)  # [n]
        shape = (len(hours), self.rows, self.cols, 2)
        self.maps = np.random.default_rng(3).integers(1, 50, shape).astype(np.float32)

    def config(self, **ingest) -> Config:
        return Config.from_dict(
            {
                "grid": {"rows": self.rows, "cols": self.cols},
                "intervals": {"minutes": self.minutes},
                "ingest": ingest,
            }
        )

    @staticmethod
    def slot(start: int) -> bytes:
        time = EPOCH + dt.timedelta(minutes=int(start))
        return f"{time:%Y%m%d}{time.hour + 1:02d}".encode()

    @staticmethod
    def time(start: int) -> str:
        return str(EPOCH + dt.timedelta(minutes=int(start)))

    def table(self, keep=lambda start, row, col: True) -> list[str]:
        """Rows of the whole city, in order of time, row and column, as CSV lines."""
        return [
            ",".join([self.time(start), *map(str, (row, col, *self.maps[n, row, col]))])
            for n, start in enumerate(self.starts)
            for row in range(self.rows)
            for col in range(self.cols)
            if keep(start, row, col)
        ]

    def write_hdf5(self, path, begin=0, end=None, maps=None, slots=None) -> str:
        maps = self.maps if maps is None else maps
        slots = [self.slot(s) for s in self.starts[begin:end]] if slots is None else slots
        with h5py.File(path, "w") as file:
            file["data"] = np.moveaxis(maps[begin:end], -1, 1).astype(np.float64)
            file["date"] = np.array(slots, "S10")
        return str(path)


def write_csv(path, lines) -> str:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return str(path)


def write_weather(path, slots, temperature, kinds=None) -> str:
    kinds = np.zeros(len(slots), int) if kinds is None else np.array(kinds)
    with h5py.File(path, "w") as file:
        file["date"] = np.array(slots, "S10")
        file["Temperature"] = np.array(temperature, float)
        file["WindSpeed"] = np.array(temperature, float) / 2
        file["Weather"] = np.eye(17)[kinds]
    return str(path)


class Ingest:
    """Runs the real executor; keeps what it wrote."""

    def __init__(self, folder):
        self.folder = folder
        self.runs = 0

    def __call__(self, paths, config):
        import tensorflow as tf
        from tfx.types import artifact_utils, standard_artifacts

        from crowdflow.components.artifacts import FlowCounters
        from crowdflow.components.flow_example_gen.component import FlowExampleGen
        from crowdflow.components.flow_example_gen.executor import Executor

        self.runs += 1
        examples, counters = standard_artifacts.Examples(), FlowCounters()
        examples.uri = str(self.folder / f"examples{self.runs}")
        counters.uri = str(self.folder / f"counters{self.runs}")
        sections = ("grid", "intervals", "ingest", "trips", "range", "windows")
        node = FlowExampleGen(paths, config.section(*sections), "code")
        Executor().Do({}, {"examples": [examples], "counters": [counters]}, node.exec_properties)
        self.span = examples.get_int_custom_property("span")

        assert artifact_utils.decode_split_names(examples.split_names) == ["all"]
        files = tf.io.gfile.glob(examples.uri + "/Split-all/*.gz")
        records = tf.data.TFRecordDataset(files, "GZIP")
        serialized = sorted(records.as_numpy_iterator())
        known = config.ingest
        known = features.covariates(known.holidays, known.weather, known.weather_columns)
        block = decode_frames(serialized, config.grid.rows, config.grid.cols, known)
        written = sorted(p.name for p in (self.folder / f"counters{self.runs}").iterdir())
        assert written == ["counters.json", "rejects.csv"]
        folder = self.folder / f"counters{self.runs}"
        self.rejects = (folder / "rejects.csv").read_text().splitlines()
        self.counters = json.loads((folder / "counters.json").read_text())
        self.serialized = serialized
        order = np.argsort(block.starts)
        return frames.FrameBlock(
            block.starts[order],
            block.maps[order],
            {name: values[order] for name, values in block.covariates.items()},
        )


@pytest.fixture
def city():
    return City()


@pytest.fixture
def ingest(tmp_path):
    return Ingest(tmp_path / "artifacts")


@pytest.fixture
def csv_file():
    return write_csv


@pytest.fixture
def weather_file():
    return write_weather
