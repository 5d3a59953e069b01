"""A folder that grows by a file a day: each run reads the last weeks, and is judged against the model before."""

from pathlib import Path

import pandas as pd
import pytest
from worlds.feed import RANGE, Feed
from worlds.metrics import close

from crowdflow.schema.features import NAIVE_FORECASTS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

RMSE = "rmse_active_cells"
# They look at the serving folder each time.
ALWAYS = {"LastPushedModel", "Pusher"}
STRICT, TOLERANT = ({"evaluation__pushed_tolerance": share} for share in (0, 0.5))
ONE_STEP = {
    "training__epochs": 1,
    "training__final_epochs": 0,
    "training__steps_per_epoch": 1,
}


@pytest.fixture(scope="module")
def feed(tmp_path_factory) -> Feed:
    return Feed(tmp_path_factory.mktemp("feed"))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("daily") / "root"


@pytest.fixture(scope="module")
def daily(feed, root, crowdflow):
    """The same command, every day."""
    return lambda **settings: crowdflow(root, data=[feed.folder], **{**RANGE, **settings})


@pytest.fixture(scope="module")
def monday(feed, daily):
    """The first run: five weeks of files are there."""
    feed.deliver("2024-04-01", "2024-05-05")
    return daily()


@pytest.fixture(scope="module")
def again(monday, daily):
    return daily()


@pytest.fixture(scope="module")
def refused(again, feed, daily):
    """A week later, with no room for a model that is any worse; the new one is, by a little."""
    feed.deliver("2024-05-06", "2024-05-12")
    return daily(**STRICT)


@pytest.fixture(scope="module")
def pushed(refused, daily):
    """The same day, with room for a model that is about as good."""
    return daily(**TOLERANT)


@pytest.fixture(scope="module")
def shifted(pushed, feed, daily):
    """Another week later twice as many people are about."""
    feed.deliver("2024-05-13", "2024-05-19", factor=2)
    return daily(**ONE_STEP)


def spans(run) -> list[int]:
    """The spans of FlowExampleGen's artifacts, oldest first."""
    from ml_metadata import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(run.root / "metadata.sqlite")
    store = metadata_store.MetadataStore(connection)
    found = [a for a in store.get_artifacts_by_type("Examples") if "FlowExampleGen" in a.uri]
    return [a.custom_properties["span"].int_value for a in sorted(found, key=lambda a: a.id)]


def day(text: str) -> int:
    return (pd.Timestamp(text) - pd.Timestamp(0)).days


def test_the_first_range_is_read_to_the_newest_file_and_pushed(monday):
    assert monday.code == 0, monday.output
    frames = monday.summary["counters"]["frames"]
    assert frames["frames"] == 35 * 24
    assert frames["range"]["first_day"] == "2024-04-01"
    assert frames["range"]["first_target_day"] == "2024-04-08"
    assert frames["range"]["last_day"] == "2024-05-05"
    assert spans(monday) == [day("2024-05-05")]
    assert "range: 35 days up to 2024-05-05, 37 files" in monday.output
    assert monday.summary["drift"]["not_compared"] == "no pushed model to compare with"
    assert "drift: not compared, no pushed model" in monday.output


def test_without_a_new_file_everything_comes_from_cache(monday, again):
    assert again.code == 0
    assert again.executed <= ALWAYS
    assert again.summary["pushed_model"] == monday.summary["pushed_model"]
    assert again.summary["metrics"] == monday.summary["metrics"]


def test_a_later_range_is_read_anew_and_what_did_not_change_is_not(refused):
    frames = refused.summary["counters"]["frames"]
    assert frames["range"]["first_day"] == "2024-04-08"
    assert frames["range"]["last_day"] == "2024-05-12"
    assert frames["range"]["files_left_out"] == 7
    assert frames["first_interval"] == "2024-04-08 00:00"
    assert spans(refused) == [day("2024-05-05"), day("2024-05-12")]
    assert refused.executed == set(refused.states) - {"FlowSchema"}


def test_a_worse_model_than_the_pushed_one_is_refused_for_that(monday, refused):
    assert refused.code == 2
    metrics = refused.summary["metrics"]
    own, best = metrics["model"][RMSE], min(metrics[source][RMSE] for source in NAIVE_FORECASTS)
    assert metrics["last_pushed"][RMSE] < own < best
    naive, *_, last = refused.summary["reasons"]
    assert "is below" in naive and "best naive forecast" in naive
    assert "is above" in last and "last pushed model" in last
    assert refused.summary["pushed_model"] is None
    assert refused.versions == monday.versions


def test_within_the_tolerance_it_is_pushed_and_nothing_is_trained_again(monday, refused, pushed):
    assert pushed.code == 0
    assert pushed.executed == {"LastPushedModel", "Evaluator", "Refit", "Pusher", "FlowReportGen"}
    assert pushed.summary["metrics"] == close(refused.summary["metrics"])
    *_, last = pushed.summary["reasons"]
    assert "is at most" in last and "last pushed model" in last
    assert len(pushed.versions) == len(monday.versions) + 1


def test_the_same_city_a_week_later_is_no_drift(monday, refused, pushed):
    version = Path(monday.summary["pushed_model"]).name
    for run in (refused, pushed):
        drift = run.summary["drift"]
        assert drift["version"] == version
        # The test period has five days; the training of the first run ended before its own.
        assert drift["newest"] == "2024-05-08 00:00 to 2024-05-12 23:00"
        assert drift["training"] == "2024-04-08 00:00 to 2024-04-30 23:00"
        assert len(drift["measurements"]) == 10 and drift["anomalies"] == []
        assert "drift: none in 10 distributions" in run.output


def test_a_shifted_range_raises_the_anomaly_and_does_not_stop(monday, pushed, shifted):
    assert shifted.code == 2  # one training step is no model; drift alone stops nothing
    assert set(shifted.states.values()) <= {"executed", "cached"}
    drift = shifted.summary["drift"]
    versions = {Path(run.summary["pushed_model"]).name for run in (monday, pushed)}
    assert drift["version"] in versions  # the better one on these days
    assert any("sizes of flows" in line for line in drift["anomalies"])
    page = (shifted.root / shifted.summary["report"]).read_text(encoding="utf-8")
    assert 'class="verdict bad" id="drift"' in page
    for line in drift["anomalies"]:
        assert line in page and line in shifted.output


def artifact_bytes(root: Path, output: str) -> dict[str, bytes]:
    """The files of an output's first artifact in a root."""
    first = min((root / "artifacts" / output).iterdir(), key=lambda folder: int(folder.name))
    return {str(f.relative_to(first)): f.read_bytes() for f in first.rglob("*") if f.is_file()}


def test_a_run_as_of_an_earlier_day_is_the_one_of_that_day(
    monday, shifted, crowdflow, feed, tmp_path
):
    as_of = {**RANGE, "range__last_date": "2024-05-05"}
    late = crowdflow(tmp_path / "root", data=[feed.folder], **as_of)
    assert late.summary["counters"]["windows"] == monday.summary["counters"]["windows"]
    assert late.summary["metrics"] == close(monday.summary["metrics"])
    for output in ("FlowExampleGen/examples", "WindowGen/windows"):
        found = artifact_bytes(late.root, output)
        assert found and found == artifact_bytes(monday.root, output), output


def test_too_little_data_says_so_and_pushes_nothing(shifted, feed, daily):
    feed.lose("2024-04-29", "2024-05-08")
    run = daily()
    assert run.code == 1
    [reason] = run.summary["reasons"]
    assert reason.startswith("FlowExampleGen: Too little data: expected frames for 80%")
    assert "672 or more. Received 600 (71.4%). Days without a file: 10 (2024-04-29," in reason
    assert run.versions == shifted.versions
    late = daily(range__last_date="2024-05-21")
    assert late.code == 1
    assert "range.last_date 2024-05-21: expected a file of that date" in late.output
    assert late.versions == shifted.versions
