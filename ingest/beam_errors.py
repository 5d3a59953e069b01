"""Errors of ours, out of Beam's wrapping."""

import contextlib
import re
from collections.abc import Iterator

from crowdflow.schema import errors

# The last one of the text: a worker's report can hold the same error as its own cause before that.
_OURS = re.compile(
    r".*crowdflow\.schema\.errors\.(\w+): (.*?)(?: \[while running '[^']*'\])*\s*\Z", re.DOTALL
)


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
    """Raises a `CrowdFlowError` of a Beam step as itself, not as Beam's traceback in a RuntimeError."""
    try:
        yield
    except errors.CrowdFlowError as error:
        message = re.sub(r" \[while running '[^']*'\]", "", str(error))
        raise type(error)(message) from None
    except Exception as error:
        found = _OURS.search(str(error))
        if not found or not hasattr(errors, found[1]):
            raise
        raise getattr(errors, found[1])(found[2]) from None
