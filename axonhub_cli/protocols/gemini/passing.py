"""A Gemini client's own payload on its way to a Gemini upstream, untouched but for what is ours (pitfalls 64, 65)."""

from __future__ import annotations

from typing import Any

from axonhub_cli.protocols.base import JSON, Loss
from axonhub_cli.protocols.gemini.count import WRAPPER
from axonhub_cli.protocols.gemini.http import resource
from axonhub_cli.protocols.gemini.models import takes_sentinel
from axonhub_cli.protocols.gemini.signatures import FIELD, SENTINEL, tokens_in
from axonhub_cli.vendors import Quirks

_NOT_IN_THE_BODY = ("model", "stream", "alt")  # the path says these
_FIELDS = (FIELD, "thought_signature")


def pass_on(payload: JSON, model: str, quirks: Quirks) -> tuple[JSON, tuple[Loss, ...]]:
    """The body for the upstream; the caller's payload is not touched.

    Sealed tokens, made while another vendor answered, never leave: a call that bore one gets the documented stand-in
    where the model wants one, a thought with nothing else in it goes. A request that is wrapped to be counted is told
    the model inside.
    """
    if isinstance(inner := payload.get(WRAPPER), dict):
        passed, losses = pass_on(inner, model, quirks)
        return {**_bare(payload), WRAPPER: {**passed, "model": resource(model)}}, losses
    body = _bare(payload)
    contents = body.get("contents")
    if not isinstance(contents, list):
        return body, ()
    stand_in = SENTINEL if takes_sentinel(model, quirks) else None
    cleaned = [_content(content, stand_in) for content in contents]
    if all(new is old for new, old in zip(cleaned, contents, strict=True)):
        return body, ()
    loss = Loss("contents.parts.thoughtSignature", "made for another channel")
    return {**body, "contents": [content for content in cleaned if content is not None]}, (loss,)


def model_names(payload: Any) -> list[str]:
    """The names of `{"models": [{"name": "models/NAME"}]}` that answer questions."""
    rows = payload.get("models") if isinstance(payload, dict) else None
    found = [row for row in rows if isinstance(row, dict) and _answers(row)] if isinstance(rows, list) else []
    return [row["name"].removeprefix("models/") for row in found if isinstance(row.get("name"), str)]


def _answers(row: JSON) -> bool:
    methods = row.get("supportedGenerationMethods")
    return not isinstance(methods, list) or "generateContent" in methods


def _bare(payload: JSON) -> JSON:
    return {name: value for name, value in payload.items() if name not in _NOT_IN_THE_BODY}


def _content(content: Any, stand_in: str | None) -> Any:
    """The same object where there is nothing of ours; None where nothing else is left."""
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list) or not any(_ours(part) for part in parts):
        return content
    kept = [_part(part, stand_in) if _ours(part) else part for part in parts]
    kept = [part for part in kept if part is not None]
    return {**content, "parts": kept} if kept else None


def _ours(part: Any) -> bool:
    return isinstance(part, dict) and any(tokens_in(str(part.get(field) or "")) for field in _FIELDS)


def _part(part: JSON, stand_in: str | None) -> JSON | None:
    bare = {name: value for name, value in part.items() if name not in _FIELDS}
    if "functionCall" in bare or "function_call" in bare:
        return {**bare, FIELD: stand_in} if stand_in else bare
    return bare if bare.get("text") or not bare.keys() <= {"text", "thought"} else None
