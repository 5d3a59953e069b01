"""A Pusher whose pushes are atomic, and that does not push the same model twice."""

import contextlib
import json
import logging
import shutil
import time
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils, proto_utils

import crowdflow.components.object_store_plugin  # noqa: F401  (fileio then takes its addresses)
from crowdflow.components.last_pushed_model.words import DATA_UNTIL, LIVE_FAULT
from crowdflow.components.state import STATE
from crowdflow.schema import features
from crowdflow.schema.errors import StoreError
from crowdflow.schema.intervals import format_start
from crowdflow.storage import live_file
from crowdflow.storage.digests import Digests
from crowdflow.storage.store_path import AnyPath, StorePath, as_path
from crowdflow.storage.versions import (
    DIGESTS,
    PUSH_MARK,
    SAVED_MODEL,
    approved,
    complete_versions,
    model_digest,
    serving_lock,
)

log = logging.getLogger("crowdflow.push")

# Of the pushed model's artifact: why an approved model was not pushed.
HELD_BACK = "held_back"
PUSH_OLDER = "push_older"
_BLESSINGS = ("model_blessing", "infra_blessing")
BASELINE, EVALUATION = "baseline", "evaluation"


def push(model: Path, serving: AnyPath) -> AnyPath:
    """Copies a SavedModel into a new numeric version folder, atomically.

    In a local folder the copy is made in a folder that no model server reads and then renamed. In an object store,
    which has no such rename, `saved_model.pb` comes last: a version without it is not whole. Where the newest
    version has the same bytes it is taken as it is: a run that was killed after its push does not push again. An
    older one is not: servers serve the newest.

    Returns:
      The version folder.

    Raises:
      StoreError: an object store does not answer or refuses, or something else wrote to the version too.
    """
    if isinstance(serving, StorePath):
        _remove_half_versions(serving)
        version = find_version(serving, model_digest(model))
        return version or _upload(model, serving, _next_number(serving))
    serving.mkdir(parents=True, exist_ok=True)
    with serving_lock(serving):
        for leftover in serving.glob(f"{PUSH_MARK}*"):
            shutil.rmtree(leftover)
        version = find_version(serving, model_digest(model))
        if version:
            return version
        number = _next_number(serving)
        partial = serving / f"{PUSH_MARK}{number}"
        shutil.copytree(model, partial)
        return partial.rename(serving / number)


def _next_number(serving: AnyPath) -> str:
    """The time in seconds or the number after the newest version, whichever is larger."""
    taken = [int(path.name) for path in serving.iterdir() if path.name.isdigit()]
    return str(max([int(time.time()), *(n + 1 for n in taken)]))


def _upload(model: Path, serving: StorePath, number: str) -> StorePath:
    """Uploads a version; until it is complete, a mark next to it says that a later push may remove it."""
    version, mark = serving / number, str(serving / f"{PUSH_MARK}{number}")
    with fileio.open(mark, "wb"):
        pass
    sizes = {
        p.relative_to(model).as_posix(): p.stat().st_size for p in model.rglob("*") if p.is_file()
    }
    expected = {}
    for names in (sorted(sizes.keys() - {SAVED_MODEL}), [SAVED_MODEL]):
        for name in names:
            fileio.copy(str(model / name), f"{version}/{name}")
            expected[name] = sizes[name]
        found = {e.address.removeprefix(f"{version}/"): e.size for e in version.files()}
        if found != expected:
            raise StoreError(
                f"{version}: expected {len(expected)} uploaded files, found {len(found)}, or of other sizes. Does "
                "another run push into the same folder?"
            )
    # Another push that found the version complete has removed the mark.
    with contextlib.suppress(fileio.NotFoundError):
        fileio.remove(mark)
    return version


def _remove_half_versions(serving: StorePath) -> None:
    """Removes partial versions and marks of an `_upload` that was killed."""
    for mark in serving.iterdir():
        if mark.name.startswith(PUSH_MARK):
            version = serving / mark.name.removeprefix(PUSH_MARK)
            if version.exists() and not (version / SAVED_MODEL).is_file():
                fileio.rmtree(str(version))
            fileio.remove(str(mark))


def find_version(serving: AnyPath, digest: str) -> AnyPath | None:
    """The newest complete version if it has the same bytes as the model, else None."""
    newest = complete_versions(serving)[-1:]
    known = Digests(serving / DIGESTS)
    return next((path for path in newest if model_digest(path, known) == digest), None)


def newer_version(model: Path, serving: AnyPath) -> str | None:
    """Why a model is older than the newest version; None if it is not, or where one of them does not tell.

    What counts is until when the approved models were trained, not when they were pushed.
    """
    newest = complete_versions(serving)[-1:]
    ends = [_trained_until(approved(path)) for path in (model, *newest)]
    if None in ends or ends[0] >= ends[-1]:
        return None
    own, theirs = map(format_start, ends)
    return (
        f"version {newest[0].name} has a newer model, approved with a training up to {theirs}, not {own}; "
        "--set evaluation.push_older=true pushes the older one"
    )


def _trained_until(model: AnyPath) -> int | None:
    path = model / features.ACCOUNT_FILE
    return json.loads(path.read_text()).get(features.TRAINED_UNTIL) if path.exists() else None


class Executor(base_executor.BaseExecutor):
    """As TFX's Pusher executor, with `push` instead of its copy; that one's module imports every TFX component."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See TFX's Pusher."""
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        serving = serving_folder(exec_properties)
        model = model_folder(input_dict)
        custom = json.loads(exec_properties["custom_config"]) or {}
        [baseline] = input_dict[BASELINE]
        held_back = None if custom.get(PUSH_OLDER) else newer_version(model, serving)
        held_back = held_back or baseline.get_string_custom_property(LIVE_FAULT)
        is_blessed = all(_is_blessed(input_dict.get(name)) for name in _BLESSINGS)
        if is_blessed and held_back:
            log.warning("%s", held_back)
            pushed.set_string_custom_property(HELD_BACK, held_back)
        if is_blessed and not held_back:
            io_utils.copy_dir(str(model), pushed.uri)  # may fail, so before what cannot be undone
            version = push(model, serving)
            [evaluation] = input_dict[EVALUATION]
            _promise(version, serving, baseline, evaluation.uri)
            pushed.set_string_custom_property("pushed_destination", str(version))
            pushed.set_string_custom_property("pushed_version", version.name)
        pushed.set_int_custom_property("pushed", int(is_blessed and not held_back))
        pushed.set_string_custom_property(STATE, pushed_state(model, serving))


def model_folder(input_dict: dict[str, list[types.Artifact]]) -> Path:
    """The SavedModel to push."""
    model = artifact_utils.get_single_instance(input_dict["model"])
    return Path(path_utils.serving_model_path(model.uri))


def _promise(version: AnyPath, serving: AnyPath, baseline: types.Artifact, evaluation: str) -> None:
    """Writes into the live record what the version's test promised, and the last interval of that test."""
    from crowdflow.evaluation.promise import promise  # TFMA takes seconds

    found = {"until": baseline.get_int_custom_property(DATA_UNTIL), "promise": promise(evaluation)}

    def change(record: dict[str, Any]) -> dict[str, Any]:
        return record | {"pushes": {version.name: found} | record["pushes"]}

    live_file.update(serving, change)


def _is_blessed(blessing: list[types.Artifact] | None) -> bool:
    """Whether a validator blessed the model, or the pipeline has none."""
    return not blessing or blessing[0].get_int_custom_property("blessed") == 1


def serving_folder(exec_properties: dict[str, Any]) -> AnyPath:
    """The folder that versions are pushed to."""
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(exec_properties["push_destination"], destination)
    return as_path(destination.filesystem.base_directory)


def pushed_state(model: Path, serving: AnyPath) -> str:
    """The version that holds this model, if any."""
    digest = model_digest(model)
    version = find_version(serving, digest)
    return f"{digest} {version.name if version else 'not pushed'}"
