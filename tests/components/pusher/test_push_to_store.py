"""A push to an object store is whole or counts as none, and is found again."""

import itertools
import json

import pytest
from tfx.types import standard_artifacts
from worlds.evaluated import PROMISE, write_evaluation

from crowdflow.components.last_pushed_model.words import DATA_UNTIL
from crowdflow.components.pusher import executor
from crowdflow.components.pusher.executor import Executor, push
from crowdflow.schema.errors import StoreError
from crowdflow.storage import live_file, object_store
from crowdflow.storage.store_path import StorePath
from crowdflow.storage.versions import complete_versions, model_digest, pushed_before, serving_state


def make_model(folder, content="weights"):
    names = {"saved_model.pb": "graph", "variables/data": content, "assets/a": "", "assets.x/b": ""}
    for name, text in names.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def serving(bucket):
    return StorePath(f"{bucket}/deep/serving")


def names(serving):
    return sorted(path.name for path in serving.iterdir())


def test_a_push_is_a_copy_in_a_version_of_its_own(tmp_path, serving):
    model = make_model(tmp_path / "model")
    assert complete_versions(serving) == []
    version = push(model, serving)
    assert names(serving) == [version.name] and version.name.isdigit()
    assert complete_versions(serving) == [version] == [serving / version.name]
    assert model_digest(version) == model_digest(model)
    assert push(model, serving) == version  # not twice
    assert names(serving) == [version.name]


def test_an_older_model_is_pushed_again(tmp_path, serving):
    first, second = (make_model(tmp_path / name, name) for name in "ab")
    pushed = [push(model, serving) for model in (first, second, first)]
    assert complete_versions(serving) == pushed
    candidate = model_digest(first)
    assert list(pushed_before(serving, candidate)) == [pushed[1]]
    state = serving_state(serving, candidate, "code")
    assert serving_state(serving, candidate, "code") == state != serving_state(serving, "o", "code")


class Killed(BaseException):
    """What no code of ours catches, as no code sees a SIGKILL."""


@pytest.mark.parametrize("after", range(6))
def test_a_push_killed_anywhere_leaves_no_half_version(tmp_path, serving, monkeypatch, after):
    first = push(make_model(tmp_path / "first", "first"), serving)
    model, steps = make_model(tmp_path / "model"), itertools.count()
    real_copy, real_remove = executor.fileio.copy, executor.fileio.remove

    def step(call, *arguments):
        if next(steps) == after:
            raise Killed
        return call(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(executor.fileio, "copy", lambda *a: step(real_copy, *a))
        patch.setattr(executor.fileio, "remove", lambda *a: step(real_remove, *a))
        if after < 5:  # four copies and the removal of the mark
            with pytest.raises(Killed):
                push(model, serving)
        else:
            push(model, serving)
    whole = complete_versions(serving)
    assert whole[0] == first and len(whole) == (1 if after < 4 else 2)
    for version in whole[1:]:
        assert model_digest(version) == model_digest(model)
    version = push(model, serving)
    assert names(serving) == [first.name, version.name]
    assert complete_versions(serving) == [first, version]
    assert model_digest(version) == model_digest(model)


def test_a_version_that_another_push_cleared_does_not_become_whole(tmp_path, serving, monkeypatch):
    real_copy = executor.fileio.copy

    def copy(source, target):
        real_copy(source, target)
        if target.endswith("variables/data"):
            executor._remove_half_versions(serving)  # a second pipeline

    monkeypatch.setattr(executor.fileio, "copy", copy)
    with pytest.raises(StoreError, match="expected 3 uploaded files, found 0.*another run"):
        push(make_model(tmp_path / "model"), serving)
    assert complete_versions(serving) == []


def test_what_others_left_stays(tmp_path, serving):
    for name in ("1700000000/variables/data", "newest/saved_model.pb"):
        with object_store.open_to_write(str(serving / name)) as file:
            file.write(b"-")
    version = push(make_model(tmp_path / "model"), serving)
    assert names(serving) == ["1700000000", version.name, "newest"]
    assert complete_versions(serving) == [version]


def test_the_node_tells_the_address(tmp_path, serving):
    candidate, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
    pushed, baseline = standard_artifacts.PushedModel(), standard_artifacts.Model()
    evaluation = standard_artifacts.ModelEvaluation()
    baseline.set_int_custom_property(DATA_UNTIL, 600)
    evaluation.uri = write_evaluation(tmp_path / "evaluation")
    candidate.uri, blessing.uri = str(tmp_path / "candidate"), str(tmp_path / "blessing")
    pushed.uri = str(tmp_path / "pushed")
    model = make_model(tmp_path / "candidate" / "Format-Serving")
    blessing.set_int_custom_property("blessed", 1)
    Executor().Do(
        {
            "model": [candidate],
            "model_blessing": [blessing],
            "baseline": [baseline],
            "evaluation": [evaluation],
        },
        {"pushed_model": [pushed]},
        {
            "push_destination": json.dumps({"filesystem": {"base_directory": str(serving)}}),
            "custom_config": "null",
        },
    )
    [version] = complete_versions(serving)
    assert pushed.get_string_custom_property("pushed_destination") == str(version)
    assert pushed.get_string_custom_property("pushed_version") == version.name
    assert model_digest(tmp_path / "pushed") == model_digest(model)
    assert live_file.read(serving)["pushes"] == {version.name: {"until": 600, "promise": PROMISE}}


def test_a_bucket_that_is_not_there_is_told(tmp_path, s3):
    with pytest.raises(StoreError, match="s3://no-such/serving: the object store has no bucket"):
        push(make_model(tmp_path / "model"), StorePath("s3://no-such/serving"))
