"""Removes the artifacts, versions, checkpoints and logs of old runs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from crowdflow.pipeline.local.root import Root
from crowdflow.storage.versions import PUSH_MARK, complete_versions

_TRASH = ".trash-"


def clean(root_folder: Path, keep: int, dry_run: bool = False) -> Iterator[tuple[Path, int]]:
    """Removes all but the last runs' artifacts and the newest versions.

    Artifacts that one of the last `keep` completed or failed runs used or made are kept, so their results stay in
    the cache; TFX notices that the others are gone. The newest `keep` complete versions are kept; partial ones are
    removed, and nothing else in the serving folder is. Of the checkpoints and the logs the newest `keep` are kept.

    Args:
      root_folder: a run's root.
      keep: how many, at least 1.
      dry_run: removes nothing.

    Yields:
      Each removed path, relative to the root, and its size in bytes.

    Raises:
      RootBusyError: a run holds the root.
    """
    root = Root(root_folder)
    with root.lock():
        for path in _old(root, keep):
            size = sum(p.stat().st_size for p in [path, *path.rglob("*")] if p.is_file())
            if not dry_run:
                _remove(path)
            yield path.relative_to(root.path), size


def _remove(path: Path) -> None:
    """Removes a file or folder; a folder is renamed first, so that no partial one has its name."""
    if path.is_dir() and not path.name.startswith(_TRASH):
        path = path.rename(path.with_name(f"{_TRASH}{path.name}"))
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _old(root: Root, keep: int) -> list[Path]:
    kept = complete_versions(root.serving)[-keep:]
    old = [p for p in _entries(root.serving) if _is_ours(p.name) and p not in kept]
    for folder in (root.checkpoints, root.logs):
        old += sorted(_entries(folder), key=lambda p: p.stat().st_mtime)[:-keep]
    if root.metadata.exists():
        kept = _artifacts_of_last_runs(root, keep)
        # artifacts/<node>/<output>/<execution id>
        old += [p for p in sorted(root.artifacts.glob("[!.]*/[!.]*/[0-9]*")) if p not in kept]
        old += sorted(root.artifacts.glob(f"*/*/{_TRASH}*"))
    return old


def _is_ours(name: str) -> bool:
    """Whether something in the serving folder was made by a run: a version, a push, or what is being removed."""
    return name.isdigit() or name.startswith((PUSH_MARK, _TRASH))


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _artifacts_of_last_runs(root: Root, keep: int) -> set[Path]:
    from ml_metadata import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(root.metadata)
    store = metadata_store.MetadataStore(connection)
    runs = sorted(
        store.get_contexts_by_type("pipeline_run"), key=lambda c: c.create_time_since_epoch
    )
    return {Path(a.uri) for run in runs[-keep:] for a in store.get_artifacts_by_context(run.id)}
