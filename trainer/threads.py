"""The number of threads that TensorFlow uses for one operation."""

import os

BRANCHES = 3
VARIABLE = "TF_NUM_INTRAOP_THREADS"


def share_among_branches() -> None:
    """Lets the network's branches run in parallel, each on its share of the processors.

    A convolution over a city's map is too small to be worth splitting. Measured on two processors: half as many
    samples again per second. Takes effect where TensorFlow has not started yet; what the environment says stays.
    """
    processors = len(os.sched_getaffinity(0))
    os.environ.setdefault(VARIABLE, str(max(1, processors // BRANCHES)))
