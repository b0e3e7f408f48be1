"""Arguments that a client would refuse for their spelling, mended without loss (pitfalls 6, 46, 47)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

_DEPTH = 20


def repair_arguments(arguments: str, schema: Mapping[str, Any] | None) -> tuple[str, bool]:
    """The arguments as the schema wants them, and whether they are valid JSON at all.

    None at all means no arguments. Only a value whose schema names one single type is touched:
    `4.0` for a number becomes `4`, `4` for a string becomes `"4"`. Broken JSON comes back as it is.
    """
    if not arguments or arguments.isspace():
        return "{}", True
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return arguments, False
    if not schema:
        return arguments, True
    mended = _mend(value, schema, _DEPTH)
    return (arguments if mended is value else msgspec.json.encode(mended).decode()), True


def _mend(value: Any, schema: Any, depth: int) -> Any:
    """The same object where nothing had to change."""
    if depth == 0 or not isinstance(schema, Mapping):
        return value
    kind = schema.get("type")
    if isinstance(value, dict):
        properties = schema.get("properties")
        return _mend_object(value, properties, depth) if isinstance(properties, Mapping) else value
    if isinstance(value, list):
        items = [_mend(item, schema.get("items"), depth - 1) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if isinstance(value, float) and kind in ("integer", "number") and value.is_integer():
        return int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and kind == "string":
        return msgspec.json.encode(int(value) if isinstance(value, float) and value.is_integer() else value).decode()
    return value


def _mend_object(value: dict[str, Any], properties: Mapping[str, Any], depth: int) -> dict[str, Any]:
    mended = {name: _mend(item, properties.get(name), depth - 1) for name, item in value.items()}
    return mended if any(mended[name] is not item for name, item in value.items()) else value
