"""Why an answer ended, both ways (pitfall 79).

https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
"""

from __future__ import annotations

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.llm.response import FinishKind, FinishReason

_KINDS = {
    "end_turn": FinishKind.STOP,
    "stop_sequence": FinishKind.STOP,
    "tool_use": FinishKind.TOOL_CALLS,
    "max_tokens": FinishKind.LENGTH,
    "model_context_window_exceeded": FinishKind.LENGTH,
    "pause_turn": FinishKind.LENGTH,  # a server tool is still at work: the answer is not whole
    "compaction": FinishKind.LENGTH,  # the conversation was summed up, the answer is still to come
    "refusal": FinishKind.CONTENT_FILTER,
}
_WORDS = {
    FinishKind.STOP: "end_turn",
    FinishKind.TOOL_CALLS: "tool_use",
    FinishKind.LENGTH: "max_tokens",
    FinishKind.CONTENT_FILTER: "refusal",
}


def finish_reason(word: str | None, called: bool) -> FinishReason:
    """An unknown word is a failure. `called`: there are tool calls, which some servers end with end_turn, and the
    reverse."""
    kind = _KINDS.get(word or "end_turn", FinishKind.ERROR)
    return FinishReason(kind, word).beside(calls=called)


def stop_reason(reason: FinishReason) -> str:
    """The wire's word; the upstream's own where it is one of Anthropic's and still true."""
    if reason.raw is not None and _KINDS.get(reason.raw) is reason.kind:
        return reason.raw
    return _WORDS.get(reason.kind, "end_turn")


def gave_up(word: str | None) -> APIError:
    """The failure behind a stop reason that is one."""
    message = f"The upstream gave up on its answer ({word or 'error'})."
    return APIError(ErrorKind.SERVER_ERROR, message, 500, code=word, upstream=True)
