"""Whole runs of the command on a tiny simulated city, each in a process of its own."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from kfp_local.launcher import start_process
from worlds import warm

from crowdflow.schema.features import LIVE_FILE
from crowdflow.simulation.city import CitySpec, simulate
from crowdflow.simulation.files import write_city
from crowdflow.storage.versions import DIGESTS

COMMAND = [str(Path(sys.executable).with_name("crowdflow"))]
NODES = [
    "FlowExampleGen",
    "FlowSchema",
    "StatisticsGen",
    "ExampleValidator",
    "ValidationGate",
    "WindowGen",
    "Transform",
    "Trainer",
    "LastPushedModel",
    "FlowDrift",
    "Evaluator",
    "Refit",
    "Pusher",
    "FlowReportGen",
]
SECRET = "s3cr3t-0f-a-t3st"
# Enough to beat the naive forecasts on this city, and the same bits every time.
SETTINGS = {
    "grid.rows": 4,
    "grid.cols": 4,
    "split.test_days": 5,
    "model.residual_units": 1,
    "model.filters": 8,
    "training.epochs": 25,
    "training.patience": 25,
    "training.final_epochs": 10,
    "training.learning_rate": 0.004,
    "training.final_learning_rate": 0.001,
    "training.precision": "float32",
    "training.deterministic": True,
    "kubeflow.environment": [f"CITY_PASSWORD={SECRET}"],
    "beam.all": [f"--s3_secret_access_key={SECRET}"],
}


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that ended.

    Attributes:
      root: its root folder.
      code: its exit code.
      output: all it printed.
      summary: its `summary.json`, `{}` where it wrote none.
      versions: whatever stood in the serving folder then but the live record and the digests, by name.
    """

    root: Path
    code: int
    output: str
    summary: dict
    versions: list[Path]

    @property
    def states(self) -> dict[str, str]:
        return {node["id"]: node["state"] for node in self.summary["nodes"]}

    @property
    def executed(self) -> set[str]:
        return {node for node, state in self.states.items() if state == "executed"}

    def artifact(self, node: str, output: str) -> Path:
        """Folder of the first artifact that a node wrote under this root."""
        folders = (self.root / "artifacts" / node / output).iterdir()
        return min(folders, key=lambda path: int(path.name))

    def metadata(self):
        """The root's MLMD store."""
        from ml_metadata import metadata_store
        from ml_metadata.proto import metadata_store_pb2

        connection = metadata_store_pb2.ConnectionConfig()
        connection.sqlite.filename_uri = str(self.root / "metadata.sqlite")
        return metadata_store.MetadataStore(connection)

    def executions(self, type_name: str) -> list:
        """MLMD's executions of a node."""
        store = self.metadata()
        types = [t for t in store.get_execution_types() if t.name.endswith(f".{type_name}")]
        return [e for t in types for e in store.get_executions_by_type(t.name)]


class Started:
    """A run that goes on; leaving the `with` block leaves no process behind."""

    def __init__(self, process: subprocess.Popen | warm.Process, root: Path):
        self.process, self.root = process, root

    def __enter__(self) -> "Started":
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the command and everything it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait_for(self, ready: Callable[[], object], pause: float = 0.01) -> object:
        """Polls until `ready()` gives something true, and returns it; the run must live on."""
        while not (found := ready()):
            assert self.process.poll() is None, self.output()
            time.sleep(pause)
        return found

    def output(self) -> str:
        """All it printed so far."""
        return self.root.with_suffix(".out").read_text()

    def finish(self) -> Run:
        """Waits for its end."""
        self.process.wait()
        summary = self.root / "summary.json"
        account = json.loads(summary.read_text()) if summary.exists() else {}
        serving = self.root / "serving" / "crowdflow"
        versions = sorted(p for p in serving.glob("*") if p.name not in (LIVE_FILE, DIGESTS))
        return Run(self.root, self.process.returncode, self.output(), account, versions)


class Log:
    """The log of a started run, read as it grows."""

    def __init__(self, run: Started, earlier: set[Path]):
        def appeared() -> list[Path]:
            return [path for path in (run.root / "logs").glob("*.log") if path not in earlier]

        [path] = run.wait_for(appeared)
        self._run, self._file, self.text = run, path.open(), ""

    def has(self, words: str) -> bool:
        """Whether a line with these words was written by now."""
        self.text += self._file.read()
        return words in self.text

    def wait_for(self, words: str) -> None:
        """Polls tightly until the run logs these words."""
        self._run.wait_for(lambda: self.has(words), pause=0.002)


def _text(value: object) -> str:
    """A setting's value as the command line takes it."""
    return value if isinstance(value, str) else json.dumps(value)


class Crowdflow:
    """`crowdflow run` with the tiny city's data and settings.

    Args:
      data: input files.
      command: what starts it from nothing; None forks it from a process that has imported TensorFlow.
      environment: more variables for it.
    """

    nodes, settings, secret = NODES, SETTINGS, SECRET

    def __init__(
        self, data: Sequence[Path], command: Sequence[str] | None = None, **environment: str
    ):
        self.data, self.command = list(data), command
        self._environment = {**os.environ, **environment}
        # Where JAX is installed TensorFlow imports it, and it sets this in the tests' own process.
        self._environment.pop("TF_CPP_MIN_LOG_LEVEL", None)

    def start(
        self,
        root: Path,
        *more: str,
        data: Sequence[Path] | None = None,
        **settings: object,
    ) -> Started:
        """Starts a run; settings are written `training__epochs=3`, and `more` goes to the command's end."""
        changed = {name.replace("__", "."): value for name, value in settings.items()}
        sets = [f"--set={name}={_text(v)}" for name, v in {**SETTINGS, **changed}.items()]
        paths = [f"--data={path}" for path in (self.data if data is None else data)]
        arguments = ["run", "--preset=tiny-city", f"--root={root}", *paths, *sets, *more]
        out, environment = root.with_suffix(".out"), self._environment
        root.parent.mkdir(parents=True, exist_ok=True)
        if self.command is None:
            module = "crowdflow.pipeline.cli.__main__"
            process = warm.Process(module, arguments, out, environment, root.parent)
        else:
            command = [*self.command, *arguments]
            process = start_process(command, root.parent, environment, out)
        return Started(process, root)

    @contextlib.contextmanager
    def followed(self, root: Path, **options: object) -> Iterator[tuple[Started, Log]]:
        """A started run and its log."""
        earlier = set((root / "logs").glob("*.log"))
        with self.start(root, **options) as run:
            yield run, Log(run, earlier)

    def called_by(self, command: Sequence[str] | None, **environment: str) -> "Crowdflow":
        """The same, started by another command line."""
        return Crowdflow(self.data, command, **environment)

    def __call__(self, root: Path, *more: str, **options: object) -> Run:
        """A run to its end. An earlier run's summary cannot be taken for this one's."""
        (root / "summary.json").unlink(missing_ok=True)
        with self.start(root, *more, **options) as run:
            return run.finish()


@pytest.fixture(scope="session")
def city_spec() -> CitySpec:
    return CitySpec(rows=4, cols=4, days=35)


@pytest.fixture(scope="session")
def city(city_spec, tmp_path_factory) -> dict[str, list[Path]]:
    """The city's files by format."""
    folder = tmp_path_factory.mktemp("city")
    found, drawn = {}, simulate(city_spec)
    for name in ("parquet", "csv", "h5", "weather", "holidays"):
        found[name] = write_city(drawn, folder, [name])
    return found


@pytest.fixture(scope="session")
def side_files(city) -> list[Path]:
    return city["weather"] + city["holidays"]


@pytest.fixture(scope="session")
def crowdflow(city, side_files) -> Crowdflow:
    return Crowdflow(city["parquet"] + side_files)


@pytest.fixture(scope="session")
def contested(crowdflow, tmp_path_factory) -> tuple[Run, subprocess.CompletedProcess]:
    """A first run, and what another command met that wanted the same root meanwhile."""
    root = tmp_path_factory.mktemp("first") / "root"
    with crowdflow.called_by(COMMAND).start(root) as run:
        lock = root / ".lock"
        run.wait_for(lambda: lock.exists() and lock.read_text() == str(run.process.pid))
        command = [*COMMAND, "run", f"--root={root}"]
        other = subprocess.run(command, capture_output=True, text=True, cwd=root.parent)
        assert run.process.poll() is None
        return run.finish(), other


@pytest.fixture(scope="session")
def first(contested) -> Run:
    """The first run on a root of its own: every node executed, and a model was pushed."""
    run, _ = contested
    assert run.code == 0, run.output
    shutil.copytree(run.root / run.summary["pushed_model"], run.root.parent / "pushed")
    return run


@pytest.fixture(scope="session")
def pushed(first) -> Path:
    """A copy of the first run's pushed model; tests of the cache delete the model itself."""
    return first.root.parent / "pushed"


@pytest.fixture(scope="session")
def second(first, pushed, crowdflow) -> Run:
    """The same command again, nothing changed."""
    return crowdflow(first.root)
