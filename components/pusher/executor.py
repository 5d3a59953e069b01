"""A Pusher that a kill cannot leave half done, and that does not push the same model twice."""

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.pusher import executor as tfx_pusher
from tfx.dsl.io import fileio
from tfx.orchestration.portable import data_types
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, proto_utils

import crowdflow.components.object_store_plugin  # noqa: F401  (fileio then takes its addresses)
from crowdflow.components.stable_output import STATE, StableOutputDriver
from crowdflow.schema.errors import StoreError
from crowdflow.storage.store_path import AnyPath, StorePath, as_path
from crowdflow.storage.versions import SAVED_MODEL, complete_versions, model_digest

_MARK = ".push-"


def push(model: Path, serving: AnyPath) -> AnyPath:
    """Copies a SavedModel into a new numeric version folder: whole, or not at all.

    In a local folder the copy is made in a folder that no model server reads and then renamed. In an object store,
    which has no such rename, `saved_model.pb` comes last: a version without it is not whole. Where the newest
    version has the same bytes it is taken as it is: a run that was killed after its push does not push again. An
    older one is not: servers serve the newest.

    Returns:
      The version folder.

    Raises:
      StoreError: an object store does not answer or refuses, or something else wrote into the version meanwhile.
    """
    digest = model_digest(model)
    remote = isinstance(serving, StorePath)
    if remote:
        _remove_half_versions(serving)
    else:
        serving.mkdir(parents=True, exist_ok=True)
        for leftover in serving.glob(f"{_MARK}*"):
            shutil.rmtree(leftover)
    version = find_version(serving, digest)
    if version:
        return version
    taken = [int(path.name) for path in serving.iterdir() if path.name.isdigit()]
    number = str(max([int(time.time()), *(n + 1 for n in taken)]))
    if remote:
        return _upload(model, serving, number)
    partial = serving / f"{_MARK}{number}"
    shutil.copytree(model, partial)
    return partial.rename(serving / number)


def _upload(model: Path, serving: StorePath, number: str) -> StorePath:
    """Uploads a version; a mark beside it says, until it is whole, that it is ours to remove."""
    version, mark = serving / number, str(serving / f"{_MARK}{number}")
    with fileio.open(mark, "wb"):
        pass
    sizes = {
        p.relative_to(model).as_posix(): p.stat().st_size for p in model.rglob("*") if p.is_file()
    }
    first = sorted(sizes.keys() - {SAVED_MODEL})
    for name in first:
        fileio.copy(str(model / name), f"{version}/{name}")
    found = {e.address.removeprefix(f"{version}/"): e.size for e in version.files()}
    if found != {name: sizes[name] for name in first}:
        raise StoreError(
            f"{version}: expected {len(first)} uploaded files, found {len(found)}, or of other sizes. Does "
            "another run push into the same folder?"
        )
    fileio.copy(str(model / SAVED_MODEL), f"{version}/{SAVED_MODEL}")
    with contextlib.suppress(fileio.NotFoundError):  # another push found the version whole
        fileio.remove(mark)
    return version


def _remove_half_versions(serving: StorePath) -> None:
    """Removes what a killed `_upload` left, and its marks."""
    for mark in serving.iterdir():
        if mark.name.startswith(_MARK):
            version = serving / mark.name.removeprefix(_MARK)
            if version.exists() and not (version / SAVED_MODEL).is_file():
                fileio.rmtree(str(version))
            fileio.remove(str(mark))


def find_version(serving: AnyPath, digest: str) -> AnyPath | None:
    """The newest complete version where it has a model's bytes, or None."""
    newest = complete_versions(serving)[-1:]
    return next((path for path in newest if model_digest(path) == digest), None)


class Executor(tfx_pusher.Executor):
    """TFX's Pusher executor with `push` in the place of its copying."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See TFX's Pusher."""
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        serving = serving_folder(exec_properties)
        model = Path(self.GetModelPath(input_dict))
        if self.CheckBlessing(input_dict):
            version = push(model, serving)
            io_utils.copy_dir(str(model), pushed.uri)
            self._MarkPushed(pushed, pushed_destination=str(version), pushed_version=version.name)
        else:
            self._MarkNotPushed(pushed)
        pushed.set_string_custom_property(STATE, pushed_state(model, serving))


class Driver(StableOutputDriver):
    """Driver of Pusher."""

    def state(self, execution_info: data_types.ExecutionInfo) -> str:
        """Where the candidate stands in the serving folder."""
        model = Path(Executor().GetModelPath(execution_info.input_dict))
        return pushed_state(model, serving_folder(execution_info.exec_properties))


def serving_folder(exec_properties: dict[str, Any]) -> AnyPath:
    """The folder that versions are pushed to."""
    destination = pusher_pb2.PushDestination()
    key = standard_component_specs.PUSH_DESTINATION_KEY
    proto_utils.json_to_proto(exec_properties[key], destination)
    return as_path(destination.filesystem.base_directory)


def pushed_state(model: Path, serving: AnyPath) -> str:
    """The version that holds this model, if any."""
    digest = model_digest(model)
    version = find_version(serving, digest)
    return f"{digest} {version.name if version else 'not pushed'}"
