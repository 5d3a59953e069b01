"""A run's root folder: its layout, and the lock that allows one run at a time."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from crowdflow.schema.errors import RootBusyError
from crowdflow.schema.features import MODEL_NAME


class Root:
    """The files and folders under a root.

    Attributes:
      path: absolute.
      artifacts: of the nodes.
      metadata: MLMD's SQLite file.
      serving: version folders of the pushed models.
      checkpoints: of interrupted trainings.
      data: the simulated city.
      logs: one file per run.
      report: the last report.
      summary: the last run in JSON.
      config: the last run's configuration.
      metrics: the live figures of the last pushed model, for Prometheus.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path).absolute()
        self.artifacts = self.path / "artifacts"
        self.metadata = self.path / "metadata.sqlite"
        self.serving = self.path / "serving" / MODEL_NAME
        self.checkpoints = self.path / "checkpoints"
        self.data = self.path / "data"
        self.logs = self.path / "logs"
        self.report = self.path / "report"
        self.summary = self.path / "summary.json"
        self.config = self.path / "config.yaml"
        self.metrics = self.path / "metrics" / "crowdflow.prom"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the root; the lock is released when the process ends, in whatever way.

        Raises:
          RootBusyError: another process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise RootBusyError(
                    f"{self.path}: another run (process {holder}) holds this root. Wait for it, or use "
                    "another --root."
                ) from None
            # The number is for the other's message; a full disk has the lock without it, so that `clean` can work.
            with contextlib.suppress(OSError):
                os.ftruncate(file.fileno(), 0)
                os.write(file.fileno(), str(os.getpid()).encode())
            yield
