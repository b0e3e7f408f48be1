"""What can go wrong between a client and a model, as data."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class ErrorKind(StrEnum):
    """The kind decides failover and the shape each client is told."""

    INVALID_REQUEST = "invalid_request"
    CONTEXT_LENGTH = "context_length"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    BAD_GATEWAY = "bad_gateway"
    TIMEOUT = "timeout"
    CANCELED = "canceled"


class APIError(Struct, frozen=True):
    """One failure.

    `status` is the HTTP status it came with, or that it deserves. `code` and `param` are in the words of
    whoever reported it. `retry_after` is in seconds. `raw` is the upstream's body, cut to 64 KiB.
    `upstream` tells a failure behind us from one of the client's or ours.
    """

    kind: ErrorKind
    message: str
    status: int = 500
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None
    raw: str | None = None
    upstream: bool = False


class Failure(Exception):  # noqa: N818 - it carries an APIError, which is the error
    """Carries an APIError up to the one place that answers the client."""

    def __init__(self, error: APIError) -> None:
        super().__init__(error.message)
        self.error = error


def invalid(message: str, param: str | None = None, code: str | None = None) -> Failure:
    """A 400 that blames the client's request, naming the field."""
    return Failure(APIError(ErrorKind.INVALID_REQUEST, message, 400, code=code, param=param))
