"""The environment of the programs that benchmarks compare with: .venv-bench, made from requirements.txt."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PEERS = ROOT / ".venv-bench"


def make_peers() -> Path:
    """Updates .venv-bench to its lock; returns its Python."""
    lock = Path(__file__).with_name("requirements.txt")
    stamp, python = PEERS / "requirements.txt", PEERS / "bin/python"
    if not (stamp.is_file() and stamp.read_bytes() == lock.read_bytes()):
        uv = str(ROOT / "scripts/uv.sh")
        venv = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(PEERS)]
        subprocess.run(venv, check=True)
        install = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python"]
        subprocess.run([*install, str(python), str(lock)], check=True)
        stamp.write_bytes(lock.read_bytes())
    return python
