"""Error answers of vendors, as their documentation and issue trackers show them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli.llm.errors import ErrorKind
from axonhub_cli.protocols.failures import RAW_LIMIT, error_in, is_context_length, read_error

CONTEXT = [  # pitfall 139
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "This endpoint's maximum context length is 65536 tokens. However, you requested about 70000 tokens.",
    "Range of input length should be [1, 129024]",
    "Invalid request: Your request exceeded model token limit: 131072",
    "the request exceeds the available context size, try increasing it",
    "invalid params, context window exceeds limit (2013)",
    "Input is too long for requested model.",
    "The number of tokens to keep from the initial prompt is greater than the context length.",
    "Prompt contains 140000 tokens, which is larger than the maximum context of 131072.",
    "Requested token count exceeds the model's maximum context length of 32768 tokens.",
    "This request exceeds the model's maximum prompt tokens",
    "Prompt 超过模型上下文长度",
]


@pytest.mark.parametrize("message", CONTEXT)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_too_long_a_conversation_139(message: str, status: int) -> None:
    error = read_error(
        status, {}, json.dumps({"error": {"message": message, "type": "invalid_request_error"}}).encode()
    )
    assert error.kind is ErrorKind.CONTEXT_LENGTH
    assert error.message == message


@pytest.mark.parametrize(
    "message",
    ["max_tokens is too large: 9000", "Rate limit reached for tokens per minute", "tools: too many", "string too long"],
)
def test_other_things_are_not_the_context(message: str) -> None:
    assert not is_context_length(message)


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, "quota", None),
        (
            429,  # pitfall 140: a bucket that refills, in the words of a bill
            [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your current quota."}}],
            "rate_limit",
            "You exceeded your current quota.",
        ),
        (402, {"error": {"message": "Insufficient Balance"}}, "quota", "Insufficient Balance"),
        (400, {"error": {"message": "Your credit balance is too low to access"}}, "quota", None),
        (
            200,
            {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
            "quota",
            "insufficient balance",
        ),
        (200, {"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, "rate_limit", "rate limit"),
        (400, {"detail": "Unsupported parameter: store"}, "invalid_request", "Unsupported parameter: store"),
        (422, {"detail": [{"loc": ["body", "x"], "msg": "field required"}]}, "invalid_request", "field required"),
        (404, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}, "not_found", None),
        (404, {"error": {"message": "Model with id 'x' not found."}}, "not_found", None),
        (404, {"error": {"message": "Item with id 'msg_1' not found.", "param": "input"}}, "invalid_request", None),
        (404, {"error": {"message": "Container with id 'cntr_1' not found."}}, "invalid_request", None),
        (404, {"error": {"message": "No such File object: file-1", "param": "file_id"}}, "invalid_request", None),
        (404, {"error": {"type": "not_found_error", "message": "File not found: file_1"}}, "invalid_request", None),
        (404, {"error": {"message": "Invalid URL (POST /v1/x)", "type": "invalid_request_error"}}, "not_found", None),
        (400, {"error": {"message": "Model x does not exist"}}, "not_found", None),
        (
            400,
            {"error": {"message": "Model Not Exist", "code": "invalid_request_error"}},
            "not_found",
            None,
        ),  # DeepSeek
        (400, {"code": 20012, "message": "Model does not exist. Please check it carefully."}, "not_found", None),
        (400, {"error": {"message": "a/b is not a valid model ID", "code": 400}}, "not_found", None),  # OpenRouter
        (400, {"message": "Invalid model: x", "type": "invalid_model", "code": "1500"}, "not_found", None),  # Mistral
        (400, {"error": {"code": "1211", "message": "模型不存在，请检查模型代码。"}}, "not_found", None),  # Zhipu
        (400, {"error": {"message": "This model is not supported with tools"}}, "invalid_request", None),
        (401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, "authentication", None),
        (
            400,
            {"error": {"code": 400, "message": "API key not valid.", "details": [{"reason": "API_KEY_INVALID"}]}},
            "authentication",
            None,
        ),
        (  # xAI
            403,
            {
                "code": "The caller does not have permission to execute the specified operation",
                "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO",
            },
            "invalid_request",
            "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO",
        ),
        (  # OpenRouter
            403,
            {"error": {"code": 403, "message": "Your chosen model requires moderation and your input was flagged"}},
            "invalid_request",
            None,
        ),
        (200, {"error": {"code": 403, "message": 'Your input was flagged for "violence".'}}, "invalid_request", None),
        (403, {"error": {"message": "This key may not use the model", "code": 403}}, "permission", None),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "overloaded", None),
        (500, {"error": "boom"}, "server_error", "boom"),
        (503, {"message": "down"}, "overloaded", "down"),
        (413, {"error": {"type": "request_too_large", "message": "big"}}, "too_large", "big"),
        (
            502,
            {"error": {"message": "Provider returned error", "metadata": {"raw": '{"error":{"message":"inner"}}'}}},
            "bad_gateway",
            "Provider returned error: inner",
        ),
        (504, {"error": {"status": "DEADLINE_EXCEEDED", "message": "late"}}, "timeout", "late"),
    ],
)
def test_shapes_147(status: int, body: Any, kind: str, message: str | None) -> None:
    error = read_error(status, {}, json.dumps(body).encode())
    assert error.kind == kind
    assert message is None or error.message == message
    assert error.kind != "invalid_request" or error.status in (400, 422)  # a 403 is about our key to clients
    assert error.upstream and error.raw and error.status >= 400


def test_pages_and_plain_text() -> None:
    page = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    error = read_error(404, {}, page)  # a wrong path, not a missing model
    assert error.kind is ErrorKind.BAD_GATEWAY and "502 Bad Gateway" in error.message and "<" not in error.message
    assert read_error(500, {}, b"upstream went away").message == "upstream went away"
    assert read_error(502, {}, b"").message


@pytest.mark.parametrize(
    ("headers", "body", "wait"),
    [
        ({"retry-after": "7"}, {}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, {}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}, 10.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT"}, {}, None),
        ({"retry-after": "soon"}, {}, None),
        ({"retry-after": "10000000000"}, {}, 1e9),
        ({"retry-after": "-5"}, {}, None),
        ({"retry-after": "Wed, 21 Oct 99999999999 07:28:10 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}, None),
        ({}, {"error": {"message": "Please try again in 320ms."}}, 0.32),
        ({}, {"error": {"message": "Please retry in 20.5s."}}, 20.5),
        ({}, {"error": {"message": "x", "details": [{"retryDelay": "20s"}]}}, 20.0),
        ({}, {"error": {"type": "usage_limit_reached", "resets_in_seconds": 90}}, 90.0),
        ({}, {"error": {"message": "x", "retry_after": 10**400}}, 1e9),
        ({}, {"error": {"message": f"Please try again in {'9' * 400}s."}}, 1e9),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], body: Any, wait: float | None) -> None:
    assert read_error(429, headers, json.dumps(body).encode()).retry_after == wait


@given(st.integers(100, 599), st.binary(max_size=300), st.dictionaries(st.text(max_size=12), st.text(max_size=12)))
def test_never_raises(status: int, body: bytes, headers: dict[str, str]) -> None:
    assert read_error(status, {**headers, "retry-after": "nan"}, body).status >= 400


@pytest.mark.parametrize(("told", "code"), [(400, None), ("503", None), (1302, "1302"), ("", None), ("x_y", "x_y")])
def test_a_status_is_no_code(told: object, code: str | None) -> None:
    """llama.cpp and Google repeat the status where OpenAI's clients look for a word; Zhipu has numbers of its own."""
    error = read_error(400, {}, msgspec.json.encode({"error": {"code": told, "message": "no", "type": "t"}}))
    assert error.code == code


FIELDS = ["error", "message", "code", "detail", "details", "metadata", "raw", "type", "loc", "status"]
SHAPES = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(FIELDS), inner),
)


@given(SHAPES)
def test_no_shape_raises(payload: Any) -> None:
    assert error_in(payload).message


def test_raw_is_bounded() -> None:
    error = read_error(500, {}, b"x" * 10_000_000)
    assert error.raw is not None and len(error.raw) <= RAW_LIMIT and len(error.message) <= 5000
