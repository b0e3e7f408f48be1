"""What one protocol says to an upstream of its own: payloads, headers, lists of models."""

import pytest

from axonhub_cli.protocols.base import Operation
from axonhub_cli.protocols.opaque import Seal
from axonhub_cli.protocols.registry import PROTOCOLS, codec
from axonhub_cli.vendors import Quirks

SEAL = Seal(b"s" * 32)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_everything_unknown_passes_as_the_same_object(name):  # pitfalls 13, 65
    inner = {"deep": [1]}
    payload = {"model": "asked", "brand_new": inner}
    passed = codec(name).pass_on(payload, "target", Quirks(), SEAL)
    assert passed.payload["brand_new"] is inner and passed.losses == ()
    assert passed.payload.get("model") == (None if name == "gemini" else "target")  # gemini's is in its path
    assert payload == {"model": "asked", "brand_new": {"deep": [1]}}


def test_a_messages_vendor_gets_the_fields_it_takes():  # pitfall 82
    payload = {"model": "m", "messages": [], "max_tokens": 1, "context_management": {}, "thinking": {}}
    passed = codec("anthropic_messages").pass_on(payload, "t", Quirks(fields=("thinking",)), SEAL)
    assert passed.payload == {"model": "t", "messages": [], "max_tokens": 1, "thinking": {}}
    assert [loss.field for loss in passed.losses] == ["context_management"]


def test_a_wrapped_count_is_told_the_model_inside():  # pitfall 101
    inner = {"model": "models/asked", "contents": []}
    passed = codec("gemini").pass_on({"model": "asked", "generateContentRequest": inner}, "target", Quirks(), SEAL)
    assert passed.payload == {"generateContentRequest": {"model": "models/target", "contents": []}}


CLIENT = {
    "cookie": "c",
    "authorization": "Bearer x",
    "traceparent": "t",
    "session-id": "s",
    "x-codex-window-id": "w",
    "anthropic-version": "2024-10-01",
    "anthropic-beta": "context-1m-2025, redact-thinking-2026, odd",
}


@pytest.mark.parametrize(
    ("name", "quirks", "payload", "passed"),
    [  # pitfalls 82, 87, 171
        ("openai_chat", Quirks(codex_headers=True), {}, {}),
        ("openai_responses", Quirks(), {}, {}),
        ("openai_responses", Quirks(codex_headers=True), {}, {"session-id": "s", "x-codex-window-id": "w"}),
        ("gemini", Quirks(), {}, {}),
        (
            "anthropic_messages",
            Quirks(),
            {},
            {"anthropic-version": "2024-10-01", "anthropic-beta": "context-1m-2025,redact-thinking-2026,odd"},
        ),
        (
            "anthropic_messages",
            Quirks(betas=("context-", "redact-")),
            {"thinking": {"type": "adaptive", "display": "summarized"}},
            {"anthropic-version": "2024-10-01", "anthropic-beta": "context-1m-2025"},
        ),
        ("anthropic_messages", Quirks(betas=()), {}, {"anthropic-version": "2024-10-01"}),
    ],
)
def test_headers_that_go_along(name, quirks, payload, passed):
    assert codec(name).pass_headers(CLIENT, payload, quirks) == passed


@pytest.mark.parametrize(
    ("name", "answer", "names"),
    [
        ("openai_chat", {"data": [{"id": "a"}, {}, {"id": 1}]}, ["a"]),
        ("openai_responses", [{"id": "a"}, "x"], ["a"]),
        ("anthropic_messages", {"data": [{"type": "model", "id": "a"}], "has_more": False}, ["a"]),
        (
            "gemini",
            {
                "models": [
                    {"name": "models/a", "supportedGenerationMethods": ["generateContent"]},
                    {"name": "models/e", "supportedGenerationMethods": ["embedContent"]},
                    {"name": "models/b"},
                ]
            },
            ["a", "b"],
        ),
        *((name, None, []) for name in PROTOCOLS),
    ],
)
def test_models_an_upstream_lists(name, answer, names):
    assert codec(name).decode_models(answer) == names


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_list_is_asked_for_with_the_key(name):
    call = codec(name).call(Operation.MODELS, "", "sk-1", True, Quirks())
    assert "models" in call.path and "sk-1" in " ".join(call.headers.values())
    assert call.headers["accept"] == "application/json"
