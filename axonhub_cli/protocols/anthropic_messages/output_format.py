"""Structured output: natively where the model has it, else asked for in words.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs (JSON schema limitations, seen 2026-11)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.anthropic_messages.content import text_block
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.claude import model_of
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.schema import in_words
from axonhub_cli.vendors import Quirks

_REFUSED = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"}
    | {"maxItems", "uniqueItems", "minProperties", "maxProperties", "patternProperties", "$schema"}
)
_MAPS = ("properties", "$defs", "definitions")
_DEPTH = 64


def encode_format(request: Request, system: list[JSON], quirks: Quirks, losses: Losses) -> JSON | None:
    """`output_config.format`, or None after asking in the system text."""
    form = request.format
    if form is None or form.kind == "text":
        return None
    for field in ("name", "strict", "description"):
        if getattr(form, field) is not None:
            losses.add(f"format.{field}", "Anthropic takes the bare schema")
    model = model_of(request.model)
    known = model.version is None or model.since(4, 1)
    if form.kind == "json_schema" and form.schema is not None and quirks.response_format == "json_schema" and known:
        return {"type": "json_schema", "schema": _clean(form.schema, losses, 0)}
    losses.add("format", "this upstream checks no format; the prompt asks for JSON")
    system.append(text_block(in_words(form.schema)))
    return None


def _clean(schema: Any, losses: Losses, depth: int) -> Any:
    """The schema without the checks Anthropic refuses; objects are closed, as it insists."""
    if isinstance(schema, list):
        return [_clean(item, losses, depth + 1) for item in schema]
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return schema
    cleaned: JSON = {}
    for name, value in schema.items():
        if name in _REFUSED or (name == "minItems" and value not in (0, 1)):
            losses.add(f"format.schema.{name}", "Anthropic checks no such limit")
        elif name in _MAPS and isinstance(value, Mapping):
            cleaned[name] = {key: _clean(item, losses, depth + 1) for key, item in value.items()}
        elif name in {"enum", "const", "default", "required", "examples"}:
            cleaned[name] = value
        else:
            cleaned[name] = _clean(value, losses, depth + 1)
    if schema.get("type") == "object" and cleaned.get("additionalProperties") is not False:
        if "additionalProperties" in schema:
            losses.add("format.schema.additionalProperties", "Anthropic takes closed objects only")
        cleaned["additionalProperties"] = False
    return cleaned
