"""Errors in the words that make Codex act rightly (wire.md M and 0.3; reliability 5).

Before anything was sent: a status and `{"error": {…}}`. After that: `response.failed` with a code.
"""

from __future__ import annotations

import math

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.protocols.base import JSON

MAX_WAIT = 60  # seconds; Codex waits in silence for whatever it is told

# kind -> status, type, code. Codex repeats every 4xx but 400 and 429, and 5xx up to 30 times; a 503 with
# `server_is_overloaded` five times, fast.
_BEFORE: dict[ErrorKind, tuple[int, str, str | None]] = {
    ErrorKind.INVALID_REQUEST: (400, "invalid_request_error", None),
    ErrorKind.CONTEXT_LENGTH: (400, "invalid_request_error", "context_length_exceeded"),
    ErrorKind.AUTHENTICATION: (401, "authentication_error", "invalid_api_key"),
    ErrorKind.PERMISSION: (403, "permission_error", "permission_denied"),
    ErrorKind.NOT_FOUND: (404, "invalid_request_error", "not_found"),
    ErrorKind.TOO_LARGE: (413, "invalid_request_error", "request_too_large"),
    ErrorKind.RATE_LIMIT: (429, "rate_limit_error", "rate_limit_exceeded"),
    ErrorKind.QUOTA: (429, "insufficient_quota", "insufficient_quota"),
    ErrorKind.OVERLOADED: (503, "server_error", "server_is_overloaded"),
    ErrorKind.SERVER_ERROR: (503, "server_error", "server_is_overloaded"),
    ErrorKind.BAD_GATEWAY: (502, "server_error", "bad_gateway"),
    ErrorKind.TIMEOUT: (504, "server_error", "timeout"),
    ErrorKind.CANCELED: (499, "server_error", "canceled"),
}
# Only these kinds keep the code they came with: for the others Codex must see ours.
_OWN_CODE = frozenset(
    {
        ErrorKind.INVALID_REQUEST,
        ErrorKind.NOT_FOUND,
        ErrorKind.AUTHENTICATION,
        ErrorKind.PERMISSION,
        ErrorKind.BAD_GATEWAY,
    }
)

# kind -> code inside response.failed. Codex ends the turn at once on all but server_error and rate_limit_exceeded.
_AFTER: dict[ErrorKind, str] = {
    ErrorKind.INVALID_REQUEST: "invalid_prompt",
    ErrorKind.CONTEXT_LENGTH: "context_length_exceeded",
    ErrorKind.AUTHENTICATION: "server_error",
    ErrorKind.PERMISSION: "server_error",
    ErrorKind.NOT_FOUND: "invalid_prompt",
    ErrorKind.TOO_LARGE: "invalid_prompt",
    ErrorKind.RATE_LIMIT: "rate_limit_exceeded",
    ErrorKind.QUOTA: "insufficient_quota",
    ErrorKind.OVERLOADED: "server_is_overloaded",
    ErrorKind.SERVER_ERROR: "server_error",
    ErrorKind.BAD_GATEWAY: "server_error",
    ErrorKind.TIMEOUT: "server_error",
    ErrorKind.CANCELED: "server_error",
}


def encode_error(error: APIError) -> tuple[int, JSON]:
    """Status and body. A fault of an upstream's key is never told as one of the client's (reliability 5.1)."""
    status, kind, code = _BEFORE[error.kind]
    if error.upstream and error.kind in {ErrorKind.AUTHENTICATION, ErrorKind.PERMISSION}:
        status, kind, code = 502, "server_error", "upstream_auth"
    elif error.kind is ErrorKind.SERVER_ERROR and not error.upstream:
        status, code = 500, "server_error"  # a bug of ours shows as one
    elif error.kind in _OWN_CODE and error.code:
        code = error.code
    if error.kind is ErrorKind.INVALID_REQUEST and not error.upstream and 400 <= error.status < 500:
        status = error.status  # our own 405, 415 and the like
    return status, {"error": {"message": error.message, "type": kind, "code": code, "param": error.param}}


def failed_error(error: APIError) -> JSON:
    """`response.error` of a response.failed. The wait is in the message, where Codex reads it (pitfall 138)."""
    code, message = _AFTER[error.kind], error.message
    if error.kind is ErrorKind.RATE_LIMIT and error.retry_after is not None:
        seconds = min(MAX_WAIT, max(1, math.ceil(error.retry_after)))
        message = f"{message.rstrip()} Please try again in {seconds}s."
    return {"code": code, "message": message}
