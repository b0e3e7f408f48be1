"""Reads fields of a client's JSON; a wrong type is a 400 that names the field.

Google's JSON takes every field in camelCase and in snake_case: https://protobuf.dev/programming-guides/json/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.errors import Failure, invalid

JSONObject = Mapping[str, Any]
_UNDERSCORE = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")
_WORDS = {str: "a string", bool: "true or false", int: "an integer", float: "a number", list: "a list"}


def wrong(path: str, expected: str) -> Failure:
    """The failure for a field that is not what it should be."""
    return invalid(f"Invalid value at '{path}': expected {expected}.", path)


def camel(name: str) -> str:
    """The camelCase spelling of a field."""
    return _UNDERSCORE.sub(lambda match: match[1].upper(), name) if "_" in name else name


def spelled(value: Any, path: str) -> dict[str, Any]:
    """The object at `path` with its own fields in camelCase; null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise wrong(path, "an object")
    return {camel(name): item for name, item in value.items()}


def _read(fields: JSONObject, name: str, path: str, kind: type) -> Any:
    value = fields.get(name)
    if value is None:
        return None
    number = kind in (int, float)
    if not isinstance(value, (int, float) if kind is float else kind) or (number and isinstance(value, bool)):
        raise wrong(f"{path}{name}", _WORDS[kind])
    return value


def text(fields: JSONObject, name: str, path: str = "") -> str | None:
    """A string; None where absent or null."""
    value: str | None = _read(fields, name, path, str)
    return value


def flag(fields: JSONObject, name: str, path: str = "") -> bool | None:
    """A boolean."""
    value: bool | None = _read(fields, name, path, bool)
    return value


def integer(fields: JSONObject, name: str, path: str = "") -> int | None:
    """An integer; 3.0 and "3" are integers in Google's JSON."""
    value = fields.get(name)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch("-?[0-9]{1,18}", value):
        return int(value)
    whole: int | None = _read(fields, name, path, int)
    return whole


def number(fields: JSONObject, name: str, path: str = "") -> float | None:
    """Any number."""
    value: float | None = _read(fields, name, path, float)
    return value


def items(fields: JSONObject, name: str, path: str = "") -> list[Any]:
    """A list; empty where absent or null; a single object stands for a list of one."""
    value = fields.get(name)
    if isinstance(value, Mapping):
        return [value]
    found: list[Any] | None = _read(fields, name, path, list)
    return found or []


def mapping(fields: JSONObject, name: str, path: str = "") -> JSONObject | None:
    """An object as it came."""
    value = fields.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise wrong(f"{path}{name}", "an object")
    return value


def required(fields: JSONObject, name: str, path: str = "") -> str:
    """A string that must be there and not empty."""
    value = text(fields, name, path)
    if not value:
        raise invalid(f"Missing value at '{path}{name}'.", f"{path}{name}")
    return value


def rest(fields: JSONObject, known: frozenset[str]) -> dict[str, Any]:
    """The fields that nobody here reads."""
    return {name: value for name, value in fields.items() if name not in known}
