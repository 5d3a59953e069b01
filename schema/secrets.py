"""Keeps secrets out of words: messages, logs and saved settings name them, but never show them."""

import logging
import re

HIDDEN = "***"

# A URL's user and password. An unescaped slash in a password does not end them.
_USER = re.compile(r"(:/{1,2})(?:[^\s/]*|[^\s/:]*:\S*)@")
_QUERY = re.compile(r"(?i)(https?://[^\s?]*\?)[^\s'\")]+")
# The value of a Beam option such as --s3_secret_access_key=..., or of a variable in text.
_VALUE = re.compile(
    r"(?i)((?:secret|token|password|passwd|credential|connection_string|access_key)\w*=)[^\s'\"]+"
)


def without_secrets(text: str, *known: str | None) -> str:
    """A text with `***` in place of its secrets.

    Args:
      text: of any kind, such as a message of another library.
      *known: secrets to hide besides users, passwords and queries of URLs and values after names such as
        `password=`; None and empty ones hide nothing.
    """
    for secret in filter(None, known):
        text = text.replace(secret, HIDDEN)
    text = _USER.sub(rf"\1{HIDDEN}@", text)
    return _VALUE.sub(rf"\1{HIDDEN}", _QUERY.sub(rf"\1{HIDDEN}", text))


def has_user(address: str) -> bool:
    """Whether an address has a user, and perhaps a password, before its host or bucket."""
    return "://" in address and bool(_USER.search(address))


def names_only(text: str) -> str:
    """`NAME=***` of a text `NAME=VALUE`, or `***` where it has no name."""
    name, equals, _ = text.partition("=")
    return f"{name}={HIDDEN}" if equals else HIDDEN


class Formatter(logging.Formatter):
    """Formats log records, those of other libraries and their tracebacks too, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))
