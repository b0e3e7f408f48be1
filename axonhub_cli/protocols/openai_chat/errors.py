"""Errors as Chat Completions words them, in and out.

https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from typing import Any

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.failures import STATUS_OF_KIND, error_in

# type, code; the code only where the error brought none
_WORDS: dict[ErrorKind, tuple[str, str | None]] = {
    ErrorKind.INVALID_REQUEST: ("invalid_request_error", None),
    ErrorKind.CONTEXT_LENGTH: ("invalid_request_error", "context_length_exceeded"),
    ErrorKind.AUTHENTICATION: ("invalid_request_error", "invalid_api_key"),
    ErrorKind.PERMISSION: ("invalid_request_error", "permission_denied"),
    ErrorKind.NOT_FOUND: ("invalid_request_error", "model_not_found"),
    ErrorKind.TOO_LARGE: ("invalid_request_error", "request_too_large"),
    ErrorKind.RATE_LIMIT: ("rate_limit_error", "rate_limit_exceeded"),
    ErrorKind.QUOTA: ("insufficient_quota", "insufficient_quota"),
    ErrorKind.OVERLOADED: ("server_error", "server_is_overloaded"),
    ErrorKind.SERVER_ERROR: ("server_error", None),
    ErrorKind.BAD_GATEWAY: ("server_error", "bad_gateway"),
    ErrorKind.TIMEOUT: ("server_error", "timeout"),
    ErrorKind.CANCELED: ("server_error", "canceled"),
}
_FIXED = (ErrorKind.CONTEXT_LENGTH, ErrorKind.QUOTA, ErrorKind.RATE_LIMIT)  # clients act on these codes


def encode_error(error: APIError) -> tuple[int, JSON]:
    """The status and the body; a client's SDK reads `message`, `type`, `param` and `code`."""
    kind, code = _WORDS[error.kind]
    if error.kind not in _FIXED:
        code = error.code or code
    status = error.status if 400 <= error.status <= 599 else STATUS_OF_KIND[error.kind]
    return status, {"error": {"message": error.message, "type": kind, "param": error.param, "code": code}}


def broken(message: str, code: str | None = None) -> APIError:
    """An upstream whose answer is no answer."""
    return APIError(ErrorKind.BAD_GATEWAY, message, 502, code=code, upstream=True)


def error_inside(body: Any) -> APIError:
    """The error that came where an answer was due, with status 200 (pitfall 51)."""
    return error_in(body)
