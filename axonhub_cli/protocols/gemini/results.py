"""What tools returned, as functionResponse parts.

https://ai.google.dev/gemini-api/docs/function-calling; pitfalls 8-11, 91, 93, 113.
"""

from __future__ import annotations

from axonhub_cli.llm.content import ToolCallPart, ToolResultPart
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.gemini.models import is_old
from axonhub_cli.protocols.gemini.parts import Written, encode_part
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.results import NO_RESULT, found_tools, opened
from axonhub_cli.protocols.tools import call_name
from axonhub_cli.vendors import Quirks

SHOWN_BELOW = "[shown below]"
# What a result may hold: https://ai.google.dev/gemini-api/docs/function-calling#multimodal
_NESTED = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"})


def encode_result(
    call: ToolCallPart, result: ToolResultPart | None, model: str, quirks: Quirks, losses: Losses
) -> tuple[JSON, list[JSON]]:
    """The part that answers a call, and media to show after all of them where they cannot be inside (pitfall 93)."""
    inside: list[JSON] = []
    shown: list[JSON] = []
    if result is None:
        losses.add("messages.tool_call", f"no result for {call.call_id!r}; a note stands in for it")
        response: JSON = {"error": NO_RESULT}
    else:
        if result.name is not None:
            losses.add("messages.name", "the call says which function it was")
        text, media = _content(result, quirks, losses)
        for one in media:
            nested = quirks.tool_images and not is_old(model) and _mime(one) in _NESTED
            (inside if nested else shown).append(one)
        text = "\n".join(filter(None, (text, SHOWN_BELOW if shown else "")))
        response = {"error" if result.failed else "output": text} if text or not inside else {}
    written: JSON = {"name": call_name(call), "response": response}
    if quirks.call_ids:
        written = {"id": call.call_id, **written}
    if inside:
        written["parts"] = inside
    return {"functionResponse": written}, shown


def _mime(part: JSON) -> object:
    return next((blob.get("mimeType") for blob in part.values() if isinstance(blob, dict)), None)


def _content(result: ToolResultPart, quirks: Quirks, losses: Losses) -> tuple[str, list[JSON]]:
    texts: list[str] = []
    media: list[JSON] = []
    for piece in opened(result.content):
        encoded: Written = encode_part(piece, quirks, losses)
        if encoded is None:
            continue
        if "text" in encoded:
            texts.append(encoded["text"])
        else:
            media.append(encoded)
    if result.tools:  # what a tool search found can be called under these names from now on (pitfall 108)
        texts.append(found_tools(result))
    return "\n".join(texts), media
