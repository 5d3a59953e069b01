"""The plain reference of windows."""

import pytest
from worlds import plain_windows


@pytest.fixture(scope="session")
def plain():
    """The reference."""
    return plain_windows
