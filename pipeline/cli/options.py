"""Options that several commands share, and functions that read their values."""

import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from crowdflow.config import Config, reading
from crowdflow.schema.errors import ConfigError


class LocalPath(click.Path):
    """A path on this machine, as `pathlib.Path`; an object store's address would become a local folder."""

    def __init__(self, **options: bool):
        """Takes the options of `click.Path`."""
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        """Refuses addresses."""
        if "://" in str(value):
            name = param.human_readable_name if isinstance(param, click.Argument) else param.opts[0]
            raise ConfigError(f"{name}: expected a path on this machine. Received: {value}")
        return super().convert(value, param, ctx)


CONFIG = click.option(
    "--config",
    "config_file",
    type=LocalPath(),
    help="Configuration file (YAML or JSON), used instead of a preset.",
)
DATA = click.option(
    "--data",
    multiple=True,
    metavar="PATH...",
    help="Input files, folders or patterns: local, s3:// or gs://.",
)
SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a field by its dotted name, may be repeated.",
)
SET_READING = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set how the files are read, such as trips.date_order; may be repeated.",
)
MORE = click.argument(
    "more", nargs=-1, type=click.UNPROCESSED, metavar="[PATH...] [-- BEAM OPTIONS]"
)

MAP_FORMAT = click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["geoparquet", "geojson"]),
    help="Output format for GIS programs beside Parquet, may be repeated.",
)


def _from_environment(_context: Any, _option: Any, name: str | None) -> str | None:
    if name is not None and not os.environ.get(name):
        raise ConfigError(f"--token-variable: expected a variable with a token. {name} is not set.")
    return os.environ[name] if name else None


def access(command: Callable) -> Callable:
    """Adds the options of `serving.credentials.Access`. No option takes a token: other users can see arguments."""
    file = LocalPath(dir_okay=False)
    added = (
        click.option(
            "--token-file", type=file, help="File with a bearer token, read for every request."
        ),
        click.option(
            "--token-variable",
            "token",
            metavar="NAME",
            callback=_from_environment,
            help="Environment variable with a bearer token.",
        ),
        click.option(
            "--ca-file",
            type=file,
            help="CA certificates (PEM) for a server with TLS.  [default: the system's]",
        ),
        click.option(
            "--credentials-in-clear",
            is_flag=True,
            help="Send a token or password to another machine without TLS.",
        ),
    )
    for option in reversed(added):
        command = option(command)
    return command


def load(path: Path) -> Config:
    """Reads a saved configuration.

    Raises:
      ConfigError: the file cannot be read, or as `Config.load`.
    """
    try:
        return Config.load(path)
    except OSError as error:
        raise ConfigError(f"{path}: expected a saved configuration. {error.strerror}.") from None


def parse(settings: Sequence[str]) -> dict[str, Any]:
    """Reads `KEY=VALUE` texts; the type of the field says what a value means.

    Raises:
      ConfigError: a text has no `=`.
    """
    return dict(map(_parse, settings))


def _parse(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--set: expected KEY=VALUE, such as seed=7. Received: {text!r}.")
    return name.strip(), reading.Text(value)


def split(data: Sequence[str], more: Sequence[str]) -> tuple[list[str], list[str]]:
    """The paths of `--data` and `MORE`, and the Beam options in `MORE`."""
    paths = list(itertools.takewhile(lambda text: not text.startswith("-"), more))
    return [*data, *paths], list(more[len(paths) :])
