"""Whole answers: message objects, in and out.

https://platform.claude.com/docs/en/api/messages (response)
"""

from __future__ import annotations

from axonhub_cli.llm.content import ToolCallPart
from axonhub_cli.llm.errors import Failure
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import FinishKind, Response, Usage
from axonhub_cli.llm.tokens import estimate_parts, estimate_request
from axonhub_cli.protocols.anthropic_messages.answer import Names, blocks, message_id
from axonhub_cli.protocols.anthropic_messages.assembler import whole_parts
from axonhub_cli.protocols.anthropic_messages.errors import broken, error_inside
from axonhub_cli.protocols.anthropic_messages.finish import finish_reason, gave_up, stop_reason
from axonhub_cli.protocols.anthropic_messages.usage import TIER_WORDS, TIERS, decode_usage, encode_usage
from axonhub_cli.protocols.base import JSON


def decode_response(payload: JSON) -> Response:
    """See `base.Codec.decode_response`."""
    content, error = payload.get("content"), payload.get("error")
    if payload.get("type") == "error" or error:
        raise Failure(error_inside(payload))
    if not isinstance(content, list):
        raise Failure(broken("The upstream's answer is no message.") if payload else broken("The answer is empty."))
    parts = tuple(whole_parts(content))
    word, raw = payload.get("stop_reason"), payload.get("usage")
    called = any(isinstance(part, ToolCallPart) for part in parts)
    reason = finish_reason(word if isinstance(word, str) and word else None, called)
    if reason.kind is FinishKind.ERROR:
        raise Failure(gave_up(reason.raw))
    id, model = payload.get("id"), payload.get("model")
    tier = raw.get("service_tier") if isinstance(raw, dict) else None
    return Response(
        id if isinstance(id, str) else "",
        model if isinstance(model, str) else "",
        parts,
        reason,
        decode_usage(raw),
        service_tier=TIERS.get(tier) if isinstance(tier, str) else None,
    )


def encode_response(response: Response, request: Request) -> JSON:
    """See `base.Codec.encode_response`. Raises Failure for an answer that ended in an error."""
    if response.finish_reason.kind is FinishKind.ERROR:
        raise Failure(gave_up(response.finish_reason.raw))
    content = blocks(response.parts, Names(request, response.id or "none"))
    usage, guess = response.usage or Usage(), {}
    if usage.input is None:
        guess["input_guess"] = estimate_request(request)
    if usage.output is None:
        guess["output_guess"] = estimate_parts(response.parts)
    counts = encode_usage(usage, **guess)
    if response.service_tier in TIER_WORDS:
        counts["service_tier"] = TIER_WORDS[response.service_tier]
    return {
        "id": message_id(response.id),
        "type": "message",
        "role": "assistant",
        "model": request.model or response.model,
        "content": content,
        "stop_reason": stop_reason(response.finish_reason),
        "stop_sequence": None,
        "usage": counts,
    }
