"""Requests that leave for Converse: botocore's own shapes and the service's rules take every client's, and goldens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from axonhub_cli.llm.content import (
    FilePart,
    FunctionTool,
    ImagePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from axonhub_cli.llm.request import ChoiceMode, Message, Reasoning, Request, ResponseFormat, Role, Sampling, ToolChoice
from axonhub_cli.protocols.base import Encoded, Operation
from axonhub_cli.protocols.bedrock_converse import CODEC
from axonhub_cli.protocols.registry import UPSTREAMS
from axonhub_cli.vendors import CHANNEL_TYPES, Quirks
from tests.fakes.bedrock import judge_converse
from tests.protocols import laws

QUIRKS = CHANNEL_TYPES["bedrock-converse"].quirks
MODELS = ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-opus-4-8-v1:0", "amazon.nova-pro-v1:0"]
PNG = "data:image/jpeg;base64,iVBORw0KGgo="
RUN = FunctionTool("run", "Runs", {"type": "object", "properties": {}}, strict=True)


def encode(*messages: Message, quirks: Quirks = QUIRKS, model: str = "meta.llama4", **fields: Any) -> Encoded:
    encoded = CODEC.encode_request(Request(model, messages, **fields), quirks)
    judge_converse(encoded.payload, model)
    return encoded


def user(*parts: Part | str) -> Message:
    return Message(Role.USER, tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


def lost(encoded: Encoded) -> set[str]:
    return {loss.field for loss in encoded.losses}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fixture", laws.REQUESTS, ids=str)
def test_every_clients_request_is_valid(fixture: laws.Fixture, model: str) -> None:
    request = replace(fixture.codec.decode_request(fixture.payload), model=model)
    encoded = CODEC.encode_request(request, QUIRKS)
    judge_converse(encoded.payload, model)


def test_every_call_has_its_result_in_the_next_message() -> None:  # pitfalls 7-9, 20, 68, 69
    calls = tuple(ToolCallPart(name, "run", "{}") for name in ("a", "b", "c"))
    results = [Message(Role.TOOL, (ToolResultPart(name, (TextPart(name),)),)) for name in ("b", "a")]
    encoded = encode(user("go"), Message(Role.ASSISTANT, calls), *results, user("and?"), tools=(RUN,))
    _, said, answered = encoded.payload["messages"]
    assert [block["toolUse"]["toolUseId"] for block in said["content"]] == ["a", "b", "c"]
    inner = [block["toolResult"]["content"][0]["text"] for block in answered["content"][:3]]
    assert inner == ["a", "b", "[no result: the call was interrupted]"]
    assert answered["content"][2]["toolResult"]["status"] == "error"
    assert answered["content"][3] == {"text": "and?"}
    assert "messages.tool_call" in lost(encoded)


def test_calls_nobody_declares_are_declared_bare() -> None:  # pitfall 105
    encoded = encode(user("go"), Message(Role.ASSISTANT, (ToolCallPart("a", "run", "{}"),)), user("x"))
    assert [tool["toolSpec"]["name"] for tool in encoded.payload["toolConfig"]["tools"]] == ["run"]


def test_an_image_goes_by_its_first_bytes_and_an_address_not_at_all() -> None:  # pitfall 78
    encoded = encode(user("look", ImagePart(PNG), ImagePart("https://x/y.png")))
    _, image, note = encoded.payload["messages"][0]["content"]
    assert image == {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}
    assert "https://x/y.png" in note["text"] and "messages.image" in lost(encoded)


def test_documents_have_names_of_their_own_and_words_beside_them() -> None:
    file = FilePart("data:application/pdf;base64,JVBERi0=", filename="a_b/c.pdf")
    content = encode(user(file, file)).payload["messages"][0]["content"]
    assert [block["document"]["name"] for block in content[:2]] == ["a b c 1", "a b c 2"]
    assert content[2] == {"text": "See the document."}


def test_a_turn_does_not_end_with_reasoning() -> None:  # pitfall 126
    thought = ReasoningPart("t", opaque={"bedrock_converse": {"signature": "s"}})
    encoded = encode(user("x"), Message(Role.ASSISTANT, (thought,)), user("y"))
    assert [message["role"] for message in encoded.payload["messages"]] == ["user"]


def test_only_signed_reasoning_goes_back() -> None:  # pitfall 63
    own = {"bedrock_converse": {"signature": "s"}}
    hidden = {"bedrock_converse": {"redacted": "c2VjcmV0"}}
    parts = (
        ReasoningPart("t", opaque=own),
        ReasoningPart(opaque=hidden),
        ReasoningPart("bare"),
        ReasoningPart("x", opaque={"anthropic_messages": {"signature": "y"}}),
        TextPart("said"),
    )
    encoded = encode(user("go"), Message(Role.ASSISTANT, parts), user("on"))
    assert encoded.payload["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": "c2VjcmV0"}},
        {"text": "said"},
    ]
    assert {"messages.reasoning", "messages.reasoning.state"} <= lost(encoded)


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice(ChoiceMode.AUTO), {"auto": {}}),
        (ToolChoice(ChoiceMode.REQUIRED), {"any": {}}),
        (ToolChoice(ChoiceMode.TOOL, ((None, "run"),)), {"tool": {"name": "run"}}),
        (ToolChoice(ChoiceMode.ALLOWED, ((None, "run"),), required=True), {"any": {}}),
        (ToolChoice(ChoiceMode.ALLOWED, ((None, "run"),)), {"auto": {}}),
        (ToolChoice(ChoiceMode.NONE), None),
    ],
)
def test_tool_choice(choice: ToolChoice, written: Any) -> None:
    encoded = encode(user("go"), tools=(RUN,), tool_choice=choice)
    assert encoded.payload["toolConfig"].get("toolChoice") == written
    assert ("tool_choice" in lost(encoded)) == (choice.mode is ChoiceMode.NONE)
    bent = replace(QUIRKS, forced_tool_choice=False)
    forced = encode(user("go"), tools=(RUN,), tool_choice=choice, quirks=bent).payload["toolConfig"]
    assert forced.get("toolChoice") in ({"auto": {}}, None)


SONNET, OPUS, NOVA = MODELS
ENABLED = {"thinking": {"type": "enabled", "budget_tokens": 8192}}


@pytest.mark.parametrize(
    ("model", "reasoning", "written"),
    [
        (SONNET, Reasoning("medium"), ENABLED),
        (SONNET, Reasoning(budget=8192), ENABLED),
        (SONNET, Reasoning("none"), {"thinking": {"type": "disabled"}}),
        (OPUS, Reasoning("minimal"), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (OPUS, Reasoning(budget=9000), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (OPUS, Reasoning("none"), {"thinking": {"type": "disabled"}}),
        (NOVA, Reasoning("high"), None),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", Reasoning("high"), None),
        ("anthropic.claude-mythos-5", Reasoning("none"), None),
    ],
)
def test_thinking_in_each_generations_words(model: str, reasoning: Reasoning, written: Any) -> None:  # pitfall 16
    sampling = Sampling(temperature=0.5, top_p=0.9)
    encoded = encode(user("go"), model=model, reasoning=reasoning, sampling=sampling)
    assert encoded.payload.get("additionalModelRequestFields") == written
    if written is None:
        assert "reasoning.effort" in lost(encoded)
    if written and written["thinking"]["type"] != "disabled":  # pitfall 73
        assert "inferenceConfig" not in encoded.payload
        assert {"temperature", "top_p"} <= lost(encoded)


def test_thinking_is_off_for_answers_to_unsigned_calls() -> None:  # pitfall 66
    loop = (Message(Role.ASSISTANT, (ToolCallPart("a", "run", "{}"),)), Message(Role.TOOL, (ToolResultPart("a"),)))
    encoded = encode(user("go"), *loop, model=SONNET, tools=(RUN,), reasoning=Reasoning("high"))
    assert "additionalModelRequestFields" not in encoded.payload and "reasoning.effort" in lost(encoded)


def test_cache_points_only_where_the_model_takes_them() -> None:  # pitfall 77
    messages = (Message(Role.SYSTEM, (TextPart("s"),)), user("a"), Message(Role.ASSISTANT, (TextPart("b"),)), user("c"))
    for model, count in ((SONNET, 4), (NOVA, 4), ("meta.llama4", 0)):
        assert json.dumps(encode(*messages, model=model, tools=(RUN,)).payload).count("cachePoint") == count
    bare = encode(*messages, model=SONNET, quirks=replace(QUIRKS, cache_control=False))
    assert "cachePoint" not in json.dumps(bare.payload)


def test_a_schema_where_the_upstream_checks_it_else_in_words() -> None:
    form = ResponseFormat("json_schema", "answer", {"type": "object"}, True)
    told = encode(user("go"), format=form)
    assert "JSON schema" in told.payload["system"][0]["text"] and "format" in lost(told)
    checked = encode(user("go"), format=form, quirks=replace(QUIRKS, response_format="json_schema"))
    inner = checked.payload["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert inner == {"schema": '{"type":"object"}', "name": "answer"}


@pytest.mark.parametrize(
    ("model", "stream", "path"),
    [
        ("us.amazon.nova-pro-v1:0", True, "/model/us.amazon.nova-pro-v1:0/converse-stream"),
        ("arn:aws:bedrock:r:1:x/y", False, "/model/arn:aws:bedrock:r:1:x%2Fy/converse"),
    ],
)
def test_where_it_is_asked(model: str, stream: bool, path: str) -> None:
    call = CODEC.call(Operation.GENERATE, model, "k", stream, QUIRKS)
    assert call.path == path and "authorization" not in call.headers
    bearer = CODEC.call(Operation.GENERATE, model, "k", stream, replace(QUIRKS, auth="bearer"))
    assert bearer.headers["authorization"] == "Bearer k"


def test_what_it_has_no_path_for() -> None:
    for operation in (Operation.MODELS, Operation.COUNT_TOKENS):
        with pytest.raises(Exception, match="Bedrock's runtime does not"):
            CODEC.call(operation, "m", "k", False, QUIRKS)
    assert UPSTREAMS["bedrock_converse"] is CODEC
