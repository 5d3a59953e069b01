"""SIGKILL at moments drawn by a seed, the same command again each time: always an undisturbed run's end state.

KILLS is the number of moments for each kind of serving folder, KILLS_SEED their seed. `make kills` draws more of
them and prints where each fell.
"""

import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
from worlds.metrics import close

from crowdflow.schema.features import LIVE_FILE
from crowdflow.serving import Forecaster, connect
from crowdflow.storage.store_path import AnyPath, as_path, files_in
from crowdflow.storage.versions import DIGESTS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

KILLS, SEED = int(os.environ.get("KILLS", 4)), int(os.environ.get("KILLS_SEED", 1))
PER_ROOT = 4  # kills of one run, each further on than the one before
KINDS = ("folder", "s3")
# Before the first node, and the seconds in which anything is written then.
LOADING = {"loading": 2.0}
LONGEST = 5.0  # a longer node is not killed more often than one of this many seconds


@pytest.fixture(scope="module")
def expected(pushed, crowdflow):
    """Recent flows, targets, and what the undisturbed run's model forecasts for them."""
    forecaster = Forecaster(connect(str(pushed)))
    history = forecaster.read([str(path) for path in crowdflow.data])
    targets = history.frames.starts[-100:]
    return history, targets, forecaster.forecast(history, targets).flows


@pytest.fixture(params=KINDS)
def serving(request, tmp_path) -> AnyPath:
    """A serving folder on this machine or on an S3 server, whose address is then in the environment."""
    if request.param == "folder":
        return tmp_path / "serving" / "crowdflow"
    return as_path(f"{request.getfixturevalue('bucket')}/serving/crowdflow")


def draw(seconds: dict[str, float], kind: str, number: int) -> list[tuple[str, float]]:
    """Moments of a run: a node, and how many seconds after its beginning, at times just after its end.

    Args:
      seconds: how long each node takes.
      kind: of the serving folder.
      number: of the run.
    """
    random = np.random.default_rng([SEED, KINDS.index(kind), number])
    weights = np.minimum(list(seconds.values()), LONGEST) + 1  # and the fastest have their share
    count = min(PER_ROOT, KILLS - number * PER_ROOT)
    places = sorted(random.choice(len(seconds), count, p=weights / weights.sum()))
    nodes = [list(seconds)[place] for place in places]
    return [(node, 1.1 * seconds[node] * random.random()) for node in nodes]


def kill(crowdflow, root: Path, node: str, delay: float, **settings) -> str:
    """Kills a run some seconds after a node began; says where it was then."""
    with crowdflow.followed(root, **settings) as (run, log):
        if node not in LOADING:
            log.wait_for(f"Component {node} is running.")
        time.sleep(delay)
        ended = run.process.poll() is not None
        if not ended:
            run.kill()
    log.has("")
    began = ["loading", *re.findall(r"Component (\w+) is running\.", log.text)]
    if ended or log.has(f"Component {began[-1]} is finished."):
        return f"after {began[-1]}"
    return f"in {began[-1]}"


@pytest.mark.parametrize("number", range(-(-KILLS // PER_ROOT)))
def test_a_run_killed_at_any_moment_ends_as_if_undisturbed(
    serving, number, first, pushed, crowdflow, expected, tmp_path
):
    kind = "folder" if isinstance(serving, Path) else "s3"
    crowdflow, root = crowdflow.called_by(crowdflow.command), tmp_path / "root"
    seconds = {node["id"]: node["seconds"] for node in first.summary["nodes"]}
    for node, delay in draw({**LOADING, **seconds}, kind, number):
        place = kill(crowdflow, root, node, delay, paths__serving=str(serving))
        print(f"{kind} {number}: killed {place}, {delay:.2f} s after the beginning of {node}")

    run = crowdflow(root, paths__serving=str(serving))
    print(f"{kind} {number}: exit code {run.code}, executed {', '.join(sorted(run.executed))}")
    assert run.code == 0, run.output
    assert run.summary["metrics"] == close(first.summary["metrics"])
    for name in ("windows", "counters", "blessed", "reasons", "drift"):
        assert run.summary[name] == first.summary[name], name
    # Nothing else, whole or half.
    [version] = (path for path in serving.iterdir() if path.name not in (LIVE_FILE, DIGESTS))
    assert run.summary["pushed_model"] == str(version)
    assert [n for n, *_ in files_in(version)] == [n for n, *_ in files_in(pushed)]
    history, targets, flows = expected
    found = Forecaster(connect(str(version))).forecast(history, targets).flows
    np.testing.assert_array_equal(found, flows)
    assert not list(root.rglob("*.partial*"))
    assert_whole_metadata(run)


def assert_whole_metadata(run) -> None:
    """Every live artifact is there, and comes from an execution that completed."""
    from ml_metadata.proto import metadata_store_pb2 as proto

    store, event = run.metadata(), proto.Event
    live = [a for a in store.get_artifacts() if a.state == proto.Artifact.LIVE]
    assert live and all(Path(artifact.uri).exists() for artifact in live)
    complete = {
        e.id for e in store.get_executions() if e.last_known_state == proto.Execution.COMPLETE
    }
    events = store.get_events_by_artifact_ids([artifact.id for artifact in live])
    made = {e.artifact_id for e in events if e.type == event.OUTPUT and e.execution_id in complete}
    assert made == {artifact.id for artifact in live}
