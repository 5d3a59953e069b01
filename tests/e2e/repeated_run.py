"""`crowdflow run` again and again in one process, so that TensorFlow is loaded once, on disks that are full.

    repeated_run.py full FOLDER,FOLDER,... run --root=ROOT ...    another folder under the root is full each time
    repeated_run.py grow BYTES run --root=ROOT ...                the root's own disk doubles until it is enough

Prints `--- FOLDER` or `--- BYTES` before each run, and `--- exit CODE` after it.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from worlds.small_disk import full_disk, resize

from crowdflow.pipeline.cli import main


def call(arguments: Sequence[str]) -> int:
    try:
        main(arguments)
    except SystemExit as end:
        return end.code or 0


def full(root: Path, folders: str) -> Iterator[str]:
    for folder in folders.split(","):
        with full_disk(root / folder):
            yield folder


def grow(root: Path, size: str) -> Iterator[str]:
    bytes_ = int(size)
    while True:
        resize(root, bytes_)
        yield str(bytes_)
        if (
            root / "artifacts"
        ).exists():  # there is something to remove, for which no room is needed
            assert call(["clean", f"--root={root}", "--keep=1"]) == 0
        bytes_ *= 2


if __name__ == "__main__":
    way, places, *arguments = sys.argv[1:]
    root = Path(
        next(text for text in arguments if text.startswith("--root=")).removeprefix("--root=")
    )
    for step in {"full": full, "grow": grow}[way](root, places):
        print(f"--- {step}", flush=True)
        code = call(arguments)
        print(f"--- exit {code}", flush=True)
        if code == 0:
            break
