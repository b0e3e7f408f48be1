"""Answers on their way to a Gemini client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types

from axonhub_cli.llm.content import CustomTool, FunctionTool, ReasoningPart, TextPart, ToolCallPart
from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.llm.events import ResponseStart, StreamError
from axonhub_cli.llm.fold import unfold
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import FinishKind, FinishReason, Response, Usage
from axonhub_cli.protocols.gemini import CODEC
from axonhub_cli.protocols.gemini.signatures import tokens_in, wrap_tokens
from axonhub_cli.protocols.opaque import Seal, seal_part, unseal_request
from axonhub_cli.protocols.registry import codec
from axonhub_cli.protocols.sealing import sealed_parts
from axonhub_cli.vendors import Quirks
from tests.protocols.gemini.helpers import cli_accepts, read
from tests.protocols.laws import STREAMS, Fixture, translation

ASKED = Request("gemini-asked", tools=(FunctionTool("run"), CustomTool("apply_patch")), stream=True)


def said(*parts: Any, kind: FinishKind = FinishKind.STOP, request: Request = ASKED) -> bytes:
    response = Response("up1", "other", parts, FinishReason(kind), Usage(10, 4, None, 6, 2))
    return CODEC.stream_encoder(request, "id1", 1).encode(unfold(response))


@pytest.mark.parametrize("stream", STREAMS, ids=str)
def test_gemini_cli_takes_every_stream(stream: Fixture) -> None:  # pitfall 99
    relay = translation(CODEC, stream.codec, stream.request())
    pieces = read(relay.feed(stream.data) + relay.close())
    assert cli_accepts(pieces)
    assert [piece for piece in pieces if "finishReason" in piece["candidates"][0]] == pieces[-1:]


@pytest.mark.parametrize("kind", [FinishKind.STOP, FinishKind.LENGTH, FinishKind.CONTENT_FILTER])
@pytest.mark.parametrize("parts", [(), (ReasoningPart("hm"),), (TextPart(""),), (TextPart(" "),)])
def test_empty_answers_say_so(kind: FinishKind, parts: Any) -> None:  # pitfalls 99, 150
    assert cli_accepts(read(said(*parts, kind=kind)))
    whole = CODEC.encode_response(Response("a", "m", parts, FinishReason(kind)), ASKED)
    types.GenerateContentResponse.model_validate_json(json.dumps(whole))
    assert cli_accepts([whole])


def test_usage_and_names() -> None:  # pitfalls 98, 55
    last = read(said(TextPart("a")))[-1]
    assert last["modelVersion"] == "gemini-asked" and last["responseId"] == "up1"
    assert last["usageMetadata"] == {
        "promptTokenCount": 10,
        "candidatesTokenCount": 4,
        "thoughtsTokenCount": 2,
        "cachedContentTokenCount": 4,
        "totalTokenCount": 16,
    }


def test_calls_leave_whole() -> None:  # pitfalls 91, 102, 103
    pieces = read(said(ToolCallPart("c1", "run", '{"a":[1]}'), ToolCallPart("c2", "apply_patch", '{"input":"x"}')))
    parts = [part for piece in pieces[:-1] for part in piece["candidates"][0]["content"]["parts"]]
    assert [part["functionCall"] for part in parts] == [
        {"id": "c1", "name": "run", "args": {"a": [1]}},
        {"id": "c2", "name": "apply_patch", "args": {"input": "x"}},
    ]


def test_errors_end_a_stream() -> None:  # reliability F14, 5.3
    error = APIError(ErrorKind.RATE_LIMIT, "Slow", 429, retry_after=0.2)
    out = CODEC.stream_encoder(ASKED, "id", 1).encode([ResponseStart("a", "m"), StreamError(error)])
    assert out.endswith(b"\n\ndata: ")  # a line that never ends, which Gemini CLI asks again after
    (piece,) = read(out)
    assert piece["error"]["status"] == "RESOURCE_EXHAUSTED" and piece["error"]["details"][-1]["retryDelay"] == "1s"


def test_an_array_for_those_who_did_not_ask_for_events() -> None:
    asked = CODEC.decode_request({"model": "m", "stream": True, "alt": "json", "contents": "hi"})
    parts = (ReasoningPart("hm"), TextPart("a"), ToolCallPart("c", "run", "{}"))
    pieces = json.loads(said(*parts, request=asked))
    assert cli_accepts(pieces) and len(pieces) == 4
    failed = CODEC.stream_encoder(asked, "id", 1).encode([StreamError(APIError(ErrorKind.TIMEOUT, "Late", 504))])
    assert json.loads(failed)[0]["error"]["status"] == "DEADLINE_EXCEEDED"
    assert CODEC.stream_encoder(asked, "id", 1).keepalive().isspace()


def test_tokens_survive_either_alphabet() -> None:
    signature = wrap_tokens(["axh1.a-b_c", "axh1.zz"])
    for form in (signature, signature.replace("+", "-").replace("/", "_").rstrip("=")):
        assert tokens_in(form) == ["axh1.a-b_c", "axh1.zz"]
    assert tokens_in("YXhoMS!") == tokens_in("QUJD") == []


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("thoughts_kept", [True, False])
def test_state_of_another_vendor_comes_back(streamed: bool, thoughts_kept: bool) -> None:  # pitfalls 63, 64, 117, 119
    """Gemini CLI drops thoughts and keeps calls; SDKs keep everything."""
    seal, origin = Seal(b"s" * 32), "openai_chat/ch_1"
    state = {"openai_chat": {"extra_content": {"k": 1}}}
    parts = (ReasoningPart("the raw chain"), ToolCallPart("c1", "run", "{}", opaque=state))
    sealed = sealed_parts(parts, lambda part: seal_part(part, seal, origin))
    response = Response("a", "m", sealed, FinishReason(FinishKind.TOOL_CALLS))
    pieces = (
        read(CODEC.stream_encoder(ASKED, "id", 1).encode(unfold(response)))
        if streamed
        else [CODEC.encode_response(response, ASKED)]
    )
    found = [part for piece in pieces for part in piece["candidates"][0].get("content", {"parts": []})["parts"]]
    kept = [part for part in found if thoughts_kept or not part.get("thought")]
    answers = [{"functionResponse": {"id": "c1", "name": "run", "response": {"output": "ok"}}}]
    history = [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": kept},
        {"role": "user", "parts": answers},
    ]
    request, losses = unseal_request(CODEC.decode_request({"contents": history}), seal, origin, "openai_chat")
    assert losses == ()
    quirks = Quirks(reasoning_echo="always")
    written = codec("openai_chat").encode_request(request, quirks).payload["messages"][1]
    assert written["reasoning_content"] == "the raw chain"
    assert written["tool_calls"][0]["extra_content"] == {"k": 1}
    other, losses = unseal_request(CODEC.decode_request({"contents": history}), seal, "gemini/ch_2", "gemini")
    assert losses and "axh1" not in json.dumps(CODEC.encode_request(other, Quirks()).payload)
