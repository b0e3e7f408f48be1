"""Arguments that a client would refuse for their spelling, mended without loss (pitfalls 6, 46, 47)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

_DEPTH = 20
_DIGITS = 19  # of a whole number that clients read
_DECODER = msgspec.json.Decoder(float_hook=Decimal)  # keeps every digit: 3.10 is a version, too
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def repair_arguments(arguments: str, schema: Mapping[str, Any] | None) -> tuple[str, bool]:
    """The arguments as the schema wants them, and whether they are valid JSON at all.

    None at all means no arguments. Only a value whose schema names one single type is touched:
    `4.0` for a number becomes `4`, `4` for a string becomes `"4"`. Broken JSON comes back as it is.
    """
    if not arguments or arguments.isspace():
        return "{}", True
    try:
        value = _DECODER.decode(arguments)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError, ArithmeticError):
        return arguments, False
    if not schema:
        return arguments, True
    mended = _mend(value, schema, _DEPTH)
    return (arguments if mended is value else _ENCODER.encode(mended).decode()), True


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
    if isinstance(value, Decimal) and kind in ("integer", "number") and abs(value.adjusted()) < _DIGITS:
        return int(value) if value == value.to_integral_value() else value
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool) and kind == "string":
        return value if "E" in str(value) else str(value)
    return value


def _mend_object(value: dict[str, Any], properties: Mapping[str, Any], depth: int) -> dict[str, Any]:
    mended = {name: _mend(item, properties.get(name), depth - 1) for name, item in value.items()}
    return mended if any(mended[name] is not item for name, item in value.items()) else value
