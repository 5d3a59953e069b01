"""The live record of the pushed models: one JSON file beside the versions, always whole."""

import json
from collections.abc import Callable
from typing import Any

from crowdflow.schema.errors import ServingError
from crowdflow.schema.features import LIVE_FILE
from crowdflow.storage.store_path import AnyPath, StorePath, write_whole
from crowdflow.storage.versions import serving_lock

Record = dict[str, Any]
FORMAT = 1


def read(serving: AnyPath) -> Record:
    """The record of a serving folder: `format`, `pushes` by version, and `days`; empty before the first push.

    Raises:
      ServingError: the file is no such record.
    """
    path = serving / LIVE_FILE
    if not path.is_file():
        return {"format": FORMAT, "pushes": {}, "days": []}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] == FORMAT and {"pushes", "days"} <= found.keys():
            return found
    except (ValueError, KeyError, TypeError):
        pass
    raise ServingError(
        f"{path}: expected a live record of format {FORMAT}. Move it out of the folder; the next run begins "
        "a new one."
    )


def update(serving: AnyPath, change: Callable[[Record], Record]) -> Record:
    """Replaces the record by what `change` makes of it, and returns that.

    In a local folder nothing else can write meanwhile. An object store has no such lock: there only one pipeline
    may push to a folder.

    Raises:
      ServingError: as `read`.
      StoreError: the object store does not answer or refuses.
    """
    if isinstance(serving, StorePath):
        return _replace(serving, change)
    serving.mkdir(parents=True, exist_ok=True)
    with serving_lock(serving):
        return _replace(serving, change)


def _replace(serving: AnyPath, change: Callable[[Record], Record]) -> Record:
    record = read(serving)
    changed = change(record)
    if changed != record:
        write_whole(serving / LIVE_FILE, json.dumps(changed, indent=1).encode())
    return changed
