"""Drift of the simulated city's newest week: raised by other flows, and by nothing else; the node around it."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from crowdflow.components.artifacts import FlowCounters
from crowdflow.components.flow_drift.component import FlowDrift
from crowdflow.components.flow_report.drift_section import drift_section
from crowdflow.components.flow_schema.render import render
from crowdflow.components.last_pushed_model.words import VERSION
from crowdflow.components.tf_examples import encode_columns
from crowdflow.config import Config
from crowdflow.evaluation.drift.compare import compare, newest
from crowdflow.evaluation.drift.profile import profile
from crowdflow.evaluation.drift.statistics import (
    read_training_statistics,
    to_statistics,
    write_training_statistics,
)
from crowdflow.evaluation.drift.words import in_words, verdict
from crowdflow.schema import features
from crowdflow.schema.templates import DRIFT, parse
from crowdflow.simulation.city import CitySpec, simulate
from crowdflow.trainer.run_fn import write_statistics
from crowdflow.trainer.windows import Windows

CONFIG = Config().replace({"grid.rows": 4, "grid.cols": 4, "drift.days": 7})
SCHEMA = parse(render(DRIFT, CONFIG))
NAMES = [feature.name for feature in SCHEMA.feature]
SIZES = {f"{c}_{k}" for c in ("inflow", "outflow") for k in ("workday", "weekend")}
HOURS = {f"{name}_by_hour" for name in SIZES}
CELLS = {"inflow_by_cell", "outflow_by_cell"}


@dataclasses.dataclass
class Span:
    """Some intervals of the city: `starts` `[n]` and `maps` `[n, 4, 4, 2]`."""

    starts: np.ndarray
    maps: np.ndarray

    def of_days(self, begin, end):
        day = (self.starts - self.starts[0]) // 1440
        chosen = (day >= begin) & (day < end)
        return Span(self.starts[chosen], self.maps[chosen])

    @property
    def statistics(self):
        return to_statistics(profile(self.starts, self.maps))


@pytest.fixture(scope="module", params=[1, 2])
def city(request):
    found = simulate(CitySpec(rows=4, cols=4, days=56, seed=request.param))
    return Span(found.starts, found.frames)


@pytest.fixture(scope="module")
def training(city):
    return city.of_days(0, 28)


def drifted(training, new):
    measurements, lines = compare(new.statistics, training.statistics, SCHEMA)
    names = {measured["feature"] for measured in measurements if measured["drifted"]}
    assert len(lines) == len(names)
    return names


def divergence(first, second):
    """Jensen-Shannon's, in bits, of two vectors of counts."""
    first, second = first / first.sum(), second / second.sum()
    middle = (first + second) / 2

    def to_middle(part):
        held = part > 0
        return (part[held] * np.log2(part[held] / middle[held])).sum()

    return (to_middle(first) + to_middle(second)) / 2


def test_every_distribution_has_its_comparator_and_its_threshold():
    assert set(NAMES) == SIZES | HOURS | CELLS
    thresholds = {"drift.sizes": 0.11, "drift.hours": 0.22, "drift.cells": 0.33}
    for feature in parse(render(DRIFT, CONFIG.replace(thresholds))).feature:
        part = next(p for p, names in enumerate((SIZES, HOURS, CELLS)) if feature.name in names)
        threshold = feature.drift_comparator.jensen_shannon_divergence.threshold
        assert threshold == pytest.approx(0.11 * (part + 1))


def test_measurements_are_the_divergences(training, city):
    new = city.of_days(28, 35)
    measurements, _ = compare(new.statistics, training.statistics, SCHEMA)
    assert [measured["feature"] for measured in measurements] == sorted(NAMES)
    profiles = [profile(span.starts, span.maps) for span in (new, training)]
    for measured in measurements:
        name = measured["feature"]
        counts = [{**found.sizes, **found.trips}[name] for found in profiles]
        assert measured["divergence"] == pytest.approx(divergence(*counts), abs=1e-6)
        assert measured["drifted"] == (measured["divergence"] > measured["threshold"])


@pytest.mark.parametrize("first", [28, 30, 35, 42, 49])
@pytest.mark.parametrize("days", [5, 7])
def test_other_weeks_of_the_same_city_are_no_drift(training, city, first, days):
    assert drifted(training, city.of_days(first, first + days)) == set()


def test_doubled_flows_are(training, city):
    new = city.of_days(28, 35)
    new.maps *= 2
    assert drifted(training, new) == SIZES


@pytest.mark.parametrize("hours", [2, 6, -3])
def test_another_daily_rhythm_is(training, city, hours):
    new = city.of_days(28, 35)
    new.maps = np.roll(new.maps, hours, axis=0)
    found = drifted(training, new)
    assert {"inflow_workday_by_hour", "outflow_workday_by_hour"} <= found <= HOURS


def test_flows_in_other_places_are(training, city):
    new = city.of_days(28, 35)
    new.maps = new.maps[:, ::-1]
    assert drifted(training, new) == CELLS


def test_a_kind_of_days_that_one_side_lacks_is_not_compared(training, city):
    new = city.of_days(28, 33)  # Monday to Friday
    measurements, _ = compare(new.statistics, training.statistics, SCHEMA)
    assert {m["feature"] for m in measurements} == {n for n in NAMES if "weekend" not in n}


def test_the_newest_days_are_counted_back_from_the_last():
    starts = np.array([5, 2, 4, 4, 9]) * 1440 + 700
    assert newest(starts, 5).tolist() == [True, False, False, False, True]
    assert newest(starts, 100).all()


def test_what_the_trainer_writes_is_the_profile_of_its_targets(training, tmp_path):
    low, high = 0.0, float(training.maps.max())
    scaled = (2 * (training.maps - low) / (high - low) - 1).astype(np.float32)
    half, rows = len(scaled) // 2, np.arange(len(scaled))[:, None]
    every = Windows(scaled, {features.TARGET: rows}, {features.TARGET_TIME: training.starts})
    splits = [every.part(slice(half, None)), every.part(slice(0, half))]
    write_statistics(splits, low, high, str(tmp_path))
    write_training_statistics(profile(training.starts, training.maps), str(tmp_path / "plain"))
    found, expected = (
        {f.path.step[0]: f for f in read_training_statistics(str(path)).datasets[0].features}
        for path in (tmp_path, tmp_path / "plain")
    )
    assert found.keys() == expected.keys() == set(NAMES)
    for name in SIZES:
        assert found[name] == expected[name]
    for name in HOURS | CELLS:
        counts, wanted = (
            {b.label: b.sample_count for b in f[name].string_stats.rank_histogram.buckets}
            for f in (found, expected)
        )
        assert counts == pytest.approx(wanted, rel=1e-5)


@pytest.fixture
def node(tmp_path, training):
    """Runs the node on windows of some flows; returns its account."""

    def run(new, version="17", with_statistics=True):
        windows, baseline, drift = (
            kind() for kind in (standard_artifacts.Examples, standard_artifacts.Model, FlowCounters)
        )
        for artifact, name in ((windows, "windows"), (baseline, "baseline"), (drift, "drift")):
            artifact.uri = str(tmp_path / name)
        windows.split_names = '["train", "eval", "test"]'
        (tmp_path / "windows/Split-test").mkdir(parents=True)
        targets = {features.TARGET: new.maps[:, None], features.TARGET_TIME: new.starts}
        with tf.io.TFRecordWriter(f"{windows.uri}/Split-test/part.gz", "GZIP") as file:
            for record in encode_columns(targets):
                file.write(record)
        if with_statistics:
            folder = tmp_path / "baseline" / "Format-Serving"
            write_training_statistics(profile(training.starts, training.maps), str(folder))
        baseline.set_string_custom_property(VERSION, version)
        FlowDrift.EXECUTOR_SPEC.executor_class().Do(
            {"windows": [windows], "baseline": [baseline]},
            {"drift": [drift]},
            {
                "schema_text": render(DRIFT, CONFIG),
                "config": CONFIG.section("grid", "intervals", "windows", "drift"),
                "code_fingerprint": "code",
            },
        )
        return json.loads((tmp_path / "drift/drift.json").read_text())

    return run


def test_the_node_compares_the_newest_days_with_the_training(node, city):
    new = city.of_days(30, 44)
    new.maps[7 * 24 :] *= 2
    account = node(new)
    assert account["version"] == "17" and account["not_compared"] is None
    assert account["newest"] == "2024-05-08 00:00 to 2024-05-14 23:00"
    assert account["training"] == "2024-04-01 00:00 to 2024-04-28 23:00"
    assert len(account["measurements"]) == 10
    assert len(account["anomalies"]) == 4
    line = account["anomalies"][0]
    assert line.startswith("inflow on weekends, sizes of flows: Jensen-Shannon divergence 0.")
    assert line.endswith(", above 0.07")
    assert verdict(account) == (
        "drift: 4 of 10 distributions, 2024-05-08 00:00 to 2024-05-14 23:00 against the training "
        "data of version 17"
    )
    section = drift_section(account)
    assert section["anomalies"] == account["anomalies"]
    assert [row["tone"] for row in section["rows"]].count("bad") == 4


@pytest.mark.parametrize(
    ("version", "with_statistics", "said"),
    [
        ("", True, "no pushed model to compare with"),
        ("17", False, "version 17 has no statistics of its training data"),
    ],
)
def test_the_node_says_why_nothing_is_compared(node, city, version, with_statistics, said):
    account = node(city.of_days(28, 35), version, with_statistics)
    assert account["not_compared"] == said
    assert (account["measurements"], account["anomalies"], account["training"]) == ([], [], None)
    assert verdict(account) == f"drift: not compared, {said}"
    assert said in drift_section(account)["verdict"]
    assert drift_section(account)["rows"] == []
    assert drift_section(None) is None


def test_names_for_people():
    assert [in_words(name) for name in ("inflow_by_cell", "outflow_weekend_by_hour")] == [
        "inflow, by cell",
        "outflow on weekends, by hour of the day",
    ]
