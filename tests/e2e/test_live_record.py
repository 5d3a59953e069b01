"""Every morning's score of the model that was pushed the day before, over days with a broken feed among them."""

import json
from pathlib import Path

import pandas as pd
import pytest
from worlds.feed import RANGE, Feed

from crowdflow.schema.features import LIVE_FILE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

# Any model is pushed: what counts here is what is said of it afterwards.
SETTINGS = RANGE | {
    "training__epochs": 2,
    "training__final_epochs": 0,
    "evaluation__push_unblessed": True,
    "windows__period": 0,
}


@pytest.fixture(scope="module")
def feed(tmp_path_factory) -> Feed:
    return Feed(tmp_path_factory.mktemp("feed"))


@pytest.fixture(scope="module")
def daily(feed, tmp_path_factory, crowdflow):
    """The same command, every day; returns the run and the record as it then is, as text."""
    root = tmp_path_factory.mktemp("live") / "root"

    def run(**settings):
        found = crowdflow(root, data=[feed.folder], **{**SETTINGS, **settings})
        path = root / "serving" / "crowdflow" / LIVE_FILE
        return found, path.read_text() if path.exists() else ""

    return run


@pytest.fixture(scope="module")
def first(feed, daily):
    feed.deliver("2024-04-01", "2024-05-05")
    return daily()


@pytest.fixture(scope="module")
def second(first, feed, daily):
    feed.deliver("2024-05-06", "2024-05-06")
    return daily()


@pytest.fixture(scope="module")
def again(second, daily):
    return daily()


@pytest.fixture(scope="module")
def third(again, feed, daily):
    """Its own push has not learnt its test days."""
    feed.deliver("2024-05-07", "2024-05-07")
    return daily(evaluation__refit=False)


@pytest.fixture(scope="module")
def broken(third, feed, daily):
    """Nothing came on the 8th, and the 9th is all there."""
    feed.deliver("2024-05-09", "2024-05-09")
    return daily()


def version(run) -> str:
    return Path(run.summary["pushed_model"]).name


def lines(record: str) -> list[tuple[str, str]]:
    return [(line["day"], line["version"]) for line in json.loads(record)["days"]]


def test_the_first_push_begins_an_empty_record_with_its_promise(first):
    run, record = first
    assert run.code == 0, run.output
    model = run.summary["metrics"]["model"]
    found = json.loads(record)
    assert found["days"] == []
    push = found["pushes"].pop(version(run))
    assert found["pushes"] == {}
    assert push["promise"]["rmse_active_cells"] == model["rmse_active_cells"]
    assert (
        push["until"] == (pd.Timestamp("2024-05-05 23:00") - pd.Timestamp(0)).total_seconds() / 60
    )
    assert "live: no pushed model to score" in run.output
    assert run.summary["live"]["version"] is None
    assert not (run.root / "metrics").exists()


def test_the_record_grows_by_a_day_each(first, second, third, broken):
    pushed = [version(run) for run, _ in (first, second, third)]
    assert lines(second[1]) == [("2024-05-06", pushed[0])]
    assert lines(third[1]) == [*lines(second[1]), ("2024-05-07", pushed[1])]
    gap = [("2024-05-08", pushed[2]), ("2024-05-09", pushed[2])]
    assert lines(broken[1]) == [*lines(third[1]), *gap]


def test_the_same_day_again_changes_nothing(second, again):
    assert again[1] == second[1]
    assert again[0].executed <= {"LastPushedModel", "Pusher"}
    assert again[0].summary["live"] == second[0].summary["live"]


def test_a_broken_feed_is_a_gap_and_no_score(broken):
    run, record = broken
    gap, after = json.loads(record)["days"][-2:]
    assert gap["metrics"] is None and gap["scored"] == 0 and gap["gap"]
    assert sum(gap["left_out"].values()) == gap["due"] == 24
    assert after["gap"] is None and after["scored"] >= 0.8 * after["due"]
    assert "no figures for 2024-05-08" in run.output
    page = (run.root / "report" / "index.html").read_text(encoding="utf-8")
    assert 'id="live"' in page and 'id="figure-live"' in page
    assert "2024-05-08" in page


@pytest.mark.parametrize("number", [0, 1, 3])
def test_figures_equal_those_of_score(feed, first, broken, tmp_path, number):
    """The model's own forecasts by `batch`, and `score` on the files that the run read."""
    from crowdflow.serving import batch
    from crowdflow.serving.scoring import score_files

    run, record = broken
    line = json.loads(record)["days"][number]
    day = pd.Timestamp(line["day"])
    data = [
        str(feed.folder / f"{d:%Y/%m/%d}") for d in pd.date_range(day - pd.Timedelta(34, "D"), day)
    ]
    data = [path for path in data if Path(path).exists()]
    data += [str(path) for path in feed.folder.iterdir() if path.is_file()]
    serving = str(run.root / "serving" / "crowdflow")
    name = int(line["version"])
    batch.run(serving, name, data, line["day"], line["day"], tmp_path, (), lambda text: None)
    found = score_files([str(tmp_path)], data, serving, name, None, {})
    assert line["scored"] == found["scored"]
    assert line["active_cells"] == found["active_cells"]
    for source, errors in found["metrics"].items():
        assert line["metrics"][source] == pytest.approx(errors, rel=1e-5), source


def test_the_console_and_the_summary_have_the_same_figure(second):
    run, record = second
    [line] = json.loads(record)["days"]
    rmse = line["metrics"]["model"]["rmse_active_cells"]
    live = run.summary["live"]
    assert live["verdict"]["metrics"]["model"]["rmse_active_cells"] == pytest.approx(rmse)
    promised = live["verdict"]["promise"]["rmse_active_cells"]
    assert f"RMSE {rmse:.3f} on 2024-05-06, {promised:.3f} promised" in run.output
    assert "On 2024-05-06 to 2024-05-06, which neither has seen" in run.output
    assert live["candidate"]["served_rmse"] == pytest.approx(rmse)


def test_prometheus_has_the_last_runs_figures(broken):
    run, _ = broken
    errors = run.summary["live"]["verdict"]["metrics"]["model"]
    gauges = dict(
        line.rsplit(" ", 1)
        for line in (run.root / "metrics" / "crowdflow.prom").read_text().splitlines()
        if not line.startswith("#")
    )
    assert float(gauges['crowdflow_forecast_rmse{source="model"}']) == pytest.approx(
        errors["rmse_active_cells"]
    )
    last = (pd.Timestamp("2024-05-09 23:00") - pd.Timestamp(0)).total_seconds() / 60
    assert float(gauges["crowdflow_forecast_last_interval_minutes"]) == last
