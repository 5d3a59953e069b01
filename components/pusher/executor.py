"""A Pusher that a kill cannot leave half done, and that does not push the same model twice."""

import shutil
import time
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.pusher import executor as tfx_pusher
from tfx.orchestration.portable import data_types
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.baseline.versions import complete_versions, model_digest
from components.stable_output import STATE, StableOutputDriver


def push(model: Path, serving: Path) -> Path:
    """Copies a SavedModel into a new numeric version folder: whole, or not at all.

    The copy is made in a folder that no model server reads and then renamed. Where the newest version has the
    same bytes it is taken as it is: a run that was killed after its push does not push again. An older one is
    not: servers serve the newest.

    Returns:
      The version folder.
    """
    digest = model_digest(model)
    serving.mkdir(parents=True, exist_ok=True)
    for leftover in serving.glob(".push-*"):
        shutil.rmtree(leftover)
    version = find_version(serving, digest)
    if version:
        return version
    taken = [int(path.name) for path in serving.iterdir() if path.name.isdigit()]
    number = max([int(time.time()), *(n + 1 for n in taken)])
    partial = serving / f".push-{number}"
    shutil.copytree(model, partial)
    return partial.rename(serving / str(number))


def find_version(serving: Path, digest: str) -> Path | None:
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
            shutil.copytree(model, pushed.uri, dirs_exist_ok=True)
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


def serving_folder(exec_properties: dict[str, Any]) -> Path:
    """The folder that versions are pushed to."""
    destination = pusher_pb2.PushDestination()
    key = standard_component_specs.PUSH_DESTINATION_KEY
    proto_utils.json_to_proto(exec_properties[key], destination)
    return Path(destination.filesystem.base_directory)


def pushed_state(model: Path, serving: Path) -> str:
    """The version that holds this model, if any."""
    digest = model_digest(model)
    version = find_version(serving, digest)
    return f"{digest} {version.name if version else 'not pushed'}"
