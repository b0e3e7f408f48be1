"""Why an answer ended: upstreams' words, ours, and what clients are told."""

from __future__ import annotations

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.llm.response import FinishKind, FinishReason

_KINDS = {
    "stop": FinishKind.STOP,
    "end_turn": FinishKind.STOP,
    "stop_sequence": FinishKind.STOP,
    "eos": FinishKind.STOP,
    "length": FinishKind.LENGTH,
    "max_tokens": FinishKind.LENGTH,
    "model_length": FinishKind.LENGTH,  # Mistral
    "model_context_window_exceeded": FinishKind.LENGTH,  # Zhipu
    "tool_calls": FinishKind.TOOL_CALLS,
    "tool_use": FinishKind.TOOL_CALLS,
    "function_call": FinishKind.TOOL_CALLS,
    "content_filter": FinishKind.CONTENT_FILTER,
    "sensitive": FinishKind.CONTENT_FILTER,  # Zhipu
    "error": FinishKind.ERROR,
    "network_error": FinishKind.ERROR,  # Zhipu
    "insufficient_system_resource": FinishKind.ERROR,  # DeepSeek
    "abort": FinishKind.ERROR,  # vLLM
    "repetition": FinishKind.LENGTH,  # vLLM: it went round in circles until it was stopped
    # Google's own words, which its compatible endpoint and gateways in front of it pass on.
    "safety": FinishKind.CONTENT_FILTER,
    "recitation": FinishKind.CONTENT_FILTER,
    "blocklist": FinishKind.CONTENT_FILTER,
    "prohibited_content": FinishKind.CONTENT_FILTER,
    "spii": FinishKind.CONTENT_FILTER,
    "malformed_function_call": FinishKind.ERROR,
    "unexpected_tool_call": FinishKind.ERROR,
    "function_call_filter": FinishKind.ERROR,
}
_OVERLOADED = ("insufficient_system_resource", "network_error")

FINISH_WORDS = {
    FinishKind.STOP: "stop",
    FinishKind.LENGTH: "length",
    FinishKind.TOOL_CALLS: "tool_calls",
    FinishKind.CONTENT_FILTER: "content_filter",
}


def finish_reason(word: str | None, called: bool) -> FinishReason:
    """`called` is whether there are tool calls: vendors say stop beside them, and tool_calls without any."""
    said, _, _ = (word or "stop").lower().partition(":")  # `content_filter: SAFETY`
    kind = _KINDS.get(said, FinishKind.STOP)
    return FinishReason(kind, word).beside(calls=called)


def gave_up(reason: str | None) -> APIError:
    """The failure behind a finish reason that is one."""
    kind = ErrorKind.OVERLOADED if reason in _OVERLOADED else ErrorKind.SERVER_ERROR
    status = 503 if kind is ErrorKind.OVERLOADED else 500
    return APIError(kind, f"The upstream gave up on its answer ({reason}).", status, code=reason, upstream=True)
