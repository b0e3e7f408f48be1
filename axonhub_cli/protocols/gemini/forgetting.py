"""A payload without the signatures that Google refused (pitfalls 67, 89)."""

from __future__ import annotations

from typing import Any

from axonhub_cli.protocols.base import JSON, Edited, Loss
from axonhub_cli.protocols.gemini.signatures import FIELD, SENTINEL
from axonhub_cli.protocols.omissions import UNREADABLE


def without_state(payload: JSON) -> Edited:
    """See `base.UpstreamCodec`. A call gets the documented stand-in, whether or not it had a signature (pitfall 89)."""
    contents = payload.get("contents")
    if not isinstance(contents, list):
        return payload, ()
    kept = [_content(content) for content in contents]
    if all(new is old for new, old in zip(kept, contents, strict=True)):
        return payload, ()
    spoken = [content for content in kept if content.get("parts") != []]
    return {**payload, "contents": spoken}, (Loss("contents.parts.thoughtSignature", UNREADABLE),)


def _content(content: Any) -> Any:
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list) or content.get("role") != "model":
        return content
    kept = [changed for part in parts if (changed := _part(part)) is not None]
    return content if kept == parts else {**content, "parts": kept}


def _part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    bare = {name: value for name, value in part.items() if name not in (FIELD, "thought_signature")}
    if "functionCall" in bare or "function_call" in bare:
        return {**bare, FIELD: SENTINEL}
    return bare if bare.get("text") or not bare.keys() <= {"text", "thought"} else None
