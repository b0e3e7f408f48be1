"""Errors as Anthropic words them, in and out.

https://platform.claude.com/docs/en/api/errors; what Claude Code makes of each is in reliability 5.2.
"""

from __future__ import annotations

from typing import Any

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.failures import error_in

# kind -> status, type. 402 ends a turn at once, which 429 does not (ten repeats by default).
_WORDS: dict[ErrorKind, tuple[int, str]] = {
    ErrorKind.INVALID_REQUEST: (400, "invalid_request_error"),
    ErrorKind.CONTEXT_LENGTH: (400, "invalid_request_error"),
    ErrorKind.AUTHENTICATION: (401, "authentication_error"),
    ErrorKind.PERMISSION: (403, "permission_error"),
    ErrorKind.NOT_FOUND: (404, "not_found_error"),
    ErrorKind.TOO_LARGE: (413, "request_too_large"),
    ErrorKind.RATE_LIMIT: (429, "rate_limit_error"),
    ErrorKind.QUOTA: (402, "billing_error"),
    ErrorKind.OVERLOADED: (529, "overloaded_error"),
    ErrorKind.SERVER_ERROR: (500, "api_error"),
    ErrorKind.BAD_GATEWAY: (502, "api_error"),
    ErrorKind.TIMEOUT: (504, "timeout_error"),
    ErrorKind.CANCELED: (499, "api_error"),
}
_TOO_LONG = "prompt is too long"  # the words by which Claude Code knows that it must compact


def encode_error(error: APIError) -> tuple[int, JSON]:
    """Status and body. A fault of an upstream's key is never told as one of the client's (reliability 5.1)."""
    status, kind = _WORDS[error.kind]
    if error.upstream and error.kind in {ErrorKind.AUTHENTICATION, ErrorKind.PERMISSION}:
        status, kind = 502, "api_error"
    elif error.upstream and error.kind is ErrorKind.SERVER_ERROR:
        status, kind = 529, "overloaded_error"
    elif error.kind is ErrorKind.INVALID_REQUEST and not error.upstream and 400 <= error.status < 500:
        status = error.status  # our own 405, 415 and the like
    return status, error_body(error, kind)


def error_body(error: APIError, kind: str | None = None) -> JSON:
    """The object that is a body before the answer and an `error` event in it."""
    message = error.message
    if error.kind is ErrorKind.CONTEXT_LENGTH and _TOO_LONG not in message.lower():
        message = f"{_TOO_LONG}: {message}"
    word = kind or encode_error(error)[1]["error"]["type"]
    return {"type": "error", "error": {"type": word, "message": message}, "request_id": None}


def broken(message: str, code: str | None = None) -> APIError:
    """An upstream whose answer is no answer."""
    return APIError(ErrorKind.BAD_GATEWAY, message, 502, code=code, upstream=True)


def error_inside(body: Any) -> APIError:
    """The error that came where an answer was due, with status 200 (pitfall 51)."""
    return error_in(body)
