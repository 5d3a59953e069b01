"""Reading settings into dataclasses: known names, the right types, and plain values to write back."""

import dataclasses
import datetime as dt
import difflib
import json
import types
import typing
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import yaml

from crowdflow.config.checks import require
from crowdflow.schema.errors import ConfigError

_Settings = TypeVar("_Settings")


def field_names(cls: type, prefix: str = "") -> list[str]:
    """The dotted names of a dataclass's fields, those of its sections included."""
    names = []
    for field in dataclasses.fields(cls):
        if dataclasses.is_dataclass(field.type):
            names += field_names(field.type, f"{prefix}{field.name}.")
        else:
            names.append(prefix + field.name)
    return names


def build(cls: type[_Settings], values: dict[str, Any]) -> _Settings:
    """Builds a dataclass and its sections from a nested dict; absent fields take their defaults.

    Raises:
      ConfigError: an unknown field, a value of the wrong type, or one that the dataclass refuses.
    """
    return _build(cls, values, "", cls)


def replaced(values: dict[str, Any], settings: dict[str, Any], cls: type) -> dict[str, Any]:
    """Sets dotted names, such as `training.epochs`, in the nested dict of a `cls`, in place.

    Raises:
      ConfigError: a name that is not a field.
    """
    for dotted, value in settings.items():
        node, parts = values, dotted.split(".")
        for part in parts[:-1]:
            node = node.get(part)
            if not isinstance(node, dict):
                _raise_unknown(dotted, cls)
        if parts[-1] not in node or isinstance(node[parts[-1]], dict):
            _raise_unknown(dotted, cls)
        node[parts[-1]] = value
    return values


def plain(value: Any) -> Any:
    """Turns tuples into lists, at any depth, as YAML and JSON have no tuples."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return list(value) if isinstance(value, tuple) else value


def read_file(path: Path) -> dict[str, Any]:
    """Reads YAML, or JSON if the name ends in `.json`.

    Raises:
      ConfigError: the file cannot be parsed, or is not a mapping.
    """
    read = json.loads if path.suffix == ".json" else yaml.safe_load
    try:
        values = read(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:  # ValueError: bad JSON, or not UTF-8
        raise ConfigError(f"{path}: expected YAML or JSON. {error}") from None
    require(isinstance(values, dict), str(path), "a mapping of sections", values)
    return values


def _raise_unknown(dotted: str, root: type) -> typing.NoReturn:
    close = difflib.get_close_matches(dotted, field_names(root), 3, 0.5)
    hint = f" Did you mean {', '.join(close)}?" if close else ""
    raise ConfigError(
        f"{dotted}: no such setting.{hint} `crowdflow presets --fields` lists them all."
    )


def _build(cls: type, values: Any, prefix: str, root: type) -> Any:
    fields = {field.name: field for field in dataclasses.fields(cls)}
    if not isinstance(values, dict):
        require(False, prefix.rstrip(".") or "configuration", "a mapping of fields", values)
    for name in values:
        if name not in fields:
            _raise_unknown(f"{prefix}{name}", root)
    built = {}
    for name, value in values.items():
        kind = fields[name].type
        if dataclasses.is_dataclass(kind):
            built[name] = _build(kind, value, f"{prefix}{name}.", root)
        else:
            built[name] = _coerce(kind, value, prefix + name)
    return cls(**built)


def _coerce(kind: Any, value: Any, dotted: str) -> Any:
    """Checks a value against a field's type; turns an int into a float, a list into a tuple, a date into text."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _coerce(next(a for a in args if a is not type(None)), value, dotted)
    if origin is Literal:
        require(value in args, dotted, "one of " + ", ".join(map(str, args)), value)
        return value
    if origin is tuple:
        ok = isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)
        require(ok, dotted, "a list of strings", value)
        return tuple(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is float and isinstance(value, str):  # YAML 1.1 reads 2e-4 as a string
        try:
            return float(value)
        except ValueError:
            pass
    if kind is str and isinstance(value, dt.date):  # YAML reads 2014-09-21 as a date
        return value.isoformat()
    ok = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    require(ok, dotted, f"a value of type {kind.__name__}", value)
    return value
