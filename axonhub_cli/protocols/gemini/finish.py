"""Why an answer ended: Gemini's words, ours, and what clients are told.

https://ai.google.dev/api/generate-content#FinishReason; pitfall 97.
"""

from __future__ import annotations

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.llm.response import FinishKind, FinishReason

_KINDS = {
    "STOP": FinishKind.STOP,
    "FINISH_REASON_UNSPECIFIED": FinishKind.STOP,
    "MAX_TOKENS": FinishKind.LENGTH,
    "CONTINUATION": FinishKind.LENGTH,
    "SAFETY": FinishKind.CONTENT_FILTER,
    "RECITATION": FinishKind.CONTENT_FILTER,
    "LANGUAGE": FinishKind.CONTENT_FILTER,
    "BLOCKLIST": FinishKind.CONTENT_FILTER,
    "PROHIBITED_CONTENT": FinishKind.CONTENT_FILTER,
    "SPII": FinishKind.CONTENT_FILTER,
    "IMAGE_SAFETY": FinishKind.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": FinishKind.CONTENT_FILTER,
    "IMAGE_RECITATION": FinishKind.CONTENT_FILTER,
    "MODEL_ARMOR": FinishKind.CONTENT_FILTER,
    "ESCALATION": FinishKind.CONTENT_FILTER,
    "PUP_LIMITED_DISABLED": FinishKind.CONTENT_FILTER,
}  # any other is a failure: OTHER, MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL, …

# Not Google's; servers built to be like Gemini say it (aimock 1.43, seen 2026-11).
_CALLED = "FUNCTION_CALL"

_WORDS = {
    FinishKind.STOP: "STOP",
    FinishKind.TOOL_CALLS: "STOP",
    FinishKind.LENGTH: "MAX_TOKENS",
    FinishKind.CONTENT_FILTER: "SAFETY",
}

# Gemini CLI repeats a stream that has neither text nor a call (pitfall 99), so an empty answer says that it is one.
EMPTY_ANSWER = {
    FinishKind.STOP: "[The model gave no answer.]",
    FinishKind.TOOL_CALLS: "[The model gave no answer.]",
    FinishKind.LENGTH: "[The answer was cut off before it began.]",
    FinishKind.CONTENT_FILTER: "[The answer was withheld by the model's content filter.]",
}


def finish_reason(word: str | None, called: bool) -> FinishReason:
    """`called` is whether there are tool calls: Gemini says STOP beside them."""
    kind = _KINDS.get(word or "STOP", FinishKind.ERROR)
    if called and (kind is FinishKind.STOP or word == _CALLED):
        kind = FinishKind.TOOL_CALLS
    return FinishReason(kind, word)


def finish_word(reason: FinishReason) -> str:
    """What a Gemini client is told: the upstream's own word where it is one of Gemini's."""
    if reason.raw in _KINDS and finish_reason(reason.raw, reason.kind is FinishKind.TOOL_CALLS).kind is reason.kind:
        return reason.raw or "STOP"
    return _WORDS[reason.kind]


def gave_up(word: str | None, message: str | None = None) -> APIError:
    """The failure behind a finish reason that is one. A malformed call may go well when it is asked for again."""
    words = f"The upstream gave up on its answer ({word})."
    return APIError(ErrorKind.SERVER_ERROR, f"{words} {message or ''}".rstrip(), 500, code=word, upstream=True)


def blocked(reason: str | None, message: str | None = None) -> APIError:
    """The failure for a prompt that was not answered."""
    words = f"The upstream refused the prompt ({reason or 'no reason given'})."
    return APIError(
        ErrorKind.INVALID_REQUEST, f"{words} {message or ''}".rstrip(), 400, code="content_filter", upstream=True
    )
