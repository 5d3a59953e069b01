"""Processes of ours forked from one that has imported TensorFlow and TFX, which is half of a short run's time.

A process has its own session, environment, folder and output, and imports our code itself. The first run and the
steps on Kubeflow without a volume start from nothing, as the command does.
"""

import functools
import logging
import multiprocessing
import os
import random
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

# Libraries alone: our own code is imported by each process, from where its environment says.
_IMPORTED = [
    "tfx.components",
    "tfx.orchestration.local.local_dag_runner",
    "tensorflow_model_analysis",
]
_IMPORTED += ["tfx.components.evaluator.executor", "tfx.components.transform.executor"]
_IMPORTED += ["apache_beam", "h5py", "keras", "matplotlib.figure", "pandas", "pyarrow.parquet"]


class Process:
    """`python -m MODULE ARGUMENTS`, as a `subprocess.Popen`.

    Args:
      module: to be run as `__main__`.
      arguments: of its command line.
      out: a file for its output and errors; it is emptied.
      env: its whole environment.
      cwd: its folder.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], out: Path, env: Mapping[str, str], cwd: Path
    ):
        out.write_bytes(b"")
        given = module, list(arguments), str(out), dict(env), str(cwd)
        receiver, sender = _context().Pipe(duplex=False)
        self._process = _context().Process(target=_run, args=(sender, *given))
        self._process.start()
        sender.close()
        receiver.recv()  # its session is its own now, so that all of it can be killed
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int:
        self._process.join()
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()


def start(command: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> Process:
    """A container's `python -m MODULE ARGUMENTS`; see `kfp_local.launcher.start_process`."""
    python, option, module, *arguments = command
    assert (python, option) == ("python", "-m")
    return Process(module, arguments, log, env, cwd)


@functools.cache
def _context() -> multiprocessing.context.BaseContext:
    """Starts the process that the others are forked from, which then imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    # As a run sets it, before TensorFlow reads it.
    with mock.patch.dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3"):
        forkserver.ensure_running()
    return context


def _run(ready, module: str, arguments: list[str], out: str, env: dict[str, str], cwd: str) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(out, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    random.seed()
    for logger in (logging.getLogger(), logging.getLogger("tensorflow")):
        logger.handlers.clear()  # they got them at an import; a command sets up its own before
    ready.send(None)
    ready.close()
    sys.argv = [module, *arguments]
    sys.path[:0] = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    runpy.run_module(module, run_name="__main__", alter_sys=True)
