"""Threads of one operation, counted in processes in which TensorFlow has started."""

import os
import subprocess
import sys

import pytest

from crowdflow.trainer import threads

COUNT = """
import os, sys
os.sched_getaffinity = lambda _: set(range(int(sys.argv[1])))
from crowdflow.trainer import threads
threads.share_among_branches()
import tensorflow as tf
tf.matmul(tf.ones([512, 512]), tf.ones([512, 512]))
print(len(os.listdir("/proc/self/task")))
"""


def count(processors: int, given: str | None = None) -> int:
    """The threads of a process that believes to have so many processors."""
    environment = {name: value for name, value in os.environ.items() if name != threads.VARIABLE}
    if given:
        environment[threads.VARIABLE] = given
    command = [sys.executable, "-c", COUNT, str(processors)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.fixture(scope="module")
def single() -> int:
    """The threads where an operation has one."""
    return count(1, "1")


@pytest.mark.parametrize(
    ("processors", "given", "expected"), [(2, None, 1), (7, None, 2), (48, None, 16), (48, "5", 5)]
)
def test_the_branches_share_the_processors(processors, given, expected, single):
    assert count(processors, given) - single == expected - 1
