"""Small values that satisfy a JSON schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 12
_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "email": "demo@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
}


def instance(schema: Mapping[str, Any] | bool | None, text: str = "demo") -> Any:
    """A value for `schema`, with `text` for free strings. Only what is required is filled in."""
    root = schema if isinstance(schema, Mapping) else {}
    return _value(root, root, text, 0)


def _value(schema: Any, root: Mapping[str, Any], text: str, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return None
    if reference := schema.get("$ref"):
        return _value(_resolve(reference, root), root, text, depth + 1)
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    for listed in ("enum", "examples"):
        if values := schema.get(listed):
            return values[0]
    for choice in ("anyOf", "oneOf"):
        if options := schema.get(choice):
            return _value({**schema, choice: None, **_mapping(options[0])}, root, text, depth + 1)
    if merged := schema.get("allOf"):
        return _value(_merge(schema, merged, root), root, text, depth + 1)
    return _typed(schema, root, text, depth)


def _typed(schema: Mapping[str, Any], root: Mapping[str, Any], text: str, depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    match kind:
        case "string":
            return _string(schema, text)
        case "integer" | "number":
            return _number(schema, kind == "integer")
        case "boolean":
            return True
        case "null":
            return None
        case "array":
            items = schema.get("items") or {"type": "string"}
            return [_value(items, root, text, depth + 1) for _ in range(min(int(schema.get("minItems", 0)), 100))]
        case _ if kind == "object" or "properties" in schema:
            properties = _mapping(schema.get("properties"))
            wanted = schema.get("required", [])
            return {name: _value(properties.get(name, {"type": "string"}), root, text, depth + 1) for name in wanted}
        case _:
            return text


def _string(schema: Mapping[str, Any], text: str) -> str:
    if known := _FORMATS.get(str(schema.get("format"))):
        return known
    shortest, longest = int(schema.get("minLength", 0)), schema.get("maxLength")
    filled = text if len(text) >= shortest else (text or "demo").ljust(shortest, ".")
    return filled[: int(longest)].rstrip().ljust(shortest, ".") if longest is not None else filled


def _number(schema: Mapping[str, Any], whole: bool) -> float:
    low: float = schema.get("minimum", 0)
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + (1 if whole else 0.5)
    if "maximum" in schema and schema["maximum"] < low:
        low = schema["maximum"]
    step = schema.get("multipleOf")
    if step and low % step:
        low += step - low % step
    return int(low) if whole else low


def _merge(schema: Mapping[str, Any], parts: list[Any], root: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {name: value for name, value in schema.items() if name != "allOf"}
    for part in parts:
        resolved = _resolve(part["$ref"], root) if isinstance(part, Mapping) and "$ref" in part else part
        for name, value in _mapping(resolved).items():
            if name == "properties":
                merged[name] = {**_mapping(merged.get(name)), **_mapping(value)}
            elif name == "required":
                merged[name] = [*merged.get(name, []), *value]
            else:
                merged[name] = value
    return merged


def _resolve(reference: object, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for step in str(reference).removeprefix("#").strip("/").split("/"):
        if step:
            found = _mapping(found).get(step.replace("~1", "/").replace("~0", "~"))
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
