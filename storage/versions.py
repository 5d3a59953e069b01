"""The serving folder: numeric version folders, of which only complete ones count."""

import hashlib

from crowdflow.storage.store_path import AnyPath, contents, remember

SAVED_MODEL = "saved_model.pb"
# Where a refitted version keeps the approved model, in its own folder.
APPROVED = "assets.extra/approved"
# How the names begin of what a push leaves while it is under way.
PUSH_MARK = ".push-"


def complete_versions(folder: AnyPath) -> list[AnyPath]:
    """Version folders that hold a complete model, oldest first. One without `saved_model.pb` is incomplete."""
    if not folder.is_dir():
        return []
    found = [p for p in folder.iterdir() if p.name.isdigit() and (p / SAVED_MODEL).is_file()]
    return sorted(found, key=lambda path: int(path.name))


def approved(version: AnyPath) -> AnyPath:
    """The approved model of a version: the version itself, or what a refitted one keeps beside it."""
    twin = version / APPROVED
    return twin if (twin / SAVED_MODEL).is_file() else version


@remember
def model_digest(folder: AnyPath) -> str:
    """Hash of the names and bytes of a SavedModel's files: the same for a model and its pushed copy."""
    digest = hashlib.sha256()
    for name, content in contents(folder):
        digest.update(f"{name}\0".encode())
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def pushed_before(folder: AnyPath, candidate: str) -> list[AnyPath]:
    """Complete versions, newest first, without those whose approved model has the candidate's digest."""
    versions = reversed(complete_versions(folder))
    return [path for path in versions if model_digest(approved(path)) != candidate]


def serving_state(folder: AnyPath, candidate: str, code: str) -> str:
    """Hash of what a comparison with the last pushed model depends on: code, candidate and earlier versions."""
    digest = hashlib.sha256(f"{code} {candidate}\n".encode())
    for path in pushed_before(folder, candidate):
        digest.update(f"{path.name} {model_digest(approved(path))}\n".encode())
    return digest.hexdigest()
