"""Reads fields of a client's JSON; a wrong type is a 400 that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.errors import Failure, invalid

NAME = "anthropic_messages"
NO_WORD = "Anthropic Messages has no word for it"
JSONObject = Mapping[str, Any]


def wrong(path: str, expected: str) -> Failure:
    """The failure for a field that is not what it should be."""
    return invalid(f"{path}: Input should be {expected}.", path)


def text(fields: JSONObject, name: str, path: str = "") -> str | None:
    """A string; None where absent or null."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong(path + name, "a string")
    return value


def flag(fields: JSONObject, name: str, path: str = "") -> bool | None:
    """A boolean; None where absent or null."""
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong(path + name, "true or false")
    return value


def integer(fields: JSONObject, name: str, path: str = "") -> int | None:
    """An integer; 3.0 is one."""
    value = number(fields, name, path)
    if value is not None and value != value // 1:
        raise wrong(path + name, "an integer")
    return None if value is None else int(value)


def number(fields: JSONObject, name: str, path: str = "") -> float | None:
    """Any finite number."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value in (float("inf"), float("-inf")):
        raise wrong(path + name, "a number")
    return value


def items(fields: JSONObject, name: str, path: str = "") -> list[Any]:
    """A list; empty where absent or null."""
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong(path + name, "a list")
    return value


def mapping(fields: JSONObject, name: str, path: str = "") -> JSONObject | None:
    """An object; None where absent or null."""
    value = fields.get(name)
    return None if value is None else as_object(value, path + name)


def as_object(value: Any, path: str) -> JSONObject:
    """A value that must be an object."""
    if not isinstance(value, Mapping):
        raise wrong(path, "an object")
    return value


def required(fields: JSONObject, name: str, path: str = "") -> str:
    """A string that must be there."""
    value = text(fields, name, path)
    if value is None:
        raise invalid(f"{path}{name}: Field required.", path + name)
    return value


def rest(fields: JSONObject, known: frozenset[str]) -> dict[str, Any]:
    """The fields that nobody here reads."""
    return {name: value for name, value in fields.items() if name not in known}
