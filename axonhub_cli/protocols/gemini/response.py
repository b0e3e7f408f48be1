"""Whole answers, in and out.

https://ai.google.dev/api/generate-content#generatecontentresponse
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from axonhub_cli.llm.content import ReasoningPart, RefusalPart, TextPart, ToolCallPart
from axonhub_cli.llm.errors import Failure
from axonhub_cli.llm.fold import fold
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import FinishKind, Response
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.gemini.answer import AnswerWriter
from axonhub_cli.protocols.gemini.finish import EMPTY_ANSWER, finish_word, gave_up
from axonhub_cli.protocols.gemini.signatures import FIELD, TEXT, signature_of
from axonhub_cli.protocols.gemini.stream import GeminiStreamDecoder
from axonhub_cli.protocols.gemini.usage import encode_usage


def decode_response(payload: JSON) -> Response:
    """See `base.Codec.decode_response`; the first candidate is the answer."""
    return fold(GeminiStreamDecoder().whole(payload))


def encode_response(response: Response, request: Request) -> JSON:
    """See `base.Codec.encode_response`. Raises Failure for an answer that ended in an error."""
    if response.finish_reason.kind is FinishKind.ERROR:
        raise Failure(gave_up(response.finish_reason.raw))
    writer = AnswerWriter(request)
    parts = _parts(response, writer)
    if not writer.shown:
        parts.append({"text": EMPTY_ANSWER[response.finish_reason.kind]})
    candidate: JSON = {
        "content": {"parts": parts, "role": "model"},
        "finishReason": finish_word(response.finish_reason),
        "index": 0,
        **writer.metadata,
    }
    found = [entry for part in response.parts if isinstance(part, TextPart) for entry in part.logprobs]
    if found:
        candidate["logprobsResult"] = encode_logprobs(found)
    written: JSON = {"candidates": [candidate]}
    if (usage := encode_usage(response.usage)) is not None:
        written["usageMetadata"] = usage
    written["modelVersion"] = request.model or response.model
    if response.created is not None:
        written["createTime"] = encode_time(response.created)
    if response.id:
        written["responseId"] = response.id
    return written


def encode_time(seconds: int) -> str:
    """A `createTime`."""
    return datetime.fromtimestamp(min(max(seconds, 0), 253402300799), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def encode_logprobs(found: list[Any]) -> JSON:
    """Log probabilities in Gemini's words."""
    return {
        "chosenCandidates": [_logprob(entry) for entry in found],
        "topCandidates": [
            {"candidates": [_logprob(top) for top in entry.get("top_logprobs") or ()]} for entry in found
        ],
    }


def _logprob(entry: Any) -> JSON:
    return {"token": entry.get("token", ""), "logProbability": entry.get("logprob", 0.0)}


def _parts(response: Response, writer: AnswerWriter) -> list[JSON]:
    parts: list[JSON] = []
    for part in response.parts:
        match part:
            case TextPart(text=text) | RefusalPart(text=text):
                parts += [writer.text(text)] if text else []
            case ReasoningPart():
                words = part.text or "\n\n".join(part.summary)
                parts += [{"text": words, "thought": True}] if words else []
                found = signature_of(part.opaque)
                if found and not part.sealed and found[1] == TEXT and parts and "thought" not in parts[-1]:
                    parts[-1][FIELD] = found[0]
                else:
                    parts += writer.thought(part)
            case ToolCallPart():
                parts.append(writer.call(part))
            case _:
                parts += writer.other(part)
    return parts + writer.rest()
