"""When a model is pushed and when it is refused: naive forecasts, the last pushed model, odd serving folders."""

import shutil
import subprocess
from pathlib import Path

import pytest
from worlds.metrics import close

from crowdflow.schema.features import NAIVE_FORECASTS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

RMSE = "rmse_active_cells"


@pytest.fixture(scope="module")
def odd_versions(tmp_path_factory) -> Path:
    """A root whose serving folder holds a partial version, a broken one and one of another grid."""
    from crowdflow.components.last_pushed_model.models import write_naive_model

    root = tmp_path_factory.mktemp("odd") / "root"
    serving = root / "serving" / "crowdflow"
    (serving / "100" / "variables").mkdir(parents=True)
    (serving / "200").mkdir()
    (serving / "200" / "saved_model.pb").write_bytes(b"no model at all")
    write_naive_model("last_week", (1, 8, 8, 2), str(serving / "300"))
    return root


@pytest.fixture(scope="module")
def one_step(odd_versions, crowdflow):
    """A model of one training step."""
    return crowdflow(
        odd_versions,
        training__epochs=1,
        training__final_epochs=0,
        training__steps_per_epoch=1,
    )


@pytest.fixture(scope="module")
def good(one_step, crowdflow):
    """The usual model, on the same root."""
    return crowdflow(one_step.root)


def names(run) -> list[str]:
    return [path.name for path in run.versions]


def test_one_training_step_is_refused_for_the_naive_forecast(one_step):
    assert one_step.code == 2
    metrics = one_step.summary["metrics"]
    own, best = metrics["model"][RMSE], min(metrics[source][RMSE] for source in NAIVE_FORECASTS)
    assert own > best
    assert metrics["last_pushed"] is None
    reason, _ = one_step.summary["reasons"]
    for part in (RMSE, f"{own:.4f} is not below {best:.4f}", "best naive forecast"):
        assert part in reason
    assert reason in one_step.output and "Refused, nothing pushed." in one_step.output
    assert (one_step.summary["blessed"], one_step.summary["pushed_model"]) == (False, None)
    assert set(one_step.states.values()) == {"executed"}


def test_versions_that_cannot_be_compared_with_are_skipped_with_a_warning(one_step, good):
    for run in (one_step, good):
        assert "Traceback" not in run.output
        for version in ("200", "300"):
            assert run.output.count(f"version {version} is not compared: ") == 1
        assert run.summary["metrics"]["last_pushed"] is None
    assert good.code == 0
    new = good.summary["pushed_model"].rsplit("/", 1)[1]
    assert names(good) == sorted(["100", "200", "300", new])
    assert int(new) > 300


def docker_runs() -> bool:
    there = shutil.which("docker") is not None
    return there and not subprocess.run(["docker", "info"], capture_output=True).returncode


def test_a_model_that_cannot_be_served_is_refused_in_words_and_tried_again(good, crowdflow):
    if docker_runs():
        pytest.skip("docker is there and may serve")
    before = names(good)
    for _ in range(2):  # the answer is not cached
        run = crowdflow(
            good.root, evaluation__infra_validator="docker", evaluation__push_unblessed=True
        )
        assert run.code == 2, run.output
        assert "Refused, nothing pushed." in run.output and "Traceback" not in run.output
        assert "InfraValidator: TensorFlow Serving did not load the model" in run.output
        assert (run.summary["blessed"], run.summary["pushed_model"]) == (False, None)
        assert run.states["InfraValidator"] == "executed" and names(run) == before


def test_another_root_gives_the_same_model(good, first):
    assert good.summary["metrics"] == close(first.summary["metrics"])


def test_a_worse_model_than_the_last_pushed_is_refused_for_that(good, crowdflow):
    before = names(good)
    short = {"training__epochs": 1, "training__final_epochs": 0, "training__steps_per_epoch": 20}
    worse = crowdflow(good.root, **short, evaluation__pushed_tolerance=0)
    assert worse.code == 2
    metrics = worse.summary["metrics"]
    own, best = metrics["model"][RMSE], min(metrics[source][RMSE] for source in NAIVE_FORECASTS)
    assert metrics["last_pushed"] == pytest.approx(good.summary["metrics"]["model"], rel=1e-6)
    pushed = metrics["last_pushed"][RMSE]
    assert pushed < own < best
    naive, *_, last = worse.summary["reasons"]
    assert f"{own:.4f} is below {best:.4f}" in naive
    assert f"{own:.4f} is above {pushed:.4f}" in last and "last pushed model" in last
    assert names(worse) == before
    assert worse.summary["pushed_model"] is None

    # Within a tolerance it would do.
    tolerated = crowdflow(good.root, **short, evaluation__pushed_tolerance=0.5)
    assert tolerated.code == 0
    assert "Trainer" not in tolerated.executed and "Evaluator" in tolerated.executed
    assert len(names(tolerated)) == len(before) + 1


def test_a_model_that_beats_nothing_is_pushed_on_purpose_and_the_run_says_so(good, crowdflow):
    settings = {"training__epochs": 1, "training__final_epochs": 0, "training__steps_per_epoch": 1}
    run = crowdflow(good.root, **settings, evaluation__push_unblessed=True)
    assert run.code == 0, run.output
    assert "Not blessed, and pushed all the same" in run.output
    assert f"Pushed to {run.root / run.summary['pushed_model']}" in run.output
    assert run.summary["blessed"] is False
    assert any("is not below" in reason for reason in run.summary["reasons"])
    page = (run.root / run.summary["report"]).read_text()
    assert "Not blessed, and pushed all the same" in page
