"""Options that several commands share, and functions that read their values."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from crowdflow.config import Config
from crowdflow.schema.errors import ConfigError


class LocalPath(click.Path):
    """A path on this machine, as `pathlib.Path`; an object store's address would become a local folder."""

    def __init__(self):
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        """Refuses addresses."""
        if "://" in str(value):
            raise ConfigError(
                f"{param.opts[0]}: expected a path on this machine. Received: {value}"
            )
        return super().convert(value, param, ctx)


CONFIG = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
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
    """Reads `KEY=VALUE` texts; values are YAML.

    Raises:
      ConfigError: a text has no `=`, or its value is not YAML.
    """
    return dict(map(_parse, settings))


def _parse(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--set: expected KEY=VALUE, such as seed=7. Received: {text!r}.")
    if value.startswith("{YYYY}"):  # YAML would read the brace as the start of a mapping
        return name.strip(), value
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"--set {name}: expected a YAML value. Received: {value!r}.") from None


def split(more: Sequence[str]) -> tuple[list[str], list[str]]:
    """Splits `MORE` into paths and Beam options."""
    paths = list(itertools.takewhile(lambda text: not text.startswith("-"), more))
    return paths, list(more[len(paths) :])
