"""The serving folder: numeric version folders, of which only the complete ones count."""

import hashlib
from pathlib import Path

SAVED_MODEL = "saved_model.pb"


def complete_versions(folder: Path) -> list[Path]:
    """Version folders that hold a whole model, oldest first. A folder without `saved_model.pb` is partial."""
    if not folder.is_dir():
        return []
    found = [p for p in folder.iterdir() if p.name.isdigit() and (p / SAVED_MODEL).is_file()]
    return sorted(found, key=lambda path: int(path.name))


def model_digest(folder: Path) -> str:
    """Hash of a SavedModel's files, names and bytes: the same for a model and its pushed copy."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def pushed_before(folder: Path, candidate: str) -> list[Path]:
    """Complete versions, newest first, without copies of the candidate (by its digest)."""
    versions = reversed(complete_versions(folder))
    return [path for path in versions if model_digest(path) != candidate]


def serving_state(folder: Path, candidate: str, code: str) -> str:
    """Hash of what a comparison with the last pushed model depends on: code, candidate, earlier versions."""
    digest = hashlib.sha256(f"{code} {candidate}\n".encode())
    for path in pushed_before(folder, candidate):
        digest.update(f"{path.name} {model_digest(path)}\n".encode())
    return digest.hexdigest()
