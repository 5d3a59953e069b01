"""Runs that are tied to their days: by a schedule, and by a back-fill."""

import subprocess
import sys
from pathlib import Path

import pytest

from crowdflow.pipeline.kubeflow.backfill import days_between
from crowdflow.schema.errors import ConfigError, SubmitError

GOLDEN = Path(__file__).with_name("golden.yaml")
COMMAND = Path(sys.executable).with_name("crowdflow")
NAME = "crowdflow-tiny-city"


@pytest.mark.parametrize("catch_up", [False, True])
def test_a_schedule_hands_each_run_its_day(server, send, catch_up):
    send(cron="0 5 * * *", scheduled_day=True, catch_up=catch_up)
    [made] = server.sent("POST", "/recurringruns")
    assert made.body["no_catchup"] is not catch_up
    given = made.body["runtime_config"]["parameters"]
    assert given == {"last_date": "before [[ScheduledTime.2006-01-02]]"}


def test_a_backfill_runs_day_after_day(server, send):
    server.states = ["RUNNING", "SUCCEEDED", "SUCCEEDED"]
    lines = send(days=days_between("2024-02-28", "2024-03-01")[:2], parameters={"training": "{}"})
    calls = [(r.method, r.path) for r in server.requests if r.path.startswith("/runs")]
    start, look = ("POST", "/runs"), ("GET", "/runs/r-1")
    assert calls == [start, look, look, start, look]  # the second starts after the first has ended
    days = [r.body["runtime_config"]["parameters"] for r in server.sent(*start)]
    assert days == [{"training": "{}", "last_date": f"2024-02-{day}"} for day in (28, 29)]
    assert server.sent(*start)[0].body["display_name"] == f"{NAME} as of 2024-02-28"
    assert lines[-1] == "2024-02-29: succeeded"


def test_a_backfill_stops_at_a_day_that_fails(server, send):
    server.states = ["FAILED"]
    with pytest.raises(SubmitError, match="as of 2024-02-28 ended as failed, .* days after it"):
        send(days=["2024-02-28", "2024-02-29"])
    assert len(server.sent("POST", "/runs")) == 1


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        (("2024-02-30", "2024-03-01"), "a date YYYY-MM-DD"),
        (("2024-03-01", "2024-02-01"), "FROM before TO"),
    ],
)
def test_a_backfill_of_no_days_is_refused(ends, message):
    with pytest.raises(ConfigError, match=f"--backfill: expected {message}"):
        days_between(*ends)
    assert days_between("2024-02-28", "2024-03-01")[1:] == ["2024-02-29", "2024-03-01"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--catch-up"], "--catch-up: expected --cron with it"),
        (["--scheduled-day"], "--scheduled-day: expected --cron with it"),
        (["--cron", "0 5 * * *", "--backfill", "2024-01-01", "2024-01-02"], "no --cron with it"),
    ],
)
def test_options_that_do_not_fit_each_other(server, more, message):
    command = [COMMAND, "submit", str(GOLDEN), "--endpoint", server.url, *more]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and message in done.stderr
    assert server.requests == []
