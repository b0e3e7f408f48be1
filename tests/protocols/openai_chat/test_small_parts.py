"""Usage, errors, the call, and the watcher's own cases."""

from __future__ import annotations

from typing import Any

import pytest

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.protocols.base import Operation
from axonhub_cli.protocols.openai_chat import CODEC
from axonhub_cli.protocols.openai_chat.usage import decode_usage, encode_usage
from axonhub_cli.vendors import Quirks
from tests.protocols.openai_chat.support import chunk, failure, sse


@pytest.mark.parametrize(
    ("raw", "counts"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 4}, (10, None, 4, None)),
        ({"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": None}, (10, None, 4, None)),
        ({"prompt_tokens": 10, "completion_tokens": 4, "prompt_cache_hit_tokens": 8}, (10, 8, 4, None)),  # pitfall 177
        ({"prompt_tokens": 10, "completion_tokens": 4, "cached_tokens": 8}, (10, 8, 4, None)),
        ({"input_tokens": 10, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 2}}, (10, 2, 4, None)),
        (
            # xAI: reasoning beside the output
            {
                "prompt_tokens": 10,
                "completion_tokens": 4,
                "total_tokens": 34,
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
            (10, None, 24, 20),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 24,
                "total_tokens": 34,
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
            (10, None, 24, 20),
        ),
    ],
)
def test_dialects(raw: dict[str, Any], counts: tuple[int | None, ...]) -> None:
    usage = decode_usage(raw)
    assert usage is not None
    assert (usage.input, usage.cached, usage.output, usage.reasoning) == counts
    assert usage.raw == raw  # pitfall 179


@pytest.mark.parametrize(
    "raw", [None, {}, [], "x", {"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": "9"}]
)
def test_nothing_counted_is_unknown(raw: Any) -> None:
    assert decode_usage(raw) is None
    assert CODEC.decode_usage({"usage": raw}) is None


def test_llamacpp_timings_alone() -> None:
    usage = CODEC.decode_usage({"timings": {"cache_n": 60, "prompt_n": 10, "predicted_n": 9}})
    assert usage is not None
    assert (usage.input, usage.cached, usage.output) == (70, 60, 9)


def test_pitfall_34_details_are_always_there() -> None:
    written = encode_usage(decode_usage({"prompt_tokens": 1, "completion_tokens": 2}))
    assert written is not None
    assert written["prompt_tokens_details"]["cached_tokens"] == 0
    assert written["completion_tokens_details"]["reasoning_tokens"] == 0
    assert written["total_tokens"] == 3
    assert encode_usage(None) is None


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_kind_of_error_is_worded_and_read_again(kind: ErrorKind) -> None:
    status, body = CODEC.encode_error(APIError(kind, "words", 0))
    assert 400 <= status <= 599
    assert body["error"]["message"] == "words"
    assert set(body["error"]) == {"message", "type", "param", "code"}


def test_codes_that_clients_act_on() -> None:
    error = APIError(ErrorKind.CONTEXT_LENGTH, "too long", 400, code="1261", param="messages")
    assert CODEC.encode_error(error)[1]["error"]["code"] == "context_length_exceeded"
    assert (
        CODEC.encode_error(APIError(ErrorKind.INVALID_REQUEST, "x", 400, code="odd", param="p"))[1]["error"]["code"]
        == "odd"
    )
    read = CODEC.decode_error(429, {"retry-after": "7"}, b'{"error":{"message":"wait","code":"rate_limit_exceeded"}}')
    assert (read.kind, read.retry_after, read.upstream) == (ErrorKind.RATE_LIMIT, 7.0, True)


def test_call() -> None:
    asked = CODEC.call(Operation.GENERATE, "m", "sk-1", True, Quirks())
    assert asked.path == "/chat/completions"
    assert asked.headers == {"authorization": "Bearer sk-1", "accept": "text/event-stream"}
    assert "authorization" not in CODEC.call(Operation.COMPACT, "m", "", False, Quirks()).headers
    assert failure(CODEC.call, Operation.COUNT_TOKENS, "m", "k", False, Quirks()).error.status == 404


def test_the_watcher_is_not_fooled_by_text_about_itself() -> None:
    watcher = CODEC.stream_watcher()
    watcher.feed(sse(chunk({"content": ""}), done=False))
    assert not watcher.watch.output
    watcher.feed(
        sse(
            chunk({"content": '"usage":{"prompt_tokens":9},"error":{"message":"x"},"finish_reason":"stop" [DONE]'}),
            done=False,
        )
    )
    watch = watcher.watch
    assert (watch.output, watch.error, watch.usage, watch.finish, watch.ended) == (True, None, None, None, False)


def test_the_watcher_hears_errors() -> None:
    watcher = CODEC.stream_watcher()
    watcher.feed(b'data: {"error": {"message": "busy", "code": "server_is_overloaded"}}\n\n')
    assert watcher.watch.error is not None
    assert watcher.watch.error.kind is ErrorKind.OVERLOADED
    watcher.feed(b"\xff\xfe garbage\n\ndata: {\n\n")
    assert not watcher.watch.output
