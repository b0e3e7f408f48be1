"""Errors, headers, counting, watching: what is around the answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import ErrorResponse, MessageTokensCount

from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.protocols.anthropic_messages import CODEC
from axonhub_cli.protocols.anthropic_messages.http import betas
from axonhub_cli.protocols.base import Operation
from axonhub_cli.vendors import Quirks
from tests.protocols.anthropic_messages.helpers import FIXTURES, STOP, begin, delta, ending, sse, start


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize("upstream", [True, False])
def test_every_error_in_anthropics_shape(kind: ErrorKind, upstream: bool) -> None:
    status, body = CODEC.encode_error(APIError(kind, "words", 400, upstream=upstream))
    assert 400 <= status < 600 and "words" in body["error"]["message"] and body["request_id"] is None
    if kind is not ErrorKind.TOO_LARGE:  # request_too_large is documented, and not among the types
        assert ErrorResponse.model_validate(body).error.type == body["error"]["type"]


@pytest.mark.parametrize(
    ("kind", "upstream", "status", "word"),
    [
        (ErrorKind.OVERLOADED, True, 529, "overloaded_error"),
        (ErrorKind.SERVER_ERROR, True, 529, "overloaded_error"),
        (ErrorKind.SERVER_ERROR, False, 500, "api_error"),
        (ErrorKind.AUTHENTICATION, True, 502, "api_error"),  # not the client's key
        (ErrorKind.AUTHENTICATION, False, 401, "authentication_error"),
        (ErrorKind.RATE_LIMIT, True, 429, "rate_limit_error"),
        (ErrorKind.QUOTA, True, 402, "billing_error"),  # a 429 would be repeated ten times
        (ErrorKind.NOT_FOUND, False, 404, "not_found_error"),
    ],
)
def test_errors_that_clients_act_on(kind: ErrorKind, upstream: bool, status: int, word: str) -> None:
    told, body = CODEC.encode_error(APIError(kind, "m", 500, upstream=upstream))
    assert (told, body["error"]["type"]) == (status, word)


def test_pitfall_139_a_full_context_in_the_words_claude_code_knows() -> None:
    status, body = CODEC.encode_error(APIError(ErrorKind.CONTEXT_LENGTH, "maximum context length is 9", 400))
    assert status == 400 and body["error"]["message"] == "prompt is too long: maximum context length is 9"
    own = APIError(ErrorKind.CONTEXT_LENGTH, "prompt is too long: 9 tokens > 8 maximum", 400)
    assert CODEC.encode_error(own)[1]["error"]["message"] == own.message


@pytest.mark.parametrize(
    ("status", "word", "message", "kind"),
    [
        (529, "overloaded_error", "Overloaded", ErrorKind.OVERLOADED),
        (429, "rate_limit_error", "Slow down", ErrorKind.RATE_LIMIT),
        (400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", ErrorKind.CONTEXT_LENGTH),
        (400, "invalid_request_error", "Your credit balance is too low", ErrorKind.QUOTA),
        (400, "invalid_request_error", "messages: bad", ErrorKind.INVALID_REQUEST),
        (401, "authentication_error", "invalid x-api-key", ErrorKind.AUTHENTICATION),
        (404, "not_found_error", "model: claude-9", ErrorKind.NOT_FOUND),
        (413, "request_too_large", "Too large", ErrorKind.TOO_LARGE),
        (504, "timeout_error", "Late", ErrorKind.TIMEOUT),
        (500, "api_error", "Oops", ErrorKind.SERVER_ERROR),
    ],
)
def test_errors_of_upstreams(status: int, word: str, message: str, kind: ErrorKind) -> None:
    body = {"type": "error", "error": {"type": word, "message": message}, "request_id": "req_1"}
    error = CODEC.decode_error(status, {"retry-after": "7"}, json.dumps(body).encode())
    assert (error.kind, error.message, error.status, error.retry_after) == (kind, message, status, 7.0)


def test_calls() -> None:
    call = CODEC.call(Operation.GENERATE, "m", "k", True, Quirks())
    assert call.path == "/v1/messages" and call.headers["anthropic-version"] == "2023-06-01"
    assert call.headers["x-api-key"] == "k" and call.headers["accept"] == "text/event-stream"
    bearer = CODEC.call(Operation.COUNT_TOKENS, "m", "k", True, Quirks(auth="bearer"))
    assert bearer.path == "/v1/messages/count_tokens" and bearer.headers["authorization"] == "Bearer k"
    assert "x-api-key" not in bearer.headers and bearer.headers["accept"] == "application/json"
    assert "x-api-key" not in CODEC.call(Operation.GENERATE, "m", "", False, Quirks()).headers


@pytest.mark.parametrize(
    ("asked", "quirks", "summaries", "told"),
    [
        ("a-1, b-2,a-1", Quirks(), False, "a-1,b-2"),
        ("a-1,b-2", Quirks(betas=("b-",)), False, "b-2"),  # pitfall 82
        ("a-1", Quirks(betas=()), False, None),
        ("redact-thinking-2026-02-12,a-1", Quirks(), True, "a-1"),  # pitfall 87
        ("redact-thinking-2026-02-12", Quirks(), False, "redact-thinking-2026-02-12"),
        (None, Quirks(), False, None),
    ],
)
def test_pitfalls_82_87_beta_flags(asked: str | None, quirks: Quirks, summaries: bool, told: str | None) -> None:
    assert betas(asked, quirks, summaries=summaries) == told


def test_pitfall_81_counting() -> None:
    told = CODEC.encode_count(7)
    assert MessageTokensCount.model_validate(told).input_tokens == CODEC.decode_count(told) == 7
    for nothing in ({}, {"input_tokens": True}, {"input_tokens": "7"}, {"input_tokens": -1}):
        with pytest.raises(Failure):
            CODEC.decode_count(nothing)


def watched(data: bytes, step: int) -> Any:
    watcher = CODEC.stream_watcher()
    for at in range(0, len(data), step):
        watcher.feed(data[at : at + step])
    return watcher.watch


@pytest.mark.parametrize("step", [1, 50, 10_000])
def test_a_stream_that_passes_by(step: int) -> None:
    watch = watched((FIXTURES / "plain-text.stream.sse").read_bytes(), step)
    assert (watch.output, watch.ended, watch.error, watch.finish, watch.model) == (
        True,
        True,
        None,
        "end_turn",
        "claude-opus-4-6",
    )
    assert (watch.usage.input, watch.usage.cached, watch.usage.output) == (1050, 1000, 9)


@pytest.mark.parametrize("step", [1, 10_000])
def test_failures_that_pass_by(step: int) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    text = (begin(0, "text", text=""), delta(0, "text_delta", text='say "error" and \\"message_stop\\"'))
    watch = watched(sse(start(input_tokens=4), error), step)
    assert watch.error.kind is ErrorKind.OVERLOADED and not watch.output and not watch.ended
    watch = watched(sse(start(input_tokens=4), *text), step)
    assert watch.output and not watch.ended and watch.error is None and watch.usage.input == 4
    watch = watched(sse(start(), *text, ending("error", output_tokens=2), STOP), step)
    assert watch.error is not None and watch.finish is None and watch.usage.output == 2
    assert watched(sse(start(), *text, ending("end_turn"), error), step).error is None
