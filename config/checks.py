"""Checks of settings; the message has what was expected and what was received."""

import datetime as dt
from typing import Any, Optional

from crowdflow.schema.errors import ConfigError
from crowdflow.schema.secrets import HIDDEN, has_user, names_only

# Settings whose values may be secret, or were meant to be kept in a secret.
_NEVER_SHOWN = ("kubeflow", "kubeflow.environment", "kubeflow.secrets")


def require(ok: bool, field: str, expected: str, received: Any) -> None:
    """Raises ConfigError unless `ok`; of settings that may hold secrets, it shows names alone."""
    if not ok:
        if field in _NEVER_SHOWN:
            received = names_only(received) if isinstance(received, str) else HIDDEN
        raise ConfigError(f"{field}: expected {expected}. Received: {received!r}.")


def require_no_user(field: str, address: Optional[str]) -> None:
    """Raises ConfigError if an address has a user or a password, which would be saved with it."""
    expected = "an address without user and password, which belong into the environment"
    require(not has_user(address or ""), field, expected, address)


def require_date(field: str, value: Optional[str]) -> None:
    """Raises ConfigError unless a setting is null or a date YYYY-MM-DD."""
    if value is not None:
        try:
            dt.date.fromisoformat(value)
        except ValueError:
            require(False, field, "a date YYYY-MM-DD", value)
