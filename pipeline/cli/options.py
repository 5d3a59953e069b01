"""Options of more than one command, and how they are read."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from crowdflow.config import Config
from crowdflow.schema.errors import ConfigError


class LocalPath(click.Path):
    """A path on this machine, as `pathlib.Path`; an address in an object store would become a folder's name."""

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
    help="A saved configuration instead.",
)
DATA = click.option(
    "--data",
    multiple=True,
    metavar="PATH...",
    help="Input files, folders or patterns, local or s3:// or gs://.",
)
SET = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting by its dotted name."
)
MORE = click.argument(
    "more", nargs=-1, type=click.UNPROCESSED, metavar="[PATH...] [-- BEAM OPTIONS]"
)


def load(path: Path) -> Config:
    """Reads a saved configuration.

    Raises:
      ConfigError: there is none, or as `Config.load`.
    """
    try:
        return Config.load(path)
    except OSError as error:
        raise ConfigError(f"{path}: expected a saved configuration. {error.strerror}.") from None


def parse(settings: Sequence[str]) -> dict[str, Any]:
    """Reads `KEY=VALUE` texts; values are YAML.

    Raises:
      ConfigError: one is no such text.
    """
    return dict(map(_parse, settings))


def _parse(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--set: expected KEY=VALUE, such as seed=7. Received: {text!r}.")
    if value.startswith("{YYYY}"):  # YAML would take the brace for a mapping's
        return name.strip(), value
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"--set {name}: expected a YAML value. Received: {value!r}.") from None


def split(more: Sequence[str]) -> tuple[list[str], list[str]]:
    """The paths and the Beam options of `MORE`."""
    paths = list(itertools.takewhile(lambda text: not text.startswith("-"), more))
    return paths, list(more[len(paths) :])
