"""Reading a client's JSON field by field: the value of the right type, or a Failure that names the field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.errors import invalid

NAME = "openai_responses"
LOGPROBS = "message.output_text.logprobs"  # in `include`
JSONObject = Mapping[str, Any]


def wrong(path: str, wanted: str, value: Any) -> Exception:
    """The failure for a value of the wrong type at `path`."""
    return invalid(f"`{path}` must be {wanted}, not {_kind(value)}.", path, "invalid_type")


def unknown(path: str, choices: Iterable[str], value: str) -> Exception:
    """The failure for a word that is none of those there are."""
    return invalid(f"`{path}` must be one of {', '.join(choices)}, not {value[:64]!r}.", path, "invalid_value")


def missing(path: str) -> Exception:
    """The failure for a field that has to be there."""
    return invalid(f"`{path}` is required.", path, "missing_required_parameter")


def refused(path: str, why: str, code: str = "unsupported_parameter") -> Exception:
    """The failure for a field that cannot be honoured and must not be dropped."""
    return invalid(f"`{path}` {why}", path, code)


def text(value: JSONObject, name: str, path: str = "") -> str | None:
    """A string, or None where it is absent or null."""
    found = value.get(name)
    if found is None or isinstance(found, str):
        return found
    raise wrong(path + name, "a string", found)


def needed(value: JSONObject, name: str, path: str = "") -> str:
    """A string that must be there."""
    found = value.get(name)
    if isinstance(found, str):
        return found
    raise missing(path + name) if found is None else wrong(path + name, "a string", found)


def flag(value: JSONObject, name: str, path: str = "") -> bool | None:
    """A boolean, or None."""
    found = value.get(name)
    if found is None or isinstance(found, bool):
        return found
    raise wrong(path + name, "a boolean", found)


def number(value: JSONObject, name: str, path: str = "") -> float | None:
    """A number, or None."""
    found = value.get(name)
    if found is None or (isinstance(found, (int, float)) and not isinstance(found, bool)):
        return found
    raise wrong(path + name, "a number", found)


def integer(value: JSONObject, name: str, path: str = "") -> int | None:
    """An integer, or None; an integral float counts as one."""
    found = number(value, name, path)
    if found is None or isinstance(found, int):
        return found
    if found.is_integer():
        return int(found)
    raise wrong(path + name, "an integer", found)


def table(value: JSONObject, name: str, path: str = "") -> dict[str, Any] | None:
    """An object, or None."""
    found = value.get(name)
    if found is None or isinstance(found, dict):
        return found
    raise wrong(path + name, "an object", found)


def array(value: JSONObject, name: str, path: str = "") -> list[Any]:
    """An array; absent or null is an empty one."""
    found = value.get(name)
    if found is None:
        return []
    if isinstance(found, list):
        return found
    raise wrong(path + name, "an array", found)


def objects(value: JSONObject, name: str, path: str = "") -> list[dict[str, Any]]:
    """An array of objects; absent or null is an empty one."""
    found = array(value, name, path)
    for index, item in enumerate(found):
        if not isinstance(item, dict):
            raise wrong(f"{path}{name}[{index}]", "an object", item)
    return found


def rest(value: JSONObject, known: frozenset[str]) -> dict[str, Any]:
    """The fields outside `known`; a null says nothing."""
    if value.keys() <= known:
        return {}
    return {name: found for name, found in value.items() if name not in known and found is not None}


def dump(value: Any) -> str:
    """JSON text of a value that came as JSON."""
    return msgspec.json.encode(value).decode()


def _kind(value: Any) -> str:
    kinds: dict[type, str] = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return "null" if value is None else kinds.get(type(value), "a number")
