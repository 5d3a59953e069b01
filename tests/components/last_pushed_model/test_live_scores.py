"""A real pushed model's own forecasts on the run's windows, against the serving client's from the files."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils
from worlds.pushed_city import push

import crowdflow.components.object_store_plugin  # noqa: F401  (io_utils then copies to there)
from crowdflow.components.last_pushed_model import live
from crowdflow.components.last_pushed_model.live import NO_COVARIATES
from crowdflow.config import Config
from crowdflow.evaluation.score import Forecasts, score
from crowdflow.flows.windows import missing_lags
from crowdflow.ingest.history import read_history
from crowdflow.schema import features
from crowdflow.serving.folder import ModelFolder
from crowdflow.serving.forecaster import Forecaster
from crowdflow.storage import live_file
from crowdflow.storage.map_store import MapStore
from crowdflow.storage.store_path import StorePath

DAY = 1440
PROMISE = {
    "rmse_active_cells": 3.0,
    "mae_active_cells": 2.0,
    "best_naive": "last_week",
    "best_naive_rmse": 4.0,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The pushed city, its windows as WindowGen's artifact, and its first test day since 1970."""
    city = push(tmp_path_factory.mktemp("pushed"))
    windows = standard_artifacts.Examples()
    windows.uri = str(tmp_path_factory.mktemp("windows"))
    windows.split_names = artifact_utils.encode_split_names(list(city.windows))
    maps = city.serving.parent.parent / "maps"
    shutil.copytree(maps / features.FRAMES_FOLDER, f"{windows.uri}/{features.FRAMES_FOLDER}")
    for split, records in city.windows.items():
        tf.io.gfile.makedirs(f"{windows.uri}/Split-{split}")
        with tf.io.TFRecordWriter(f"{windows.uri}/Split-{split}/windows.gz", "GZIP") as writer:
            for record in records:
                writer.write(record)
    starts = MapStore(f"{windows.uri}/{features.FRAMES_FOLDER}").starts
    return city, windows, int(starts[-1]) // DAY


def told(folder, day, **account):
    """Lets a model say that it was trained up to the end of a day."""
    path = folder / features.ACCOUNT_FILE
    known = json.loads(path.read_text()) | {"trained_until": day * DAY + 23 * 60} | account
    path.write_text(json.dumps(known))
    return folder


@pytest.fixture
def serving(world, tmp_path):
    """A serving folder with version 1, trained up to the third day before the last; and a function that scores."""
    city, windows, last = world
    folder = tmp_path / "serving"
    told(shutil.copytree(city.serving / "1", folder / "1"), last - 3)
    candidate = told(shutil.copytree(city.serving / "1", tmp_path / "candidate"), last - 2)
    (candidate / "other").write_text("another model")

    def run(where=folder, **settings):
        return live.record(where, candidate, windows, city.config.replace(settings))

    return folder, run


@pytest.fixture(scope="module")
def expected(world):
    """Day -> the score of the serving client's forecasts from the files."""
    city, _, last = world
    history = read_history(city.data, city.config)
    forecaster = Forecaster(ModelFolder(city.serving))
    found = {}
    for day in range(last - 2, last + 1):
        origins = day * DAY + 60 * np.arange(24)
        lost = [
            at for at, _, _ in missing_lags(history.frames.starts, origins, city.config.windows, 60)
        ]
        origins = np.setdiff1d(origins, lost)
        flows = forecaster.forecast(history, origins).flows
        found[day] = score(Forecasts(origins, flows), history.frames, 60, np.zeros(0, np.int64))
    return found


def test_the_lines_equal_the_serving_clients_scores(serving, world, expected):
    """With weather, holidays, averages and two steps."""
    folder, run = serving
    content, fault = run()
    assert (content["version"], content["skipped"], fault) == ("1", None, "")
    assert [line["version"] for line in content["days"]] == ["1"] * 3
    for line, (day, found) in zip(content["days"], expected.items()):
        assert line["day"] == str(np.datetime64(day, "D"))
        made = line["scored"] + line["left_out"].get(NO_COVARIATES, 0)
        assert line["gap"] is None and line["windows"] * 2 >= line["scored"] > 40
        if made == line["scored"]:
            assert line["scored"] == found["scored"]
            for source, errors in found["metrics"].items():
                assert line["metrics"][source] == pytest.approx(errors, rel=1e-4), source
    assert sum(not line["left_out"].get(NO_COVARIATES) for line in content["days"]) >= 2
    assert live_file.read(folder)["days"] == content["days"] == content["record"]


def test_the_days_begin_after_the_models_own_test(serving, world):
    """A model that was not refitted has not learnt its test days, but was approved on them."""
    folder, run = serving
    _, _, last = world
    push = {"until": (last - 1) * DAY + 23 * 60, "promise": PROMISE}
    live_file.update(folder, lambda record: record | {"pushes": {"1": push}})
    content, _ = run()
    [line] = content["days"]
    assert line["day"] == str(np.datetime64(last, "D")) and line["promise"] == PROMISE
    assert content["verdict"]["promise"] == PROMISE
    for source, errors in content["verdict"]["metrics"].items():
        assert errors == pytest.approx(line["metrics"][source])


def test_again_changes_nothing(serving):
    folder, run = serving
    first, _ = run()
    before = (folder / features.LIVE_FILE).stat().st_mtime_ns
    again, _ = run()
    assert (folder / features.LIVE_FILE).stat().st_mtime_ns == before
    assert again["record"] == first["record"] and again["candidate"] == first["candidate"]
    assert again["verdict"] == first["verdict"]


def test_the_candidate_is_compared_on_days_that_neither_has_seen(serving, world):
    folder, run = serving
    _, _, last = world
    content, fault = run()
    compared = content["candidate"]
    assert (compared["first"], compared["last"]) == tuple(
        str(np.datetime64(day, "D")) for day in (last - 1, last)
    )
    assert compared["rmse"] == compared["served_rmse"] > 0  # the same weights
    assert compared["newer_days"] == -1 and fault == ""
    assert run(**{"evaluation.live_tolerance": 0.0})[1] == ""


def test_a_candidate_that_is_worse_is_held_back_when_the_setting_says_so():
    compared = {"first": "a", "last": "b", "rmse": 2.1, "served_rmse": 2.0, "newer_days": 5}
    found = {"version": "7", "candidate": compared}

    def fault(**settings):
        return live._held_back(
            found, Config().replace({f"evaluation.{n}": v for n, v in settings.items()})
        )

    assert fault() == fault(live_tolerance=0.05) == ""
    assert fault(live_tolerance=0.0, push_unblessed=True) == ""
    assert (
        "on a to b, which neither has seen, its RMSE 2.1000 is above 2.0200 = 1.01 x 2.0000"
        in fault(live_tolerance=0.01)
    )


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"grid.rows": 6}, "its grid.rows is 5, here it is 6"),
        ({"intervals.minutes": 30}, "its intervals.minutes is 60, here it is 30"),
        ({"ingest.weather": False}, "its ingest.weather is True, here it is False"),
    ],
)
def test_a_model_of_other_data_is_skipped_with_the_reason(serving, settings, reason):
    folder, run = serving
    content, fault = run(**settings)
    assert (content["skipped"], content["days"], fault) == (reason, [], "")
    assert not (folder / features.LIVE_FILE).exists()


def test_a_model_of_other_windows_is_scored_with_its_own(serving, world):
    _, run = serving
    assert run(**{"windows.closeness": 9, "windows.average": 3})[0]["days"] == run()[0]["days"]


@pytest.mark.parametrize("text", ["{", "{}", '{"config": {}}', '{"format": 99}'])
def test_a_model_that_does_not_tell_is_skipped(serving, text):
    folder, run = serving
    (folder / "1" / features.ACCOUNT_FILE).write_text(text)
    content, _ = run()
    assert content["skipped"] and content["days"] == []


def test_a_model_that_cannot_be_loaded_is_skipped(serving):
    folder, run = serving
    (folder / "1" / "saved_model.pb").write_bytes(b"garbage")
    content, _ = run()
    assert content["skipped"] and content["days"] == []


def test_without_a_day_since_the_push_nothing_is_written(serving, world):
    folder, run = serving
    told(folder / "1", world[2])
    content, _ = run()
    assert (content["days"], content["verdict"], content["skipped"]) == ([], None, None)
    assert not (folder / features.LIVE_FILE).exists()


def test_the_same_in_an_object_store(serving, bucket):
    folder, run = serving
    io_utils.copy_dir(str(folder / "1"), f"{bucket}/serving/1")
    content, _ = run(StorePath(f"{bucket}/serving"))
    assert content["days"] == run()[0]["days"]
    assert live_file.read(StorePath(f"{bucket}/serving"))["days"] == content["days"]
