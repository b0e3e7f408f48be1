"""What one protocol says to an upstream of its own: payloads, headers, lists of models."""

import pytest
from msgspec.structs import replace

from axonhub_cli.llm.errors import Failure
from axonhub_cli.protocols.base import Operation
from axonhub_cli.protocols.opaque import Seal
from axonhub_cli.protocols.registry import PROTOCOLS, codec
from axonhub_cli.vendors import CHANNEL_TYPES, Quirks

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


VERTEX_CLAUDE = CHANNEL_TYPES["vertex-anthropic"].quirks
BEDROCK = CHANNEL_TYPES["bedrock"].quirks


@pytest.mark.parametrize(
    ("quirks", "body", "passed"),
    [  # what Anthropic's own SDKs for both clouds send
        (
            BEDROCK,
            {"anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["context-1m-2025"]},
            {},
        ),
        (
            VERTEX_CLAUDE,
            {"anthropic_version": "vertex-2023-10-16", "stream": True},
            {"anthropic-beta": "context-1m-2025"},
        ),
    ],
)
def test_clouds_read_the_model_in_the_path_and_the_version_in_the_body(quirks, body, passed):  # pitfall 82
    payload = {"model": "asked", "stream": True, "max_tokens": 9, "messages": [], "new": [1]}
    found = codec("anthropic_messages").pass_on(payload, "target", quirks, SEAL, CLIENT)
    assert found.payload == {"max_tokens": 9, "messages": [], "new": [1], **body}
    assert found.payload["messages"] is payload["messages"] and payload["model"] == "asked"
    assert codec("anthropic_messages").pass_headers(CLIENT, payload, quirks) == passed


@pytest.mark.parametrize(
    ("name", "type", "model", "paths"),
    [
        ("openai_chat", "azure", "d", ("/chat/completions", "/chat/completions")),
        ("openai_responses", "azure", "d", ("/responses", "/responses")),
        (
            "anthropic_messages",
            "bedrock",
            "us.anthropic.claude-x-v1:0",
            (
                "/model/us.anthropic.claude-x-v1:0/invoke-with-response-stream",
                "/model/us.anthropic.claude-x-v1:0/invoke",
            ),
        ),
        (
            "anthropic_messages",
            "vertex-anthropic",
            "claude-x@1",
            (
                "/publishers/anthropic/models/claude-x@1:streamRawPredict",
                "/publishers/anthropic/models/claude-x@1:rawPredict",
            ),
        ),
        (
            "gemini",
            "vertex",
            "gemini-x",
            (
                "/publishers/google/models/gemini-x:streamGenerateContent?alt=sse",
                "/publishers/google/models/gemini-x:generateContent",
            ),
        ),
    ],
)
def test_the_paths_of_clouds(name, type, model, paths):
    quirks = CHANNEL_TYPES[type].quirks
    calls = [codec(name).call(Operation.GENERATE, model, "secret", stream, quirks) for stream in (True, False)]
    assert tuple(call.path for call in calls) == paths
    shown = {"api-key": "secret"} if type == "azure" else {}
    for call in calls:
        assert {n: v for n, v in call.headers.items() if "secret" in v} == shown


def test_azures_dated_api_is_asked_below_the_deployment():
    quirks = replace(CHANNEL_TYPES["azure"].quirks, api_version="2024-10-21")
    asked = {
        ("openai_chat", Operation.GENERATE): "/deployments/my%20d/chat/completions?api-version=2024-10-21",
        ("openai_responses", Operation.GENERATE): "/responses?api-version=2024-10-21",
        ("openai_chat", Operation.MODELS): "/models?api-version=2024-10-21",
    }
    for (name, operation), path in asked.items():
        assert codec(name).call(operation, "my d", "k", False, quirks).path == path


@pytest.mark.parametrize(("name", "type"), [("anthropic_messages", "bedrock"), ("gemini", "vertex")])
def test_a_cloud_without_a_list_of_models_says_so(name, type):
    with pytest.raises(Failure, match="list"):
        codec(name).call(Operation.MODELS, "", "k", False, CHANNEL_TYPES[type].quirks)


@pytest.mark.parametrize(("auth", "shown"), [("bearer", "authorization"), ("x-api-key", "x-goog-api-key")])
def test_a_key_of_vertex_may_be_shown_itself(auth, shown):
    quirks = replace(CHANNEL_TYPES["vertex"].quirks, auth=auth)
    assert "k1" in codec("gemini").call(Operation.GENERATE, "m", "k1", False, quirks).headers[shown]
