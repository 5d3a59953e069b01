"""The schemas made concrete: shapes, what is dropped, the digest; and that real records satisfy them."""

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tfx_bsl.coders import example_coder
from worlds import paper

import crowdflow
from crowdflow.components.flow_schema.render import render
from crowdflow.components.tf_examples import encode_frames
from crowdflow.components.window_gen.transform import FramesToWindows
from crowdflow.config import Config
from crowdflow.config.beam_runner import LocalRunner
from crowdflow.flows.frames import FrameBlock
from crowdflow.flows.windows import SPLITS
from crowdflow.schema import features
from crowdflow.schema.intervals import date_to_minutes
from crowdflow.schema.templates import FRAMES, WINDOWS, parse

CONFIG = Config.from_dict(
    {
        "grid": {"rows": 2, "cols": 3},
        "intervals": {"minutes": 360},
        "ingest": {"max_flow": 50, "holidays": True, "weather": True},
        "windows": {**paper.LAGS, "closeness": 2, "period": 2, "horizon": 3},
        "split": {"test_days": 2, "eval_days": 2, "eval_share": None},
    }
)
COVARIATES = ["holiday", "weather", "temperature", "wind_speed", "weather_known"]


def shapes(text):
    return {f.name: [dim.size for dim in f.shape.dim] for f in parse(text).feature}


def test_shapes_are_concrete():
    scalars = dict.fromkeys(COVARIATES, [])
    assert shapes(render(FRAMES, CONFIG)) == scalars | {
        "interval_start": [],
        "inflow": [2, 3],
        "outflow": [2, 3],
    }
    maps = dict.fromkeys(
        ["target", *map(features.naive_feature, features.NAIVE_FORECASTS)],
        [3, 2, 3, 2],
    )
    lags = {"closeness": [2, 2, 3, 2], "period": [6, 2, 3, 2], "trend": [3, 2, 3, 2]}
    scalars |= dict.fromkeys(["target_time", "hour", "weekend"], [])
    others = maps | lags | {"active_cells": [2, 3]}
    assert shapes(render(WINDOWS, CONFIG)) == scalars | others


def test_bounds_follow_the_configuration():
    for name in (FRAMES, WINDOWS):
        for feature in parse(render(name, CONFIG)).feature:
            assert feature.presence.min_fraction == 1 and feature.HasField("shape")
            if feature.HasField("float_domain"):
                assert feature.float_domain.disallow_nan and feature.float_domain.disallow_inf
                if feature.name not in COVARIATES:
                    assert (feature.float_domain.min, feature.float_domain.max) == (0, 50)
    [active] = [f for f in parse(render(WINDOWS, CONFIG)).feature if f.name == "active_cells"]
    assert active.int_domain.max == 1


@pytest.mark.parametrize(
    ("setting", "frames", "windows"),
    [
        ({"windows.closeness": 0}, set(), {"closeness"}),
        ({"windows.period": 0, "windows.trend": 0}, set(), {"period", "trend"}),
        ({"ingest.holidays": False}, {"holiday"}, {"holiday"}),
        ({"ingest.weather": False}, {*COVARIATES[1:]}, {*COVARIATES[1:]}),
    ],
)
def test_what_is_not_configured_is_not_there(setting, frames, windows):
    other = CONFIG.replace(setting)
    for name, absent in ((FRAMES, frames), (WINDOWS, windows)):
        assert set(shapes(render(name, CONFIG))) - set(shapes(render(name, other))) == absent


def test_the_text_is_stable_and_changes_with_what_it_says():
    other = CONFIG.replace({"training.epochs": 1, "paths.root": "elsewhere", "seed": 5})
    assert render(FRAMES, other) == render(FRAMES, CONFIG)
    wider = CONFIG.replace({"windows.closeness": 3})
    assert render(FRAMES, wider) == render(FRAMES, CONFIG)
    assert render(WINDOWS, wider) != render(WINDOWS, CONFIG)


def test_editing_a_template_changes_the_text_even_by_a_comment(tmp_path):
    source = Path(crowdflow.__file__).parent
    shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("*.pyc"))
    code = "from crowdflow.components.flow_schema import render; print(render.__file__);"
    code += "from crowdflow.config import Config;"
    code += "print(*(render.render(n, Config()).splitlines()[0] for n in ('frames', 'windows')))"

    def digests():
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        where, texts = done.stdout.splitlines()
        assert where.startswith(str(tmp_path))
        return texts.split("# templates ")[1:]

    frames, windows = digests()
    for template, changed in (("windows", [False, True]), ("covariates", [True, True])):
        with (tmp_path / "crowdflow" / "schema" / f"{template}.pbtxt").open("a") as file:
            file.write("# a comment\n")
        now = digests()
        assert [now[0] != frames, now[1] != windows] == changed
        frames, windows = now


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Frames of three weeks, and the windows that WindowGen's transform makes of them, all serialized."""
    rng = np.random.default_rng(4)
    starts = date_to_minutes(dt.date(2014, 4, 1)) + np.arange(84) * 360
    known = {"holiday": starts // 1440 % 2, "weather": starts % 17, "weather_known": starts * 0 + 1}
    known |= {name: rng.random(84, np.float32) for name in ("temperature", "wind_speed")}
    maps = rng.integers(0, 50, (84, 2, 3, 2)).astype(np.float32)
    frames = encode_frames(FrameBlock(starts, maps, known))
    out = tmp_path_factory.mktemp("windows")
    with beam.Pipeline(LocalRunner()) as p:
        windows = FramesToWindows(CONFIG, [], str(tmp_path_factory.mktemp("maps")), SPLITS)
        results = p | beam.Create(frames) | windows
        for split in SPLITS:
            results[split] | split >> beam.io.WriteToTFRecord(str(out / split))
    files = sorted(map(str, out.iterdir()))
    return {FRAMES: frames, WINDOWS: list(tf.data.TFRecordDataset(files).as_numpy_iterator())}


def anomalies(serialized, text):
    batch = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(serialized)
    statistics = stats_impl.generate_statistics_in_memory(batch)
    return dict(tfdv.validate_statistics(statistics, parse(text)).anomaly_info)


@pytest.mark.parametrize("name", [FRAMES, WINDOWS])
def test_real_records_satisfy_their_schema_and_no_other(name, records):
    assert len(records[name]) > 20
    assert anomalies(records[name], render(name, CONFIG)) == {}
    assert set(anomalies(records[name], render(name, CONFIG.replace({"ingest.max_flow": 48.5}))))
    wrong = render(name, CONFIG.replace({"grid.rows": 3}))
    flows = (
        {"inflow", "outflow"} if name == FRAMES else {n for n in shapes(wrong) if shapes(wrong)[n]}
    )
    assert set(anomalies(records[name], wrong)) == flows
