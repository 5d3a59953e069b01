"""Checkpoints in an object store: one file per training, uploaded after every epoch."""

import tempfile
from pathlib import Path

from crowdflow.storage import object_store
from crowdflow.storage.store_path import AnyPath, StorePath
from crowdflow.trainer.loop.checkpoint import Checkpoint, Standing


def checkpoint_in(folder: AnyPath) -> Checkpoint:
    """The checkpoint in a training's own folder, local or in an object store."""
    return StoreCheckpoint(folder) if isinstance(folder, StorePath) else Checkpoint(folder)


class StoreCheckpoint(Checkpoint):
    """A checkpoint that is uploaded to an object store atomically and downloaded from there.

    Both methods raise a StoreError if the store does not answer or refuses.
    """

    def __init__(self, folder: StorePath):
        self._scratch = tempfile.TemporaryDirectory()
        super().__init__(Path(self._scratch.name))
        self._object = str(folder / self._path.name)

    def save(self, standing: Standing) -> None:
        """Writes the file locally, then uploads it."""
        super().save(standing)
        content = self._path.read_bytes()
        with (
            object_store.clear_errors(self._object),
            object_store.open_to_write(self._object) as file,
        ):
            file.write(content)

    def load(self) -> Standing | None:
        """See `Checkpoint`."""
        if object_store.info(self._object) is None:
            return None
        self._path.write_bytes(object_store.read(self._object))
        return super().load()
