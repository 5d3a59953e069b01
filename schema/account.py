"""The form of a pushed model's account of itself, which models outlive the versions of CrowdFlow by."""

from collections.abc import Mapping
from typing import Any

from crowdflow.schema.errors import ServingError
from crowdflow.schema.features import FORMAT, FORMAT_NUMBER


def format_fault(account: Mapping[str, Any]) -> str | None:
    """Why an account cannot be understood, or None if it can: forms from before are read, later ones are not."""
    number = account.get(FORMAT, FORMAT_NUMBER)
    if type(number) is int and 1 <= number <= FORMAT_NUMBER:
        return None
    return (
        f"its account has format {number!r}, expected 1 to {FORMAT_NUMBER}: a later CrowdFlow pushed it, "
        "and one as new as that reads it"
    )


def require_format(account: Mapping[str, Any]) -> None:
    """Checks the form of an account.

    Raises:
      ServingError: it is of a later form.
    """
    fault = format_fault(account)
    if fault:
        raise ServingError(f"The pushed model cannot be used: {fault}.")
