"""Reads fields of a client's JSON; a wrong type is a 400 that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.errors import Failure, invalid

NAME = "openai_chat"
NO_WORD = "Chat Completions has no word for it"
JSONObject = Mapping[str, Any]
_NAMES = {
    str: "a string",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def wrong(path: str, expected: str) -> Failure:
    """The failure for a field that is not what it should be."""
    return invalid(f"Invalid type for '{path}': expected {expected}.", path)


def _read(fields: JSONObject, name: str, path: str, kind: type) -> Any:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, (int, float) if kind is float else kind) or (
        kind in (int, float) and value in (True, False) and isinstance(value, bool)
    ):
        raise wrong(f"{path}{name}", _NAMES[kind])
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
    """An integer; 3.0 is one."""
    value = fields.get(name)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    whole: int | None = _read(fields, name, path, int)
    return whole


def number(fields: JSONObject, name: str, path: str = "") -> float | None:
    """Any number."""
    value: float | None = _read(fields, name, path, float)
    return value


def items(fields: JSONObject, name: str, path: str = "") -> list[Any]:
    """A list; empty where absent or null."""
    value: list[Any] | None = _read(fields, name, path, list)
    return value or []


def mapping(fields: JSONObject, name: str, path: str = "") -> JSONObject | None:
    """An object."""
    value: JSONObject | None = _read(fields, name, path, dict)
    return value


def as_object(value: Any, path: str) -> JSONObject:
    """A member of a list that must be an object."""
    if not isinstance(value, Mapping):
        raise wrong(path, "an object")
    return value


def required(fields: JSONObject, name: str, path: str = "") -> str:
    """A string that must be there."""
    value = text(fields, name, path)
    if value is None:
        raise invalid(f"Missing required parameter: '{path}{name}'.", f"{path}{name}")
    return value


def rest(fields: JSONObject, known: frozenset[str]) -> dict[str, Any]:
    """The fields that nobody here reads."""
    return {name: value for name, value in fields.items() if name not in known}
