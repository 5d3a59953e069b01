"""The Transform graph, fitted for real, against numpy and Python's own calendar."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from worlds.transform_graph import analyze

from crowdflow.flows.extremes import extreme_windows
from crowdflow.flows.holiday_table import holiday_dates
from crowdflow.schema import features
from crowdflow.trainer import input_fn
from crowdflow.trainer.inputs import raw_inputs
from crowdflow.trainer.preprocessing import preprocessing_fn


@pytest.fixture(scope="module")
def transformed(world):
    patterns = {split: world.files(split) for split in ("train", "eval", "test")}
    return input_fn.load_splits(patterns, world.graph, world.config)


def in_order(raw):
    order = np.argsort(raw[features.TARGET_TIME])
    return {name: values[order] for name, values in raw.items()}


MAPS = ("closeness", "period", "trend", "target")


def test_scaling_is_by_the_train_windows_alone(world, transformed):
    train = world.raw["train"]
    low = min(train[name].min() for name in MAPS)
    high = max(train[name].max() for name in MAPS)
    assert (low, high) == (2.0, 40.0)
    for split, arrays in transformed.items():
        raw = in_order(world.raw[split])
        for name in MAPS:
            expected = 2 * (raw[name].astype(np.float64) - low) / (high - low) - 1
            assert arrays[name].dtype == np.float32
            np.testing.assert_allclose(arrays[name], expected, atol=1e-6)
        np.testing.assert_array_equal(arrays[features.FLOW_MIN], np.full(len(raw["target"]), low))
        np.testing.assert_array_equal(arrays[features.FLOW_MAX], np.full(len(raw["target"]), high))
    everything = np.concatenate([transformed["train"][n].ravel() for n in MAPS])
    assert (everything.min(), everything.max()) == (-1, 1)
    assert transformed["test"]["closeness"].max() > 2  # nothing is clipped


@pytest.mark.parametrize("name", ["world", "table_world"])
def test_the_windows_with_the_extremes_give_the_graph_of_all(name, request, tmp_path):
    """Transform analyses WindowGen's split `scaling`: an analyzer of more than extremes would show here."""
    world = request.getfixturevalue(name)
    train = world.raw["train"]
    maps = np.concatenate([train[n].reshape(13, -1) for n in (*MAPS, "average")], axis=1)
    flows = np.stack([maps.min(axis=1), maps.max(axis=1)], axis=1)
    inputs = [*raw_inputs(world.config), "target"]
    covariates = {n: train[n] for n in inputs if train[n].ndim < 3}
    rows = extreme_windows(flows, covariates)
    assert 2 <= len(rows) < 13
    chosen = {n: values[rows] for n, values in train.items()}
    analyze(world.config, world.encode(chosen), tmp_path)
    graph = tft.TFTransformOutput(str(tmp_path / "transform"))
    raw = {n: tf.constant(world.raw["eval"][n]) for n in inputs}
    expected, found = (g.transform_features_layer()(raw) for g in (world.graph, graph))
    assert sorted(found) == sorted(expected)
    for feature, values in expected.items():
        np.testing.assert_array_equal(found[feature], values, err_msg=feature)


def test_external_vector_equals_pythons_calendar(world, transformed, external_reference):
    for split, arrays in transformed.items():
        raw = in_order(world.raw[split])
        expected = external_reference(raw, world.config, world.raw["train"])
        assert arrays[features.EXTERNAL].dtype == np.float32
        assert expected.shape[1] == 7 + 1 + 24 + 1 + 48 + 17 + 2
        np.testing.assert_allclose(arrays[features.EXTERNAL], expected, atol=1e-6)


def test_unknown_weather_leaves_no_trace(world):
    """Whatever stands in the masked fields: the graph reads them as absent."""
    layer = world.graph.transform_features_layer()
    raw = {name: tf.constant(values) for name, values in world.raw["test"].items()}
    raw[features.WEATHER_KNOWN] = tf.zeros_like(raw[features.WEATHER_KNOWN])
    other = dict(raw)
    other[features.WEATHER] = raw[features.WEATHER] * 0 + 5
    other[features.TEMPERATURE] = raw[features.TEMPERATURE] + 77
    np.testing.assert_array_equal(layer(raw)["external"], layer(other)["external"])
    assert not layer(raw)["external"].numpy()[:, -19:].any()


@pytest.mark.parametrize(
    "time, day, slot",
    [
        ("1970-01-01 00:00", 3, 0),  # the epoch, a Thursday
        ("2014-09-21 23:59", 6, 23),
        ("2016-02-29 12:00", 0, 12),
        ("2100-03-01 01:00", 0, 1),
    ],
)
def test_weekday_and_slot_at_the_calendars_corners(world, time, day, slot):
    layer = world.graph.transform_features_layer()
    raw = {name: tf.constant(values[:1]) for name, values in world.raw["test"].items()}
    minutes = np.datetime64(time.replace(" ", "T"), "m").astype(np.int64)
    external = layer({**raw, features.TARGET_TIME: tf.constant([minutes], tf.int64)})[
        "external"
    ].numpy()[0]
    assert external[:7].tolist() == [float(i == day) for i in range(7)]
    assert external[7] == (day < 5)
    assert external[8:32].argmax() == slot and external[8:32].sum() == 1


@pytest.mark.parametrize(
    "settings, width",
    [
        ({}, 7 + 1 + 24 + 1 + 48 + 19),
        ({"transform.day_of_week": False, "intervals.minutes": 30}, 48 + 1 + 96 + 19),
        ({"transform.time_of_day": False, "ingest.weather": False}, 7 + 1 + 1 + 48),
        ({"transform.time_of_day_type": False, "ingest.holidays": False}, 7 + 1 + 24 + 19),
    ],
)
def test_only_the_configured_sources_are_in_the_external_vector(world, settings, width):
    config = world.config.replace(settings)
    assert traced(config, world.raw["train"])[features.EXTERNAL].shape.as_list() == [None, width]


def test_no_external_vector_without_a_source(world):
    off = {
        "transform.day_of_week": False,
        "transform.time_of_day": False,
        "transform.time_of_day_type": False,
        "model.external": False,
    }
    config = world.config.replace({**off, "ingest.weather": False, "ingest.holidays": False})
    raw = {name: world.raw["train"][name] for name in ("closeness", "target", "target_time")}
    out = traced(config, raw)
    assert sorted(out) == ["closeness", "flow_max", "flow_min", "target", "target_time"]


def traced(config, raw):
    """The outputs of preprocessing_fn as symbolic tensors: its shapes need no fit."""
    custom = {
        "config": config.section("intervals", "ingest", "transform"),
        "holidays": holiday_dates(config.transform),
    }
    with tf.Graph().as_default():
        inputs = {
            name: tf.compat.v1.placeholder(values.dtype, [None, *values.shape[1:]])
            for name, values in raw.items()
        }
        return preprocessing_fn(inputs, custom)
