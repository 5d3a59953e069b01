"""A push is whole or not at all, and a model is not pushed twice."""

import itertools
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tfx.types import standard_artifacts
from worlds.evaluated import PROMISE, write_evaluation
from worlds.small_disk import full_disk

from crowdflow.components.last_pushed_model.words import DATA_UNTIL, LIVE_FAULT
from crowdflow.components.pusher import executor
from crowdflow.components.pusher.executor import HELD_BACK, Executor, push
from crowdflow.components.state import STATE
from crowdflow.schema import features
from crowdflow.storage import live_file
from crowdflow.storage.versions import APPROVED, complete_versions, model_digest


def make_model(folder, content="weights"):
    (folder / "variables").mkdir(parents=True)
    (folder / "assets.extra").mkdir()
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "data").write_text(content)
    (folder / "assets.extra" / "crowdflow.json").write_text("{}")
    return folder


@pytest.fixture
def serving(tmp_path):
    return tmp_path / "deep" / "serving"


def names(serving):
    return sorted(path.name for path in serving.iterdir())


def test_a_push_is_a_copy_in_a_version_of_its_own(tmp_path, serving):
    model, before = make_model(tmp_path / "model"), int(time.time())
    version = push(model, serving)
    assert version.parent == serving and names(serving) == [version.name]
    assert before <= int(version.name) <= time.time()
    assert model_digest(version) == model_digest(model)


def test_the_same_model_is_not_pushed_twice(tmp_path, serving):
    model = make_model(tmp_path / "model")
    version = push(model, serving)
    assert push(shutil.copytree(model, tmp_path / "copy"), serving) == version
    assert names(serving) == [version.name]


def test_an_older_model_is_pushed_again_since_servers_serve_the_newest(tmp_path, serving):
    first, second = (make_model(tmp_path / name, name) for name in "ab")
    versions = [push(model, serving) for model in (first, second, first)]
    assert [int(v.name) for v in versions] == sorted({int(v.name) for v in versions})
    assert complete_versions(serving) == versions
    assert model_digest(versions[-1]) == model_digest(first)


def test_numbers_grow_past_whatever_is_there(tmp_path, serving):
    later = int(time.time()) + 10_000
    make_model(serving / str(later), "from the future")
    (serving / str(later + 5)).mkdir()  # partial; its number is taken all the same
    (serving / "newest").mkdir()
    assert push(make_model(tmp_path / "model"), serving).name == str(later + 6)


def test_what_a_killed_push_left_is_removed_and_made_whole(tmp_path, serving):
    model = make_model(tmp_path / "model")
    leftover = serving / ".push-1700000000"
    leftover.mkdir(parents=True)
    shutil.copy(model / "saved_model.pb", leftover)  # killed after the first file
    assert complete_versions(serving) == []
    version = push(model, serving)
    assert names(serving) == [version.name]
    assert model_digest(version) == model_digest(model)


def test_pushers_of_one_folder_wait_for_each_other(tmp_path, serving, monkeypatch):
    copy = shutil.copytree

    def slow(*arguments):
        copied = copy(*arguments)
        time.sleep(0.05)  # another pusher could take this for a leftover
        return copied

    monkeypatch.setattr(executor.shutil, "copytree", slow)
    models = [make_model(tmp_path / f"model-{n}", str(n)) for n in range(6)]
    with ThreadPoolExecutor(len(models)) as pool:
        versions = list(pool.map(lambda model: push(model, serving), models))
    assert names(serving) == sorted(version.name for version in versions)
    assert len(set(versions)) == len(models)
    assert [model_digest(v) for v in versions] == [model_digest(m) for m in models]


def test_a_push_that_fails_leaves_no_version(tmp_path, serving):
    model = make_model(tmp_path / "model")
    (model / "variables" / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(shutil.Error):
        push(model, serving)
    assert complete_versions(serving) == [] and len(names(serving)) == 1
    (model / "variables" / "gone").unlink()
    version = push(model, serving)
    assert names(serving) == [version.name]


@pytest.fixture
def node(tmp_path, serving):
    """Runs the executor on a model, blessed or not; returns the PushedModel artifact."""
    numbers = itertools.count(1)

    evaluation = standard_artifacts.ModelEvaluation()
    evaluation.uri = write_evaluation(tmp_path / "evaluation")

    def run(model, blessed, custom=None, fault="", until=600):
        candidate, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
        pushed, baseline = standard_artifacts.PushedModel(), standard_artifacts.Model()
        baseline.set_int_custom_property(DATA_UNTIL, until)
        baseline.set_string_custom_property(LIVE_FAULT, fault)
        candidate.uri = str(model.parent)
        blessing.uri = str(tmp_path / "blessing")
        blessing.set_int_custom_property("blessed", int(blessed))
        pushed.uri = str(tmp_path / "pushed" / str(next(numbers)))
        destination = {"filesystem": {"base_directory": str(serving)}}
        Executor().Do(
            {
                "model": [candidate],
                "model_blessing": [blessing],
                "baseline": [baseline],
                "evaluation": [evaluation],
            },
            {"pushed_model": [pushed]},
            {"push_destination": json.dumps(destination), "custom_config": json.dumps(custom)},
        )
        return pushed

    return run


def test_a_blessed_model_is_pushed_once(tmp_path, serving, node):
    model = make_model(tmp_path / "candidate" / "Format-Serving")
    first, again = node(model, blessed=True), node(model, blessed=True)
    [version] = complete_versions(serving)
    for pushed in (first, again):
        assert pushed.get_int_custom_property("pushed") == 1
        assert pushed.get_string_custom_property("pushed_version") == version.name
        assert pushed.get_string_custom_property("pushed_destination") == str(version)
        assert pushed.get_string_custom_property(STATE).endswith(version.name)
    assert model_digest(tmp_path / "pushed" / "1") == model_digest(model)


def test_nothing_is_pushed_where_the_artifact_has_no_room(tmp_path, serving, node):
    model = make_model(tmp_path / "candidate" / "Format-Serving")
    with full_disk(tmp_path / "pushed"):
        with pytest.raises(Exception, match="No space left on device"):
            node(model, blessed=True)
    assert not serving.exists()


def test_a_model_that_is_not_blessed_is_not_pushed(tmp_path, serving, node):
    pushed = node(make_model(tmp_path / "candidate" / "Format-Serving"), blessed=False)
    assert not serving.exists()
    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.get_string_custom_property("pushed_version") == ""
    assert pushed.get_string_custom_property(STATE).endswith("not pushed")


def trained_until(model, minutes, twin=None):
    """The model says until when it was trained; a refitted one also has its approved twin's word."""
    for folder, until in ((model, minutes), (model / APPROVED, twin)):
        if until is not None:
            (folder / features.ACCOUNT_FILE).parent.mkdir(parents=True, exist_ok=True)
            (folder / features.ACCOUNT_FILE).write_text(json.dumps({"trained_until": until}))
            (folder / "saved_model.pb").write_text("graph")
    return model


def test_an_older_model_is_pushed_over_a_newer_one_only_when_told_to(tmp_path, serving, node):
    def model(name, *until):
        return trained_until(make_model(tmp_path / name / "Format-Serving", name), *until)

    node(model("first", 9000, 5000), blessed=True)
    older = model("older", 8000, 4999)  # its refit saw more than the first one's approved twin
    held = node(older, blessed=True)
    assert held.get_int_custom_property("pushed") == 0
    assert "up to 1970-01-04 11:20, not 1970-01-04 11:19" in held.get_string_custom_property(
        HELD_BACK
    )
    assert len(complete_versions(serving)) == 1
    assert node(model("same", 9001, 5000), blessed=True).get_int_custom_property("pushed") == 1
    assert (
        node(older, blessed=True, custom={"push_older": True}).get_int_custom_property("pushed")
        == 1
    )
    assert node(older, blessed=False).get_string_custom_property(HELD_BACK) == ""
    unknown = make_model(tmp_path / "unknown" / "Format-Serving", "unknown")
    assert node(unknown, blessed=True).get_int_custom_property("pushed") == 1
    assert len(complete_versions(serving)) == 4


def test_a_push_comes_with_the_promise_of_its_test_which_stays(tmp_path, serving, node):
    models = [make_model(tmp_path / name / "Format-Serving", name) for name in "ab"]
    node(models[0], blessed=True)
    [first] = complete_versions(serving)
    node(models[0], blessed=True, until=900)  # the same model again
    node(models[1], blessed=True, until=1200)
    [_, second] = complete_versions(serving)
    assert live_file.read(serving)["pushes"] == {
        first.name: {"until": 600, "promise": PROMISE},
        second.name: {"until": 1200, "promise": PROMISE},
    }


def test_a_push_that_was_killed_before_its_promise_gets_it_from_the_next_run(
    tmp_path, serving, node
):
    model = make_model(tmp_path / "candidate" / "Format-Serving")
    version = push(model, serving)
    assert live_file.read(serving)["pushes"] == {}
    node(model, blessed=True)
    assert complete_versions(serving) == [version]
    assert live_file.read(serving)["pushes"] == {version.name: {"until": 600, "promise": PROMISE}}


def test_a_model_that_is_worse_live_is_held_back(tmp_path, serving, node):
    model = make_model(tmp_path / "candidate" / "Format-Serving")
    held = node(model, blessed=True, fault="its RMSE 5 is above 4")
    assert held.get_int_custom_property("pushed") == 0
    assert held.get_string_custom_property(HELD_BACK) == "its RMSE 5 is above 4"
    assert complete_versions(serving) == []
    refused = node(model, blessed=False, fault="its RMSE 5 is above 4")
    assert refused.get_string_custom_property(HELD_BACK) == ""
