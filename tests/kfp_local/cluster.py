"""A cluster in a folder: it takes a compiled YAML and runs it, step after step."""

import dataclasses
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfp_local import documents, driver, launcher
from kfp_local.store import Metadata, ObjectStore

EXECUTED, CACHED, FINISHED = "executed", "cached", "finished before"


class StepFailed(RuntimeError):
    """A step's process ended with another code than 0; the message has the end of its log."""

    def __init__(self, task: str, code: int, log: str):
        super().__init__(f"{task} ended with {code}:\n{log[-4000:]}")
        self.task, self.code, self.log = task, code, log


@dataclasses.dataclass
class Run:
    """A run.

    Attributes:
      id: of the run.
      states: task -> `executed`, `cached` or `finished before`, in the order in which they ended.
      outputs: task -> output -> the artifact's number.
    """

    id: str
    states: dict[str, str] = dataclasses.field(default_factory=dict)
    outputs: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)


class Cluster:
    """Kubeflow Pipelines in a folder.

    Args:
      folder: of the object store, the metadata and the containers.
      root_variable: of the environment; it tells a container where `/gcs`, `/s3` and `/minio` are, which an image
        finds at its root.
      root: the pipeline root, an address.
      start: starts a container's process, as `kfp_local.launcher.start_process`.
      **environment: more variables of the containers.
    """

    def __init__(
        self,
        folder: Path,
        root_variable: str,
        root: str = "s3://mlpipeline/v2/artifacts",
        start: Callable = launcher.start_process,
        **environment: str,
    ):
        self.folder, self.root, self._root_variable = folder, root, root_variable
        folder.mkdir(parents=True, exist_ok=True)
        self.store = ObjectStore(folder / "objects")
        self.metadata = Metadata(folder / "metadata.json")
        self._environment = launcher.python_first() | environment
        self._start = start

    def run(
        self,
        path: Path,
        run_id: str | None = None,
        follow: Callable[[str, subprocess.Popen, Path], None] = lambda *_: None,
        **parameters: Any,
    ) -> Run:
        """Runs a pipeline; the same `run_id` again is a retry, which keeps the steps that have finished.

        Raises:
          StepFailed: a step failed; the steps after it did not run.
        """
        pipeline = documents.load(path)
        values = pipeline.values(parameters)
        run = Run(run_id or uuid.uuid4().hex)
        for task in pipeline.tasks:
            self._step(pipeline, task, values, run, follow)
        return run

    def artifact(self, run: Run, task: str, output: str) -> dict[str, Any]:
        """An output as later steps get it."""
        return self.metadata.runtime_artifact(run.outputs[task][output])

    def path(self, run: Run, task: str, output: str) -> Path:
        """Where the object store has an output."""
        return self.store.path(self.artifact(run, task, output)["uri"])

    def _step(
        self,
        pipeline: documents.Pipeline,
        task: documents.Task,
        values: dict[str, Any],
        run: Run,
        follow: Callable[[str, subprocess.Popen, Path], None],
    ) -> None:
        before = self.metadata.finished(run=run.id, task=task.name)
        if before:
            run.states[task.name], run.outputs[task.name] = FINISHED, before["outputs"]
            return
        for claim in task.claims:
            if not Path(claim["mountPath"]).is_dir():
                raise ValueError(f"{task.name}: no volume at {claim['mountPath']}")
        pod = uuid.uuid4().hex[:8]
        folder = self.folder / "pods" / f"{task.name}-{pod}"
        folder.mkdir(parents=True)
        root = f"{self.root}/{pipeline.name}/{run.id}"
        output_file = str(folder / "kfp_outputs" / "output_metadata.json")
        given = driver.executor_input(
            task, values, run.outputs, self.metadata, root, pod, output_file
        )
        key = driver.fingerprint(task, given) if task.is_cached else None
        hit = self.metadata.finished(pipeline=pipeline.name, key=key) if key else None
        if hit:
            outputs, state = hit["outputs"], CACHED
        else:
            for attempt in range(task.retries + 1):
                place = folder if not attempt else folder.with_name(f"{folder.name}-{attempt}")
                place.mkdir(exist_ok=True)
                code, made = launcher.launch(
                    task, given, self.store, place, self._environment, self._root_variable, follow,
                    self._start,
                )  # fmt: skip
                if not code:
                    break
            if code:
                log = self.store.path(made[driver.LOGS]["uri"]).read_text(errors="replace")
                raise StepFailed(task.name, code, log)
            outputs = {
                name: self.metadata.put_artifact(name, artifact, self.root)
                for name, artifact in made.items()
            }
            state = EXECUTED
        run.states[task.name], run.outputs[task.name] = state, outputs
        done = {"pipeline": pipeline.name, "run": run.id, "task": task.name}
        self.metadata.put_execution({**done, "key": key, "outputs": outputs})
