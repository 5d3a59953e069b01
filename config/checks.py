"""Checks of settings; the message has what was expected and what was received."""

import datetime as dt
from typing import Any, Optional

from crowdflow.schema.errors import ConfigError


def require(ok: bool, field: str, expected: str, received: Any) -> None:
    """Raises ConfigError unless `ok`."""
    if not ok:
        raise ConfigError(f"{field}: expected {expected}. Received: {received!r}.")


def require_date(field: str, value: Optional[str]) -> None:
    """Raises ConfigError unless a setting is null or a date YYYY-MM-DD."""
    if value is not None:
        try:
            dt.date.fromisoformat(value)
        except ValueError:
            require(False, field, "a date YYYY-MM-DD", value)
