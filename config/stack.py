"""Where the code differs between the two stacks of libraries: today's and the older one.

Which one is installed follows from Python's version, as in the markers of `setup.py`. Whatever can be written so
that it runs on both is, and this module has the rest.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

TODAY, OLDER = "today", "older"
STACK = TODAY if sys.version_info >= (3, 12) else OLDER
IMAGE_STACK = TODAY  # of deploy/Dockerfile


@contextlib.contextmanager
def quiet_tensorflow(level: str = "3") -> Iterator[None]:
    """Imports TensorFlow and what is built on it without their greetings.

    TensorFlow 2.21 writes to the process's error output while it loads, whatever its log level is. That text is
    held back, and comes out if an import fails.

    Args:
      level: of TensorFlow's own log, for as long as the process lives: "2" leaves errors, "3" nothing.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", level)
    if STACK == OLDER:
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held, open(os.dup(2), "wb") as error_output:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except ImportError:
            held.seek(0)
            error_output.write(held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(error_output.fileno(), 2)
