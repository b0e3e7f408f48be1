"""What a Chat client is sent, event by event and whole."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from axonhub_cli.llm.content import (
    CustomTool,
    FunctionTool,
    ImagePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolKind,
)
from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, ResponseEnd, ResponseStart, StreamError, StreamEvent
from axonhub_cli.llm.fold import unfold
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import FinishKind, FinishReason, Response, Usage
from axonhub_cli.protocols.openai_chat import CODEC
from tests.protocols.openai_chat.support import decode, failure

USAGE = Usage(10, 4, None, 6, 2)
PLAIN = Request("m")
LEGACY = Request("m", extras={"openai_chat": {"functions": [{"name": "run"}]}})


def frames(events: list[StreamEvent], request: Request = PLAIN) -> list[Any]:
    text = CODEC.stream_encoder(request, "resp_1", 9).encode(events).decode()
    assert text.endswith("\n\n")
    data = [frame.removeprefix("data: ") for frame in text.removesuffix("\n\n").split("\n\n")]
    return [frame if frame == "[DONE]" else msgspec.json.decode(frame) for frame in data]


def deltas(events: list[StreamEvent], request: Request = PLAIN) -> list[dict[str, Any]]:
    chunks = [frame for frame in frames(events, request) if frame != "[DONE]" and "choices" in frame]
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def answer(*parts: Any, kind: FinishKind = FinishKind.STOP, usage: Usage | None = USAGE) -> Response:
    return Response("resp_1", "upstream-model", parts, FinishReason(kind), usage)


def test_the_shape_of_a_stream() -> None:
    asked = Request("m", extras={"openai_chat": {"stream_options": {"include_usage": True}}})
    first, text, end, usage, done = frames(list(unfold(answer(TextPart("hi")))), asked)
    assert (first["id"], first["created"], first["model"]) == ("chatcmpl-resp_1", 9, "m")
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert text["choices"] == [{"index": 0, "delta": {"content": "hi"}, "logprobs": None, "finish_reason": None}]
    assert end["choices"][0]["finish_reason"] == "stop"
    assert [frame["usage"] for frame in (first, text, end)] == [None] * 3
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 16)
    assert usage["usage"]["completion_tokens_details"]["reasoning_tokens"] == 2
    assert done == "[DONE]"


def test_usage_only_where_it_was_asked_for() -> None:
    assert all("usage" not in frame for frame in frames(list(unfold(answer(TextPart("hi")))))[:-1])


@pytest.mark.parametrize("before", [0, 1, 3])
def test_an_error_ends_the_stream_without_done(before: int) -> None:
    start = [ResponseStart("x", "m"), PartStart(0, TextPart()), PartDelta(0, "half")][:before]
    last = frames([*start, StreamError(APIError(ErrorKind.OVERLOADED, "busy", 503))])[-1]
    assert last == {"error": {"message": "busy", "type": "server_error", "param": None, "code": "server_is_overloaded"}}


def test_an_answer_that_ended_in_an_error_is_one() -> None:
    events = list(unfold(answer(TextPart("a"), kind=FinishKind.ERROR)))
    assert "error" in frames(events)[-1]
    assert failure(CODEC.encode_response, answer(kind=FinishKind.ERROR), Request("m")).error.upstream


def test_only_one_terminal_ever() -> None:
    encoder = CODEC.stream_encoder(Request("m"), "r", 1)
    encoder.encode(unfold(answer(TextPart("a"))))
    assert encoder.encode([StreamError(APIError(ErrorKind.TIMEOUT, "late"))]) == b""


def test_keepalive_is_a_comment() -> None:
    alive = CODEC.stream_encoder(Request("m"), "r", 1).keepalive()
    assert alive.startswith(b":") and alive.endswith(b"\n\n")


PATCH = "*** Begin Patch\n*** Delete File: a\n*** End Patch\n"
WRAPPED = msgspec.json.encode({"input": PATCH}).decode()
CUSTOM = Request("m", tools=(CustomTool("apply_patch"), FunctionTool("run")))


def custom_events(step: int) -> list[StreamEvent]:
    call = ToolCallPart("c", "apply_patch", WRAPPED)
    pieces = [PartDelta(0, WRAPPED[at : at + step]) for at in range(0, len(WRAPPED), step)]
    end = ResponseEnd(FinishReason(FinishKind.TOOL_CALLS))
    return [ResponseStart("x", "m"), PartStart(0, ToolCallPart("c", "apply_patch")), *pieces, PartEnd(0, call), end]


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_a_lowered_custom_tool_comes_back_as_one(step: int) -> None:
    sent = [delta["tool_calls"][0] for delta in deltas(custom_events(step), CUSTOM) if "tool_calls" in delta]
    assert (sent[0]["type"], sent[0]["id"], sent[0]["custom"]["name"]) == ("custom", "c", "apply_patch")
    assert "".join(piece["custom"]["input"] for piece in sent) == PATCH
    whole = CODEC.encode_response(answer(ToolCallPart("c", "apply_patch", WRAPPED)), CUSTOM)
    assert whole["choices"][0]["message"]["tool_calls"][0]["custom"] == {"name": "apply_patch", "input": PATCH}


def test_a_custom_call_for_a_client_that_declared_a_function_is_wrapped() -> None:
    call = ToolCallPart("c", "run", "free text", ToolKind.CUSTOM)
    sent = [delta["tool_calls"][0] for delta in deltas(list(unfold(answer(call))), CUSTOM) if "tool_calls" in delta]
    assert "".join(piece["function"]["arguments"] for piece in sent) == '{"input":"free text"}'
    whole = CODEC.encode_response(answer(call), CUSTOM)["choices"][0]["message"]["tool_calls"][0]
    assert whole["function"] == {"name": "run", "arguments": '{"input":"free text"}'}


def test_pitfall_106_flat_names_are_the_clients_own() -> None:
    request = Request("m", tools=(FunctionTool("mcp.read"),))
    call = ToolCallPart("c", CODEC.encode_request(request, _plain()).payload["tools"][0]["function"]["name"], "{}")
    assert CODEC.encode_response(answer(call), request)["choices"][0]["message"]["tool_calls"][0]["function"]["name"]


def _plain() -> Any:
    from axonhub_cli.vendors import Quirks

    return Quirks()


def test_parallel_calls_count_from_zero() -> None:
    parts = (TextPart("t"), ToolCallPart("a", "run", "{}"), ToolCallPart("b", "run", '{"x":1}'))
    events = list(unfold(answer(*parts, kind=FinishKind.TOOL_CALLS)))
    indexes = [delta["tool_calls"][0]["index"] for delta in deltas(events) if "tool_calls" in delta]
    assert indexes == [0, 0, 1, 1]
    assert (
        decode(CODEC.stream_encoder(Request("m"), "r", 1).encode(events))[-1].finish_reason.kind
        is FinishKind.TOOL_CALLS
    )


def test_reasoning_the_chain_else_the_summary() -> None:
    def told(part: ReasoningPart) -> str:
        return "".join(delta.get("reasoning_content", "") for delta in deltas(list(unfold(answer(part)))))

    assert told(ReasoningPart("chain", ("s1",))) == "chain"
    assert told(ReasoningPart("", ("s1", "s2"))) == "s1\n\ns2"
    message = CODEC.encode_response(answer(ReasoningPart("", ("s1", "s2")), TextPart("a")), Request("m"))["choices"][0][
        "message"
    ]
    assert (message["reasoning_content"], message["content"]) == ("s1\n\ns2", "a")


def test_refusals_images_logprobs_and_citations() -> None:
    note: dict[str, Any] = {
        "type": "url_citation",
        "url_citation": {"url": "https://x", "title": "x", "start_index": 0, "end_index": 1},
    }
    flat = {"type": "url_citation", **note["url_citation"]}  # Responses' own wording
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    parts = (RefusalPart("no"), ImagePart("data:image/png;base64,AA=="), TextPart("a", (note, flat), (token,)))
    sent = deltas(list(unfold(answer(*parts))))
    assert {"refusal": "no"} in sent
    assert {"images": [{"index": 0, "type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]} in sent
    assert {"annotations": [note, note]} in sent
    choice = CODEC.encode_response(answer(*parts), Request("m"))["choices"][0]
    assert choice["message"]["annotations"] == [note, note]
    assert choice["logprobs"]["content"] == [token]
    chunks = frames(list(unfold(answer(*parts))))
    assert any(c != "[DONE]" and c["choices"][0]["logprobs"] == {"content": [token], "refusal": None} for c in chunks)


def test_openais_sdk_adds_up_citations_and_images_of_several_parts() -> None:
    """It takes a second list of entries without an index for a fault, and the one for JavaScript forgets the first."""
    note = {"type": "url_citation", "url": "http://x", "title": "x", "start_index": 0, "end_index": 1}
    image = ImagePart("data:image/png;base64,AA==")
    response = answer(TextPart("a", (note,)), image, TextPart("b", (note,)), image)
    state = ChatCompletionStreamState()
    for frame in frames(list(unfold(response)))[:-1]:
        state.handle_chunk(ChatCompletionChunk.model_validate(frame))
    message = state.get_final_completion().choices[0].message
    whole = CODEC.encode_response(response, PLAIN)["choices"][0]["message"]
    assert message.content == whole["content"]
    assert [note.model_dump() for note in message.annotations or ()] == whole["annotations"]
    assert [image["image_url"] for image in message.images] == [image["image_url"] for image in whole["images"]]  # type: ignore[attr-defined]


def test_legacy_clients_get_one_function_call() -> None:
    parts = (ToolCallPart("a", "run", '{"x":1}'), ToolCallPart("b", "run", "{}"))
    events = list(unfold(answer(*parts, kind=FinishKind.TOOL_CALLS)))
    sent = [delta["function_call"] for delta in deltas(events, LEGACY) if "function_call" in delta]
    assert sent[0]["name"] == "run"
    assert "".join(piece["arguments"] for piece in sent) == '{"x":1}'
    assert frames(events, LEGACY)[-2]["choices"][0]["finish_reason"] == "function_call"
    choice = CODEC.encode_response(answer(*parts, kind=FinishKind.TOOL_CALLS), LEGACY)["choices"][0]
    assert (choice["finish_reason"], choice["message"]["function_call"]["name"]) == ("function_call", "run")


def test_pitfall_6_a_call_without_arguments() -> None:
    events = list(unfold(answer(ToolCallPart("a", "run", ""))))
    sent = [delta["tool_calls"][0]["function"]["arguments"] for delta in deltas(events) if "tool_calls" in delta]
    assert "".join(sent) == "{}"


def test_unknown_usage_is_left_out() -> None:
    asked = Request("m", extras={"openai_chat": {"stream_options": {"include_usage": True}}})
    assert frames(list(unfold(answer(TextPart("a"), usage=None))), asked)[-2]["choices"] != []
    assert "usage" not in CODEC.encode_response(answer(usage=None), asked)


@pytest.mark.parametrize(
    "payload", [{}, {"choices": []}, {"error": {"message": "no"}}, {"choices": 5}, {"choices": None}]
)
def test_what_is_no_answer_fails(payload: dict[str, Any]) -> None:
    assert failure(CODEC.decode_response, payload, _plain()).error.upstream
