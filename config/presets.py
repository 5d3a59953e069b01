"""The presets: YAML files in `config/presets`, each a description and settings that differ from the defaults."""

from importlib import resources

from crowdflow.config import reading
from crowdflow.config.config import Config
from crowdflow.schema.errors import ConfigError

EMBEDDED = "tiny-city"


def names() -> list[str]:
    """Names of all presets, sorted."""
    folder = resources.files("crowdflow.config").joinpath("presets")
    return sorted(
        p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml")
    )


def _read(name: str) -> dict:
    if name not in names():
        raise ConfigError(f"preset: expected one of {', '.join(names())}. Received: {name!r}.")
    file = resources.files("crowdflow.config").joinpath("presets", f"{name}.yaml")
    with resources.as_file(file) as path:
        return reading.read_file(path)


def describe(name: str) -> str:
    """One-line description of a preset."""
    return _read(name)["description"]


def load(name: str) -> Config:
    """The configuration of a preset.

    Raises:
      ConfigError: there is no such preset.
    """
    values = _read(name)
    del values["description"]
    return Config.from_dict({"preset": name, **values})
