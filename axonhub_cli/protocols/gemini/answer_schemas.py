"""Schemas of answers, and Gemini's own schemas as JSON schemas (pitfalls 92, 96).

https://ai.google.dev/gemini-api/docs/structured-output#json-schema-support
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.protocols.gemini.fields import camel
from axonhub_cli.protocols.gemini.schemas import COUNTS, DEPTH, SILENT, Schema

_ANSWER_KEYS = frozenset(
    {*("$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items", "prefixItems")}
    | {*("minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties")}
    | {"required", "propertyOrdering"}
)
_SNAKE = frozenset({"any_of", "property_ordering", "min_items", "max_items", "min_length", "max_length"})
_NAMED = ("properties", "$defs", "definitions", "patternProperties")


def answer_schema(schema: Schema, depth: int = 0) -> tuple[dict[str, Any], set[str]]:
    """A schema for answers, without the keywords that Gemini does not know there, and their names."""
    written: dict[str, Any] = {}
    dropped: set[str] = set()
    for name, value in schema.items():
        if name == "const":
            written["enum"] = [value]
        elif name not in _ANSWER_KEYS or depth > DEPTH:
            dropped.add(name)
        elif name in _NAMED and isinstance(value, Mapping):
            written[name] = {key: _answer_child(item, depth, dropped) for key, item in value.items()}
        elif isinstance(value, list) and name in ("anyOf", "oneOf", "prefixItems"):
            written[name] = [_answer_child(item, depth, dropped) for item in value]
        else:
            written[name] = _answer_child(value, depth, dropped) if isinstance(value, Mapping) else value
    return written, dropped - SILENT


def _answer_child(value: Any, depth: int, dropped: set[str]) -> Any:
    if not isinstance(value, Mapping):
        return value
    written, gone = answer_schema(value, depth + 1)
    dropped |= gone
    return written


def json_schema(schema: Any, depth: int = 0) -> Any:
    """Gemini's own form as a JSON schema: types in small letters, `nullable` as a type, counts as numbers."""
    if not isinstance(schema, Mapping) or depth > DEPTH:
        return schema
    written: dict[str, Any] = {}
    for name, value in schema.items():
        key = camel(str(name)) if str(name) in _SNAKE else str(name)
        if key in _NAMED and isinstance(value, Mapping):
            written[key] = {field: json_schema(item, depth + 1) for field, item in value.items()}
        elif key == "type" and isinstance(value, str):
            written[key] = value.lower()
        elif key in COUNTS and isinstance(value, str) and value.isdigit():
            written[key] = int(value)
        elif isinstance(value, list) and key == "anyOf":
            written[key] = [json_schema(item, depth + 1) for item in value]
        else:
            written[key] = json_schema(value, depth + 1) if key in ("items", "additionalProperties") else value
    if written.get("nullable") is True and isinstance(written.get("type"), str):
        del written["nullable"]
        written["type"] = [written["type"], "null"]
    return written
