"""Unwraps CrowdFlow's errors from Beam's."""

import contextlib
import re
from collections.abc import Iterator

from crowdflow.schema import errors

# Matches the last error in the text: a worker's report may contain the same error earlier, as the cause.
_CROWDFLOW_ERROR = re.compile(
    r".*crowdflow\.schema\.errors\.(\w+): (.*?)(?: \[while running '[^']*'\])*\s*\Z", re.DOTALL
)


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
    """Reraises a `CrowdFlowError` of a Beam step as itself instead of Beam's RuntimeError with a traceback."""
    try:
        yield
    except errors.CrowdFlowError as error:
        message = re.sub(r" \[while running '[^']*'\]", "", str(error))
        raise type(error)(message) from None
    except Exception as error:
        found = _CROWDFLOW_ERROR.search(str(error))
        if not found or not hasattr(errors, found[1]):
            raise
        raise getattr(errors, found[1])(found[2]) from None
