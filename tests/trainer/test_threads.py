"""Threads of one operation: a third of the processors, at least one, unless the environment says otherwise."""

import os

import pytest

from crowdflow.trainer import threads


@pytest.mark.parametrize("processors, expected", [(1, "1"), (2, "1"), (7, "2"), (48, "16")])
def test_the_branches_share_the_processors(monkeypatch, processors, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
    monkeypatch.setattr(os, "environ", {})
    threads.share_among_branches()
    assert os.environ[threads.VARIABLE] == expected
    os.environ[threads.VARIABLE] = "5"
    threads.share_among_branches()
    assert os.environ[threads.VARIABLE] == "5"
