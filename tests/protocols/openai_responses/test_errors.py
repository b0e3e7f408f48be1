from __future__ import annotations

import pytest

from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.protocols.base import Operation
from axonhub_cli.protocols.openai_responses import CODEC
from axonhub_cli.vendors import Quirks


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (APIError(ErrorKind.INVALID_REQUEST, "m", 422, upstream=True), 400, None),
        (
            APIError(ErrorKind.INVALID_REQUEST, "m", 400, code="previous_response_not_found"),
            400,
            "previous_response_not_found",
        ),
        (APIError(ErrorKind.CONTEXT_LENGTH, "m", 413, upstream=True), 400, "context_length_exceeded"),
        (APIError(ErrorKind.AUTHENTICATION, "m", 401), 401, "invalid_api_key"),
        (APIError(ErrorKind.AUTHENTICATION, "m", 401, upstream=True), 502, "upstream_auth"),
        (APIError(ErrorKind.PERMISSION, "m", 403, upstream=True), 502, "upstream_auth"),
        (APIError(ErrorKind.NOT_FOUND, "m", 404, code="model_not_found"), 404, "model_not_found"),
        (APIError(ErrorKind.TOO_LARGE, "m", 413), 413, "request_too_large"),
        (APIError(ErrorKind.RATE_LIMIT, "m", 429, code="x", upstream=True), 429, "rate_limit_exceeded"),
        (APIError(ErrorKind.QUOTA, "m", 402, upstream=True), 429, "insufficient_quota"),
        (APIError(ErrorKind.OVERLOADED, "m", 529, upstream=True), 503, "server_is_overloaded"),
        (APIError(ErrorKind.SERVER_ERROR, "m", 500, upstream=True), 503, "server_is_overloaded"),
        (APIError(ErrorKind.SERVER_ERROR, "m", 500), 500, "server_error"),
        (APIError(ErrorKind.BAD_GATEWAY, "m", 502), 502, "bad_gateway"),
        (APIError(ErrorKind.BAD_GATEWAY, "m", 502, code="upstream_auth", upstream=True), 502, "upstream_auth"),
        (APIError(ErrorKind.TIMEOUT, "m", 504), 504, "timeout"),
    ],
)
def test_before_anything_was_sent(error: APIError, status: int, code: str | None) -> None:
    found, body = CODEC.encode_error(error)
    assert found == status
    assert body["error"]["code"] == code and body["error"]["message"] == "m"
    assert set(body["error"]) == {"message", "type", "code", "param"}
    assert body["error"]["type"] != "usage_limit_reached"


def test_every_kind_has_words() -> None:
    for kind in ErrorKind:
        assert CODEC.encode_error(APIError(kind, "m"))[0] >= 400


def test_call() -> None:
    call = CODEC.call(Operation.GENERATE, "m", "k", True, Quirks())
    assert (call.path, call.headers["authorization"], call.headers["accept"]) == (
        "/responses",
        "Bearer k",
        "text/event-stream",
    )
    assert CODEC.call(Operation.COMPACT, "m", "k", False, Quirks()).path == "/responses/compact"
    with pytest.raises(Failure):
        CODEC.call(Operation.COUNT_TOKENS, "m", "k", False, Quirks())
