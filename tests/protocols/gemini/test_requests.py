"""Requests of Gemini clients, and settings and tools on their way to a Gemini upstream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types

from axonhub_cli.llm.content import (
    CustomTool,
    FilePart,
    FunctionTool,
    HostedTool,
    OpaquePart,
    ReasoningPart,
    SearchTool,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from axonhub_cli.llm.errors import ErrorKind, Failure
from axonhub_cli.llm.request import ChoiceMode, Reasoning, Request, ResponseFormat, ToolChoice
from axonhub_cli.protocols.base import Operation
from axonhub_cli.protocols.gemini import CODEC, count
from axonhub_cli.protocols.gemini.signatures import SENTINEL
from axonhub_cli.vendors import Quirks
from tests.protocols.gemini.helpers import FIXTURES, encode, lost, user, validate
from tests.protocols.laws import NATIVE

GO = {"contents": "go"}
RUN = FunctionTool("run", "Runs.", {"type": "object", "properties": {"x": {"type": "string"}}})


def test_what_only_gemini_knows_comes_back() -> None:
    payload = json.loads((FIXTURES / "native" / "everything.request.json").read_text())
    request = CODEC.decode_request(payload)
    encoded = CODEC.encode_request(request, NATIVE)
    assert CODEC.decode_request(encoded.payload) == request and lost(encoded) == {"messages.name"}
    assert encoded.payload == {**payload, "generationConfig": encoded.payload["generationConfig"]}
    config = dict(payload["generationConfig"])
    assert encoded.payload["generationConfig"] == config
    validate(encoded.payload)


def test_the_model_is_in_the_path() -> None:  # pitfall 100
    request = CODEC.decode_request({**GO, "model": "models/gemini-3-pro", "stream": True})
    assert request.model == "gemini-3-pro" and request.stream and request.extras == {}
    assert CODEC.encode_request(request, Quirks()).payload.keys() == {"contents"}


def test_ids_and_pairs() -> None:  # pitfall 91
    call, other = ({"functionCall": {"name": name, "args": {}}} for name in ("read", "write"))
    answers = [
        {"functionResponse": {"name": name, "response": {"output": text}}}
        for name, text in (("write", "W"), ("read", "1"), ("read", "2"))
    ]
    contents = [{"role": "model", "parts": [call, other, call]}, {"role": "user", "parts": answers}]
    first, *results = CODEC.decode_request({"contents": contents}).messages
    ids = [part.call_id for part in first.parts if isinstance(part, ToolCallPart)]
    assert len(set(ids)) == 3
    found = [part for message in results for part in message.parts if isinstance(part, ToolResultPart)]
    assert [part.call_id for part in found] == [ids[1], ids[0], ids[2]]


def test_the_sentinel_is_no_state() -> None:  # pitfall 89
    part = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": SENTINEL}
    (message,) = CODEC.decode_request({"contents": [{"role": "model", "parts": [part]}]}).messages
    assert message.parts == (ToolCallPart("call_0", "f", "{}"),)


def test_files() -> None:  # pitfalls 11, 27
    parts = [
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://e.com/a.pdf"}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/x"}},
        {"inlineData": {"mimeType": "text/csv", "data": "YQ==", "displayName": "a.csv"}},
    ]
    (message,) = CODEC.decode_request({"contents": [{"parts": parts}]}).messages
    assert message.parts[0] == FilePart(url="https://e.com/a.pdf") and isinstance(message.parts[1], OpaquePart)
    assert message.parts[2] == FilePart("data:text/csv;base64,YQ==", filename="a.csv")
    encoded = encode(message)
    assert encoded.payload["contents"][0]["parts"][:2] == parts[:2] and lost(encoded) == {"messages.file.filename"}


@pytest.mark.parametrize(
    ("payload", "param"),
    [
        ({}, "contents"),
        ({"contents": [3]}, "contents[0]"),
        ({"contents": [{"role": "robot", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"parts": [{"text": 3}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"functionCall": {"args": {}}}]}]}, "contents[0].parts[0].functionCall.name"),
        ({**GO, "generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
        ({**GO, "toolConfig": {"functionCallingConfig": {"mode": "X"}}}, "toolConfig.functionCallingConfig.mode"),
        ({**GO, "tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
    ],
)
def test_refusals_name_the_field(payload: dict[str, Any], param: str) -> None:
    with pytest.raises(Failure) as caught:
        CODEC.decode_request(payload)
    assert caught.value.error.status == 400 and caught.value.error.param == param


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        ("gemini-3-pro", Reasoning("high"), {"thinkingLevel": "HIGH"}),
        ("gemini-3-pro", Reasoning("ultra", summary="auto"), {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-3-flash-preview", Reasoning("none"), {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-flash-preview", Reasoning("medium"), {"thinkingLevel": "MEDIUM"}),
        ("gemini-3-pro", Reasoning("none"), {"thinkingLevel": "LOW"}),
        ("models/gemini-3-pro-preview", Reasoning("medium"), {"thinkingLevel": "HIGH"}),
        ("gemini-3.1-pro-preview", Reasoning("minimal"), {"thinkingLevel": "LOW"}),
        ("gemini-3.1-pro-preview", Reasoning("medium"), {"thinkingLevel": "MEDIUM"}),
        ("gemini-3.5-flash", Reasoning("minimal"), {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.8-flash", Reasoning("minimal"), {"thinkingLevel": "LOW"}),
        ("gemini-3.8-flash-lite", Reasoning("minimal"), {"thinkingLevel": "MINIMAL"}),
        ("gemma-4-31b-it", Reasoning("low"), {"thinkingLevel": "HIGH"}),
        ("gemini-3-pro", Reasoning(budget=999), {"thinkingBudget": 999}),
        ("gemini-2.5-flash", Reasoning("medium"), {"thinkingBudget": 8192}),
        ("gemini-2.5-flash", Reasoning("none"), {"thinkingBudget": 0}),
        ("gemini-2.5-pro", Reasoning("none"), {"thinkingBudget": 128}),
        ("gemini-2.5-pro", Reasoning(budget=63_999), {"thinkingBudget": 32_768}),
        ("gemini-2.5-flash", Reasoning(budget=31_999), {"thinkingBudget": 24_576}),
        ("gemini-2.5-flash-lite", Reasoning(budget=100), {"thinkingBudget": 512}),
        ("gemini-2.5-flash-lite", Reasoning(budget=-1), {"thinkingBudget": -1}),
        ("gemini-2.5-flash", Reasoning("odd"), None),
    ],
)
def test_effort(model: str, asked: Reasoning, sent: Any) -> None:  # pitfalls 16, 17
    encoded = encode(user("a"), model=model, reasoning=asked)
    assert encoded.payload.get("generationConfig", {}).get("thinkingConfig") == sent
    few = encode(user("a"), reasoning=Reasoning("minimal"), quirks=Quirks(efforts=("low", "high")))
    assert few.payload["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "LOW"}
    none = encode(user("a"), reasoning=Reasoning("low"), quirks=Quirks(thinking_config="none"))
    assert "generationConfig" not in none.payload and lost(none) == {"reasoning"}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (ToolChoice(ChoiceMode.AUTO), {"mode": "AUTO"}),
        (ToolChoice(ChoiceMode.NONE), {"mode": "NONE"}),
        (ToolChoice(ChoiceMode.REQUIRED), {"mode": "ANY"}),
        (ToolChoice(ChoiceMode.TOOL, (("ns", "a.b"),)), {"mode": "ANY", "allowedFunctionNames": ["ns__a_b_5d8e6e39"]}),
        (ToolChoice(ChoiceMode.ALLOWED, ((None, "run"),)), {"mode": "VALIDATED", "allowedFunctionNames": ["run"]}),
    ],
)
def test_tool_choice(choice: ToolChoice, sent: dict[str, Any]) -> None:  # pitfalls 3, 19, 96
    tools = (RUN, FunctionTool("a.b", namespace="ns"))
    payload = encode(user("a"), tools=tools, tool_choice=choice).payload
    named = [function["name"] for function in payload["tools"][0]["functionDeclarations"]]
    if "allowedFunctionNames" in sent:
        sent = {**sent, "allowedFunctionNames": [named[1] if choice.mode is ChoiceMode.TOOL else "run"]}
    assert payload["toolConfig"] == {"functionCallingConfig": sent}
    assert "toolConfig" not in encode(user("a"), tool_choice=choice).payload


def test_tools_of_other_kinds() -> None:  # pitfalls 21, 103, 108, 110
    search = HostedTool("openai_responses", "web_search", {"type": "web_search", "filters": {"a": 1}})
    tools = (RUN, RUN, CustomTool("apply_patch", "Patches."), SearchTool("Finds."), search)
    encoded = encode(user("a"), tools=tools, quirks=Quirks(hosted_tools=("web_search",), mixed_tools=True))
    functions, hosted = encoded.payload["tools"]
    assert [tool["name"] for tool in functions["functionDeclarations"]] == ["run", "apply_patch", "tool_search"]
    assert hosted == {"googleSearch": {}} and "tools.web_search.filters" in lost(encoded)
    assert len(encode(user("a"), tools=tools, quirks=Quirks(hosted_tools=("web_search",))).payload["tools"]) == 1
    assert "tools.web_search" in lost(encode(user("a"), tools=(search,)))


def test_formats() -> None:  # pitfalls 15, 96
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": 2}}, "additionalProperties": False}
    form = ResponseFormat("json_schema", "name", schema, True)
    encoded = encode(user("a"), format=form)
    config = encoded.payload["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseJsonSchema"] == {**schema, "properties": {"a": {"type": "string"}}}
    assert {"format.name", "format.strict", "format.schema"} <= lost(encoded)
    old = encode(user("a"), format=form, tools=(RUN,), model="gemini-2.5-flash")
    assert "generationConfig" not in old.payload
    assert "minLength" in old.payload["systemInstruction"]["parts"][-1]["text"]


@pytest.mark.parametrize(
    ("operation", "stream", "path"),
    [
        (Operation.GENERATE, True, "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse"),
        (Operation.GENERATE, False, "/v1beta/models/gemini-3-pro:generateContent"),
        (Operation.COMPACT, False, "/v1beta/models/gemini-3-pro:generateContent"),
        (Operation.COUNT_TOKENS, False, "/v1beta/models/gemini-3-pro:countTokens"),
    ],
)
def test_calls(operation: Operation, stream: bool, path: str) -> None:  # pitfall 100
    call = CODEC.call(operation, "gemini-3-pro", "secret", stream, Quirks())
    assert call.path == path and call.headers["x-goog-api-key"] == "secret"
    assert CODEC.call(operation, "tunedModels/a?b", "", stream, Quirks()).path.startswith("/v1beta/tunedModels/a%3Fb:")


def test_counting() -> None:  # pitfall 101
    inner = {"model": "models/m", "contents": [{"parts": [{"text": "Hello there"}]}]}
    request = CODEC.decode_request({"model": "m", "generateContentRequest": inner})
    assert request.model == "m" and request.messages == (user("Hello there"),)
    answer = count.encode_count(3)
    types.CountTokensResponse.model_validate_json(json.dumps(answer))
    assert count.decode_count(answer) == 3
    with pytest.raises(Failure):
        count.decode_count({"totalTokens": "many"})


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_errors_both_ways(kind: ErrorKind) -> None:
    from axonhub_cli.llm.errors import APIError
    from axonhub_cli.protocols.failures import STATUS_OF_KIND

    status, body = CODEC.encode_error(APIError(kind, "Words.", STATUS_OF_KIND[kind], retry_after=500))
    assert body["error"]["code"] == status and body["error"]["message"] == "Words."
    again = CODEC.decode_error(status, {}, json.dumps(body).encode())
    # A 499 is our word for a client that hung up; from an upstream it is a failure as any other.
    others = ({ErrorKind.BAD_GATEWAY, ErrorKind.OVERLOADED}, {ErrorKind.CANCELED, ErrorKind.SERVER_ERROR})
    assert again.kind is kind or {again.kind, kind} in others
    assert again.retry_after == (None if kind is ErrorKind.QUOTA else 60)


def test_a_quota_of_the_day() -> None:  # pitfall 140
    detail = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}
    error = {"code": 429, "message": "You exceeded your quota.", "status": "RESOURCE_EXHAUSTED", "details": [detail]}
    assert CODEC.decode_error(429, {}, json.dumps({"error": error}).encode()).kind is ErrorKind.QUOTA


def test_thoughts_with_our_token_are_one_part() -> None:
    from axonhub_cli.protocols.gemini.signatures import wrap_tokens

    parts = [
        {"text": "T", "thought": True},
        {"text": "He", "thoughtSignature": wrap_tokens(["axh1.a"])},
        {"text": "llo"},
    ]
    request: Request = CODEC.decode_request({"contents": [{"role": "model", "parts": parts}]})
    assert request.messages[0].parts == (ReasoningPart(summary=("T",), sealed="axh1.a"), TextPart("Hello"))
