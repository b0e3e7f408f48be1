"""Whole answers: what was said, why it ended, what it cost.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_ResponseSyntax
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.content import Part
from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.llm.events import PartEnd
from axonhub_cli.llm.response import FinishKind, FinishReason, Response, Usage
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.failures import error_in
from axonhub_cli.protocols.parts import PartWriter

NAME = "bedrock_converse"
_KINDS = {
    "end_turn": FinishKind.STOP,
    "stop_sequence": FinishKind.STOP,
    "tool_use": FinishKind.TOOL_CALLS,
    "max_tokens": FinishKind.LENGTH,
    "model_context_window_exceeded": FinishKind.LENGTH,
    "guardrail_intervened": FinishKind.CONTENT_FILTER,
    "content_filtered": FinishKind.CONTENT_FILTER,
}


def decode_response(payload: JSON) -> Response:
    """See `base.UpstreamCodec.decode_response`. The wire names neither the answer nor the model."""
    output = payload.get("output")
    message = output.get("message") if isinstance(output, Mapping) else None
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(content, list):
        raise Failure(error_in(payload) if payload.get("message") or payload.get("error") else _NO_ANSWER)
    parts, calls = _parts(content)
    word = payload.get("stopReason")
    reason = finish_reason(word if isinstance(word, str) else None, calls > 0)
    if reason.kind is FinishKind.ERROR:
        raise Failure(gave_up(reason.raw))
    return Response("", "", parts, reason, decode_usage(payload.get("usage")), service_tier=service_tier(payload))


def _parts(content: list[Any]) -> tuple[tuple[Part, ...], int]:
    writer = PartWriter()
    for at, block in enumerate(content):
        if isinstance(block, Mapping):
            whole_block(writer, at, block)
    parts = tuple(event.part for event in writer.finish() if isinstance(event, PartEnd))
    return parts, writer.calls


def whole_block(writer: PartWriter, at: int, block: Mapping[str, Any]) -> None:
    """One block of an answer, the `at`-th of it; kinds nobody knows say nothing here."""
    if isinstance(text := block.get("text"), str):
        writer.text(text)
    elif isinstance(call := block.get("toolUse"), Mapping):
        given = call.get("input")
        arguments = msgspec.json.encode(given).decode() if isinstance(given, Mapping) else "{}"
        writer.call(at, _text(call, "toolUseId"), _text(call, "name"), arguments)
        writer.end_call(at)
    elif isinstance(thought := block.get("reasoningContent"), Mapping):
        inner = thought.get("reasoningText")
        reasoning(writer, {**inner, **thought} if isinstance(inner, Mapping) else thought)
    elif isinstance(cited := block.get("citationsContent"), Mapping):
        for piece in cited.get("content") or ():
            if isinstance(piece, Mapping) and isinstance(piece.get("text"), str):
                writer.text(piece["text"])


def reasoning(writer: PartWriter, thought: Mapping[str, Any]) -> None:
    """A piece of reasoning, its signature, or what is hidden of it."""
    if isinstance(text := thought.get("text"), str):
        writer.reasoning(text)
    if isinstance(signature := thought.get("signature"), str) and signature:
        writer.state(NAME, {"signature": signature})
    if isinstance(hidden := thought.get("redactedContent"), str) and hidden:
        writer.state(NAME, {"redacted": hidden})


def finish_reason(word: str | None, called: bool) -> FinishReason:
    """An unknown word is a failure; some models end calls with end_turn, and the reverse."""
    kind = _KINDS.get(word or "end_turn", FinishKind.ERROR)
    return FinishReason(kind, word).beside(calls=called)


def gave_up(word: str | None) -> APIError:
    """The failure behind a stop reason that is one."""
    message = f"The upstream gave up on its answer ({word or 'error'})."
    return APIError(ErrorKind.SERVER_ERROR, message, 500, code=word, upstream=True)


def decode_usage(raw: object) -> Usage | None:
    """None where nothing was counted. `inputTokens` leaves cached and written tokens out; ours includes them."""
    if not isinstance(raw, Mapping):
        return None
    fresh, output = _count(raw.get("inputTokens")), _count(raw.get("outputTokens"))
    cached, written = _count(raw.get("cacheReadInputTokens")), _count(raw.get("cacheWriteInputTokens"))
    if not any((fresh, output, cached, written)):
        return None
    total = None if fresh is None else fresh + (cached or 0) + (written or 0)
    return Usage(total, cached, written, output, raw=dict(raw))


def service_tier(payload: Mapping[str, Any]) -> str | None:
    """The tier that served an answer."""
    tier = payload.get("serviceTier")
    return _text(tier, "type") or None if isinstance(tier, Mapping) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


_NO_ANSWER = APIError(ErrorKind.BAD_GATEWAY, "The upstream's answer is no message.", 502, upstream=True)
