"""Ingest and windows on Beam's other runners: the same records, as sorted sets, and the same counters."""

import pytest
from worlds import beam_runs

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

RUNNERS = {
    "two processes": ["--direct_running_mode=multi_processing", "--direct_num_workers=2"],
    "portable": ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"],
}


@pytest.fixture(scope="module", params=beam_runs.FORMS)
def world(request, tmp_path_factory):
    return beam_runs.make_world(request.param, tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def one_worker(world, tmp_path_factory):
    return beam_runs.run(*world, [], tmp_path_factory.mktemp("one") / "out")


@pytest.mark.parametrize("runner", RUNNERS)
def test_frames_and_windows_are_the_same(world, one_worker, runner, tmp_path):
    found = beam_runs.run(*world, RUNNERS[runner], tmp_path / "out")
    assert {name: len(part) for name, part in one_worker[0].items()} == {
        name: len(part) for name, part in found[0].items()
    }
    assert len(one_worker[0]["frames"]) == (14 + 7 + 1) * 24
    assert all(one_worker[0].values())
    assert found == one_worker
