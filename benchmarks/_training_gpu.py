"""What a GPU gives, for training.py --gpu: bikenyc's network, alone and four together, and taxibj's shapes."""

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

WAYS = "torch-float32", "torch-bfloat16", "torch-graphs", "torch-compile"
SECONDS = 5.0
# Preset, members, an expected rate to choose the number of epochs by, PyTorch's ways.
CASES = (
    ("bikenyc", 1, 15_000, WAYS),
    ("bikenyc", 4, 40_000, ()),
    ("taxibj", 1, 2_000, WAYS[1:3]),
)


def measure(
    child: Callable[..., dict[str, Any]],
    shapes: Callable[..., dict[str, Any]],
    file: str | None,
    torch: str | None,
) -> None:
    """Prints each figure as soon as it is measured, and all as JSON.

    Args:
      child: see training.py.
      shapes: see training.py.
      file: windows of a run of bikenyc; None leaves its complete training out.
      torch: a Python with PyTorch; None leaves PyTorch out.
    """
    found: dict[str, Any] = {"benchmark": "training on a GPU"}

    def note(name: str, what: str, given: dict[str, Any]) -> float:
        try:
            one = child(what, given, torch) if what.startswith("torch") else child(what, given)
        except subprocess.CalledProcessError as error:  # the other figures are still worth having
            found[name] = None
            print(f"{name:<28} failed with status {error.returncode}", flush=True)
            return 0.0
        found[name] = one
        words = {key: value for key, value in one.items() if key != "samples_per_second"}
        rate = one.get("samples_per_second", 0.0)
        print(f"{name:<28} {rate:9,.0f} samples/s  {json.dumps(words)}", flush=True)
        return rate

    threads = {"threads": len(os.sched_getaffinity(0)), "seconds": SECONDS}
    for preset, members, expected, ways in CASES:
        real = file if preset == "bikenyc" else None
        given = {**shapes(preset, None), **threads, "file": real}
        given |= {"members": members, "rate": expected}
        ours = note(f"{preset} x {members}, ours", "ours", given)
        peers = [note(f"{preset}, {way}", way, given) for way in ways if torch]
        if ours and any(peers):
            print(f"{preset}: ours / PyTorch's best: {ours / max(peers):.2f}", flush=True)
    if file:
        given = {**shapes("bikenyc", None), **threads, "file": file}
        note("bikenyc complete", "complete", given)
    print(json.dumps(found))
