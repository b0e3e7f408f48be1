"""Errors as Google words them, in and out.

https://cloud.google.com/apis/design/errors; https://ai.google.dev/gemini-api/docs/troubleshooting
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.failures import STATUS_OF_KIND, error_in, read_error

MAX_WAIT = 60  # seconds (reliability F14)
_TYPE = "type.googleapis.com/google.rpc."

# status word, and the reason given where the error has no code of its own
_WORDS: dict[ErrorKind, tuple[str, str | None]] = {
    ErrorKind.INVALID_REQUEST: ("INVALID_ARGUMENT", None),
    ErrorKind.CONTEXT_LENGTH: ("INVALID_ARGUMENT", "context_length_exceeded"),
    ErrorKind.AUTHENTICATION: ("UNAUTHENTICATED", None),
    ErrorKind.PERMISSION: ("PERMISSION_DENIED", None),
    ErrorKind.NOT_FOUND: ("NOT_FOUND", None),
    ErrorKind.TOO_LARGE: ("INVALID_ARGUMENT", "request_too_large"),
    ErrorKind.RATE_LIMIT: ("RESOURCE_EXHAUSTED", None),
    ErrorKind.QUOTA: ("RESOURCE_EXHAUSTED", "insufficient_quota"),
    ErrorKind.OVERLOADED: ("UNAVAILABLE", None),
    ErrorKind.SERVER_ERROR: ("INTERNAL", None),
    ErrorKind.BAD_GATEWAY: ("UNAVAILABLE", None),
    ErrorKind.TIMEOUT: ("DEADLINE_EXCEEDED", None),
    ErrorKind.CANCELED: ("CANCELLED", None),
}


def encode_error(error: APIError) -> tuple[int, JSON]:
    """Status and body; `details` say the wait in whole seconds, and the code as a reason."""
    word, reason = _WORDS[error.kind]
    status = error.status if 400 <= error.status <= 599 else STATUS_OF_KIND[error.kind]
    written: JSON = {"code": status, "message": error.message, "status": word}
    details: list[JSON] = []
    if reason := reason or error.code:
        details.append({"@type": _TYPE + "ErrorInfo", "reason": reason, "domain": "axonhub"})
    if error.retry_after is not None and error.kind is not ErrorKind.QUOTA:
        seconds = min(MAX_WAIT, max(1, math.ceil(error.retry_after)))
        details.append({"@type": _TYPE + "RetryInfo", "retryDelay": f"{seconds}s"})
    if details:
        written["details"] = details
    return status, {"error": written}


def decode_error(status: int, headers: Mapping[str, str], body: bytes) -> APIError:
    """See `base.Codec.decode_error`. A quota of the day is no rate: waiting a minute does not help."""
    return _google(read_error(status, headers, body), body)


def error_inside(payload: Any) -> APIError:
    """The error that came where an answer was due, with status 200 (pitfall 51)."""
    error = error_in(payload)
    return _google(error, error.raw.encode("utf-8", "replace") if error.raw else b"")


def broken(message: str, code: str | None = None) -> APIError:
    """An upstream whose answer is no answer."""
    return APIError(ErrorKind.BAD_GATEWAY, message, 502, code=code, upstream=True)


def _google(error: APIError, body: bytes) -> APIError:
    """Google has no code but the status; its `status` is the word to keep."""
    if error.kind is ErrorKind.RATE_LIMIT and (b"PerDay" in body or b'"insufficient_quota"' in body):
        error = replace(error, kind=ErrorKind.QUOTA)
    if error.code is None:
        return replace(error, code=_status_word(body))
    return error


def _status_word(body: bytes) -> str | None:
    try:
        payload = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(payload, list) and payload:
        payload = payload[0]
    inner = payload.get("error", payload) if isinstance(payload, dict) else None
    word = inner.get("status") if isinstance(inner, dict) else None
    return word if isinstance(word, str) else None
