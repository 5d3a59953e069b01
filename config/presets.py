"""The presets: YAML files in `config/presets`, each a description and what differs from the defaults."""

from importlib import resources

import yaml

from crowdflow.config.config import Config
from crowdflow.schema.errors import ConfigError

EMBEDDED = "tiny-city"


def names() -> list[str]:
    """The presets' names, sorted."""
    folder = resources.files("crowdflow.config").joinpath("presets")
    return sorted(
        p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml")
    )


def _read(name: str) -> dict:
    if name not in names():
        raise ConfigError(f"preset: expected one of {', '.join(names())}. Received: {name!r}.")
    path = resources.files("crowdflow.config").joinpath("presets", f"{name}.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def describe(name: str) -> str:
    """A preset's description, a line."""
    return _read(name)["description"]


def load(name: str) -> Config:
    """A preset's configuration.

    Raises:
      ConfigError: there is no such preset.
    """
    values = _read(name)
    del values["description"]
    return Config.from_dict({"preset": name, **values})
