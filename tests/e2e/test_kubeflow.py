"""The compiled spec, executed as Kubeflow Pipelines would, against the local runner on the same city."""

import datetime as dt
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from kfp_local import Cluster, Run, StepFailed
from worlds import warm

from crowdflow.config import presets
from crowdflow.pipeline.kubeflow.backfill import days_between
from crowdflow.pipeline.kubeflow.compiling import compile_to
from crowdflow.pipeline.kubeflow.executor_input import ROOT_VARIABLE
from crowdflow.schema.features import ACCOUNT_FILE, LIVE_FILE, TRAINED_UNTIL
from crowdflow.schema.intervals import format_start
from crowdflow.storage.versions import DIGESTS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2700)]


class Kubeflow:
    """A cluster with a volume and the city's data on it, and the city's pipeline compiled for it."""

    def __init__(self, folder: Path, data: list[Path], settings: dict[str, Any]):
        self.volume, self.yaml = folder / "volume", folder / "pipeline.yaml"
        flows = self.volume / "flows"
        flows.mkdir(parents=True)
        for path in data:
            shutil.copy(path, flows)
        self.settings = {
            **settings,
            "kubeflow.image": "crowdflow:test",
            "kubeflow.volumes": [f"crowdflow:{self.volume}"],
            "paths.data": [str(flows)],
        }
        self.compile({})
        self.cluster = Cluster(folder / "cluster", ROOT_VARIABLE, start=warm.start)

    def compile(self, changes: dict[str, Any]) -> None:
        """The next runs are with these changes of the settings."""
        compile_to(presets.load("tiny-city").replace({**self.settings, **changes}), self.yaml)

    def run(self, **options: Any) -> Run:
        return self.cluster.run(self.yaml, **options)

    def account(self, run: Run) -> dict[str, Any]:
        """What the run's report says."""
        report = self.cluster.path(run, "FlowReportGen", "report")
        return json.loads((report / "metrics.json").read_text())

    @property
    def versions(self) -> list[Path]:
        serving = self.volume / "serving" / "crowdflow"
        return sorted(p for p in serving.glob("*") if p.name not in (LIVE_FILE, DIGESTS))


@pytest.fixture(scope="module")
def make(crowdflow, tmp_path_factory):
    """Makes a cluster."""
    return lambda: Kubeflow(tmp_path_factory.mktemp("kubeflow"), crowdflow.data, crowdflow.settings)


@pytest.fixture(scope="module")
def executed(make) -> tuple[Kubeflow, Run]:
    kubeflow = make()
    return kubeflow, kubeflow.run()


def assert_same(account: dict[str, Any], local: dict[str, Any]) -> None:
    for source, metrics in local["metrics"].items():
        assert account["metrics"][source] == pytest.approx(metrics, abs=1e-4), source
    assert account["counters"]["windows"]["windows"] == local["windows"]
    assert account["blessed"] == local["blessed"]


def test_the_same_metrics_as_the_local_runner(executed, first):
    kubeflow, run = executed
    assert set(run.states) == set(first.states)
    assert set(run.states.values()) == {"executed"}
    assert_same(kubeflow.account(run), first.summary)
    [version] = kubeflow.versions
    assert (version / "saved_model.pb").is_file()
    pushed = kubeflow.cluster.artifact(run, "Pusher", "pushed_model")["metadata"]
    assert pushed["pushed_version"] == version.name
    for task in run.outputs.values():
        for number in task.values():
            uri = kubeflow.cluster.metadata.runtime_artifact(number)["uri"]
            assert uri.startswith("s3://mlpipeline/v2/artifacts/crowdflow-tiny-city/")


def test_other_parameters_show(executed):
    kubeflow, before = executed
    versions = kubeflow.versions
    settings = json.dumps({"epochs": 3, "final_epochs": 1})
    run = kubeflow.run(training=settings, naive_margin=0.9)
    assert run.states.pop("FlowSchema") == "cached"  # the only one that sees nothing new
    assert set(run.states.values()) == {"executed"}
    account, earlier = kubeflow.account(run), kubeflow.account(before)
    assert len(account["training"]["history"]) == 4
    assert len(earlier["training"]["history"]) == 35
    model, other = (a["metrics"]["model"]["rmse_active_cells"] for a in (account, earlier))
    assert abs(model - other) > 1e-3
    assert earlier["blessed"] and not account["blessed"]
    assert any("0.1" in reason for reason in account["reasons"]), account["reasons"]
    assert account["baseline"]["pushed_version"] == versions[-1].name
    assert kubeflow.versions == versions


def test_every_step_is_killed_once_and_ends_the_same(make, first):
    """Kubeflow starts a killed step again, in a new pod with the same outputs (`kubeflow.retries`)."""
    kubeflow, killed = make(), {}
    words = {"Trainer": "phase 1  epoch 3/25", "Refit": "phase 2  epoch 3/"}

    def kill_half_way(task, process, log):
        if task not in killed:
            begun = words.get(task, f"{task}: ")
            while begun not in log.read_text(errors="replace"):
                assert process.poll() is None, log.read_text(errors="replace")
                time.sleep(0.01)
            process.kill()
            killed[task] = log

    run = kubeflow.run(follow=kill_half_way)
    assert set(killed) == set(run.states) == set(first.states)
    assert set(run.states.values()) == {"executed"}
    for task in words:
        log = kubeflow.cluster.path(run, task, "executor-logs").read_text()
        assert "resumed: phase " in log, task
    assert_same(kubeflow.account(run), first.summary)
    [version] = kubeflow.versions
    assert (version / "saved_model.pb").is_file()


def test_a_step_that_fails_each_time_ends_the_run_and_a_retry_of_the_run_goes_on(make, first):
    kubeflow = make()

    def kill(task, process, log):
        if task == "Transform":
            process.kill()

    with pytest.raises(StepFailed) as failed:
        kubeflow.run(run_id="killed", follow=kill)
    assert (failed.value.task, failed.value.code) == ("Transform", -9)
    run = kubeflow.run(run_id="killed")
    done = {task for task, state in run.states.items() if state == "finished before"}
    assert done >= {"FlowExampleGen", "WindowGen"}
    assert run.states["Transform"] == run.states["FlowReportGen"] == "executed"
    assert_same(kubeflow.account(run), first.summary)


def test_a_day_run_again_has_the_same_data_and_no_older_model_is_pushed(make):
    kubeflow = make()
    settings = json.dumps({"epochs": 0, "final_epochs": 2})
    newest = kubeflow.run(training=settings)
    [version] = kubeflow.versions
    last = kubeflow.account(newest)["counters"]["frames"]["last_interval"][:10]
    day = str(dt.date.fromisoformat(last) - dt.timedelta(days=2))
    ends = []
    for text in (day, f"before {dt.date.fromisoformat(day) + dt.timedelta(days=1)}"):
        run = kubeflow.run(training=settings, last_date=text)
        account = kubeflow.account(run)
        ends.append((account["counters"]["windows"], account["metrics"]["model"]))
        assert account["blessed"] and account["pushed_version"] is None
        assert f"version {version.name} has a newer model" in account["held_back"]
    assert ends[0] == ends[1] != kubeflow.account(newest)["counters"]["windows"]
    assert kubeflow.versions == [version]


def test_a_backfill_pushes_its_days_in_order_and_an_older_one_only_when_told_to(make):
    """The days one after the other, each as of its date, as `crowdflow submit --backfill` starts them."""
    kubeflow = make()
    kubeflow.compile({"evaluation.push_unblessed": True})  # trained for less than a minute
    days = days_between("2024-05-01", "2024-05-05")
    settings = json.dumps({"epochs": 0, "final_epochs": 2})

    def run(day: str) -> dict[str, Any]:
        account = kubeflow.account(kubeflow.run(training=settings, last_date=day))
        if account["pushed_version"]:
            learnt = json.loads((kubeflow.versions[-1] / ACCOUNT_FILE).read_text())[TRAINED_UNTIL]
            assert format_start(learnt) == f"{day} 23:00"
        return account

    accounts = [run(day) for day in days]
    pushed = [account["pushed_version"] for account in accounts]
    assert pushed == [version.name for version in kubeflow.versions] and len(pushed) == len(days)
    for number, account in enumerate(accounts[1:], 1):
        assert account["baseline"]["pushed_version"] in pushed[:number]

    late = run(days[1])
    assert late["pushed_version"] is None
    assert f"version {pushed[-1]} has a newer model" in late["held_back"]
    kubeflow.compile({"evaluation.push_unblessed": True, "evaluation.push_older": True})
    assert run(days[1])["pushed_version"] == kubeflow.versions[-1].name not in pushed


def test_an_error_of_ours_is_a_line_in_the_steps_log(make):
    kubeflow = make()
    with pytest.raises(StepFailed) as failed:
        kubeflow.run(data="/mnt/nowhere")
    assert (failed.value.task, failed.value.code) == ("FlowExampleGen", 1)
    last = failed.value.log.strip().splitlines()[-1]
    assert last == "Error in FlowExampleGen: /mnt/nowhere: no such file or folder."
    assert "Traceback" not in failed.value.log
