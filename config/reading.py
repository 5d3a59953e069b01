"""Reading settings into dataclasses: known names, the right types, and plain values to write back.

The type of a field says what a text means, not the look of the text: `007` is 7 where a number is expected, and
`007` where a text is; `on` and `2014-09-21` are texts.
"""

import contextlib
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
_NULL = ("null", "~", "")
_BOOLEANS = {"true": True, "false": False}


class Text(str):
    """A value as written, without quotes, in YAML or on the command line; its field's type gives its meaning."""


class _Loader(yaml.BaseLoader):
    """Reads YAML with every scalar as a text, and refuses a key that comes twice."""

    def construct_scalar(self, node: yaml.ScalarNode) -> str:
        text = super().construct_scalar(node)
        return Text(text) if node.style is None else text

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:
        return _mapping(
            [tuple(self.construct_object(n, deep=True) for n in pair) for pair in node.value]
        )


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_mapping)


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
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            values = json.loads(text, object_pairs_hook=_mapping)
        else:
            values = yaml.load(text, _Loader)
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
    ) as error:  # bad JSON, not UTF-8; a key that is a list
        raise ConfigError(f"{path}: expected YAML or JSON. {problem(error)}") from None
    if not isinstance(values, dict):  # not quoted: it could be the wrong file, one with a token
        received = "a list" if isinstance(values, list) else "a value"
        raise ConfigError(f"{path}: expected a mapping of sections. Received: {received}.")
    return values


def problem(error: Exception) -> str:
    """What is wrong with a file, and where; unlike PyYAML's message, it does not quote the file's lines."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{error.problem}, line {mark.line + 1}, column {mark.column + 1}."
    return str(error)


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


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping of keys that differ.

    Raises:
      ValueError: a key comes twice.
    """
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice} is given twice.")
    return values


def _coerce(kind: Any, value: Any, dotted: str) -> Any:
    """Checks a value against a field's type; turns an int into a float, a list into a tuple, a date into text."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None or (isinstance(value, Text) and value in _NULL):
            return None
        return _coerce(next(a for a in args if a is not type(None)), value, dotted)
    if isinstance(value, Text):
        value = _meaning(kind, origin, value)
    if origin is Literal:
        require(value in args, dotted, "one of " + ", ".join(map(str, args)), value)
        return value
    if origin is tuple:
        words = "strings, such as [one, two]" if args[0] is str else "numbers, such as [0.1, 0.9]"
        require(isinstance(value, (list, tuple)), dotted, f"a list of {words}", value)
        if args[0] is str:
            require(all(isinstance(v, str) for v in value), dotted, f"a list of {words}", value)
            return tuple(map(str, value))
        return tuple(_coerce(args[0], one, dotted) for one in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is str and isinstance(value, dt.date):
        return value.isoformat()
    ok = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    words = "true or false" if kind is bool else f"a value of type {kind.__name__}"
    require(ok, dotted, words, value)
    return value


def _meaning(kind: Any, origin: Any, text: Text) -> Any:
    """The value that a text is for a type; the text itself where it is none."""
    plain_text = str(text)
    with contextlib.suppress(ValueError, yaml.YAMLError):
        if kind in (int, float):
            return kind(plain_text)
        if kind is bool:
            return _BOOLEANS.get(plain_text.lower(), plain_text)
        if origin is tuple:
            return yaml.load(plain_text, _Loader)
    return plain_text
