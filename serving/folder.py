"""A pushed model in a folder, run in this process."""

from collections.abc import Mapping, Sequence

import numpy as np

from crowdflow.schema.errors import ServingError
from crowdflow.serving.transport import require_outputs
from crowdflow.storage.files import fetched_folder
from crowdflow.storage.store_path import AnyPath
from crowdflow.storage.versions import SAVED_MODEL, complete_versions


class ModelFolder:
    """A transport to a SavedModel; see `serving.transport`."""

    def __init__(self, folder: AnyPath, version: int | None = None):
        """Loads the model.

        Args:
          folder: of a SavedModel, of version folders, or with one folder of version folders in it.
          version: which of them; None is the newest whole one.

        Raises:
          ServingError: there is none, or it cannot be loaded.
          StoreError: it is in an object store that does not answer or refuses.
        """
        import tensorflow as tf  # takes seconds

        self.path = find_model(folder, version)
        try:
            with fetched_folder(self.path) as copy:
                model = tf.saved_model.load(str(copy))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise ServingError(
                f"{self.path}: expected a SavedModel. {_first_line(error)}"
            ) from None
        self._signatures = model.signatures
        self._tf = tf
        self._model = model  # keeps its variables alive

    def predict(
        self, inputs: Mapping[str, np.ndarray], signature: str, outputs: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """See `Transport`."""
        if signature not in self._signatures:
            known = ", ".join(self._signatures)
            raise ServingError(f"{self.path}: expected the signature {signature}, found {known}.")
        tensors = {name: self._tf.constant(values) for name, values in inputs.items()}
        try:
            answer = self._signatures[signature](**tensors)
        except (TypeError, ValueError, self._tf.errors.OpError) as error:
            raise ServingError(f"{self.path}: {_message(error)}") from None
        require_outputs(self.path, outputs, answer)
        return {name: answer[name].numpy() for name in outputs}


def find_model(folder: AnyPath, version: int | None) -> AnyPath:
    """The SavedModel's folder; see `ModelFolder`.

    Raises:
      ServingError: there is none; lists the versions that there are.
    """
    if version is None and (folder / SAVED_MODEL).is_file():
        return folder
    found = complete_versions(folder) or _inside(folder)
    wanted = [path for path in found if version in (None, int(path.name))]
    if not wanted:
        names = ", ".join(path.name for path in found) or "none"
        what = "a pushed model" if version is None else f"version {version}"
        raise ServingError(f"{folder}: expected {what} ({SAVED_MODEL}). Versions found: {names}.")
    return wanted[-1]


def _inside(folder: AnyPath) -> list[AnyPath]:
    """The versions of the one model in a folder of models, such as a root's `serving`."""
    models = (
        {path: complete_versions(path) for path in sorted(folder.iterdir(), key=str)}
        if folder.is_dir()
        else {}
    )
    models = {path.name: versions for path, versions in models.items() if versions}
    if len(models) > 1:
        raise ServingError(f"{folder}: expected one model. Received {', '.join(models)}.")
    return next(iter(models.values()), [])


def _message(error: Exception) -> str:
    """The message of an assertion in the graph, without the graph's own context."""
    text = getattr(error, "message", None) or str(error)
    lines = [line for line in text.splitlines() if "assertion failed" in line]
    return (lines or text.splitlines() or [type(error).__name__])[0]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
