"""What an Anthropic client reads: the SDK's own types and accumulator take every answer, and every path ends once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from axonhub_cli.llm.content import (
    CustomTool,
    ImagePart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolKind,
)
from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, ResponseEnd, ResponseStart, StreamError, StreamEvent
from axonhub_cli.llm.fold import unfold
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import FinishKind, FinishReason, Response, Usage
from axonhub_cli.protocols.anthropic_messages import CODEC
from axonhub_cli.protocols.registry import codec
from tests.protocols.anthropic_messages.helpers import FIXTURES, NAME, NATIVE, RUN, TESTS, decode, told, user

EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
ASKED = Request("asked-for", (user("Say something"),), tools=(RUN, CustomTool("apply_patch")))
FAILED = StreamError(APIError(ErrorKind.OVERLOADED, "busy", 529, upstream=True))
STARTED = ResponseStart("id1", "m")
THOUGHT = (
    PartStart(0, ReasoningPart()),
    PartDelta(0, "hm"),
    PartEnd(0, ReasoningPart("hm", sealed="axh1.seal")),
)


def write(*events: StreamEvent, request: Request = ASKED) -> list[dict[str, Any]]:
    """The events, each checked against the SDK's types."""
    found = list(told(CODEC.stream_encoder(request, "resp1", 1).encode(events)))
    for event in found:
        if event["type"] != "error":
            EVENT.validate_python(event)
    return found


def accumulated(events: list[dict[str, Any]]) -> Message:
    """The message as the SDK puts it together."""
    snapshot, buffers = None, {}  # type: ignore[var-annotated]
    for event in events:
        if event["type"] != "ping":
            snapshot = accumulate_event(
                event=EVENT.validate_python(event), current_snapshot=snapshot, json_bufs=buffers
            )
    assert snapshot is not None
    return snapshot


def whole(*parts: Any, finish: FinishKind = FinishKind.STOP) -> list[StreamEvent]:
    return list(unfold(Response("id1", "m", parts, FinishReason(finish), Usage(10, 4, None, 5, 2))))


STREAMS = [
    path for name in ("openai_chat", "openai_responses") for path in sorted((TESTS / "fixtures" / name).glob("*.sse"))
]


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_other_vendors_streams(path: Path) -> None:
    upstream = codec(path.parent.name).stream_decoder(NATIVE)
    events = upstream.feed(path.read_bytes()) + upstream.close()
    accumulated(write(*events))


def test_the_sdk_puts_together_what_a_whole_answer_says() -> None:
    for path in FIXTURES.glob("*.stream.sse"):
        events = decode(path.read_bytes())
        message = accumulated(write(*events))
        body = json.loads(path.with_name(path.name.replace(".stream.sse", ".response.json")).read_text())
        assert [block.model_dump(exclude_none=True) for block in message.content] == body["content"]
        assert message.stop_reason == body["stop_reason"]
        assert message.usage.input_tokens == body["usage"]["input_tokens"]
        Message.model_validate(CODEC.encode_response(CODEC.decode_response(body, NATIVE), ASKED))


def test_pitfall_81_input_is_known_from_the_start() -> None:
    found = write(*whole(TextPart("hi")))
    usage = found[0]["message"]["usage"]
    assert usage["input_tokens"] > 0 and usage["output_tokens"] == 1
    assert found[-2]["usage"] == {
        "input_tokens": 6,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 0,
        "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 2},
    }
    guessed = write(STARTED, *whole(TextPart("some words"))[1:4], ResponseEnd(FinishReason(FinishKind.STOP)))
    assert guessed[-2]["usage"]["output_tokens"] > 0 and guessed[-2]["usage"]["input_tokens"] == usage["input_tokens"]


def test_the_name_the_client_asked_for() -> None:
    assert write(*whole(TextPart("hi")))[0]["message"]["model"] == "asked-for"
    assert write(*whole(TextPart("hi")))[0]["message"]["id"] == "msg_id1"


@pytest.mark.parametrize("after", [(), (PartStart(1, TextPart()),)])
def test_pitfall_86_a_failure_leaves_the_thinking_open(after: tuple[StreamEvent, ...]) -> None:
    found = write(STARTED, *THOUGHT, *after, FAILED)
    assert [event["type"] for event in found[-2:]] == ["content_block_delta", "error"]
    assert found[-2]["delta"] == {"type": "signature_delta", "signature": "axh1.seal"}
    assert found[-1]["error"] == {"type": "overloaded_error", "message": "busy"}


def test_pitfall_86_else_it_is_closed_by_what_follows() -> None:
    text = (PartStart(1, TextPart()), PartDelta(1, "yes"), PartEnd(1, TextPart("yes")))
    found = write(STARTED, *THOUGHT, *text, ResponseEnd(FinishReason(FinishKind.STOP)))
    assert [(event["type"], event.get("index")) for event in found[3:7]] == [
        ("content_block_delta", 0),
        ("content_block_stop", 0),
        ("content_block_start", 1),
        ("content_block_delta", 1),
    ]
    alone = write(STARTED, *THOUGHT, ResponseEnd(FinishReason(FinishKind.STOP)))
    assert [event["type"] for event in alone[-3:]] == ["content_block_stop", "message_delta", "message_stop"]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            ReasoningPart("raw", opaque={NAME: {"signature": "S"}}, sealed="axh1.x"),
            {"thinking": "raw", "signature": "S"},
        ),
        (ReasoningPart("raw", sealed="axh1.x"), {"thinking": "raw", "signature": "axh1.x"}),
        (ReasoningPart(summary=("one", "two"), sealed="axh1.x"), {"thinking": "one\n\ntwo", "signature": "axh1.x"}),
        (ReasoningPart(sealed="axh1.x"), {"thinking": "", "signature": "axh1.x"}),
        (ReasoningPart("bare"), {"thinking": "bare", "signature": ""}),
        (ReasoningPart(opaque={NAME: {"data": "D"}}), {"data": "D"}),
    ],
)
def test_pitfalls_63_85_reasoning_is_one_block_with_its_state(part: ReasoningPart, block: dict[str, str]) -> None:
    message = accumulated(write(*whole(part, TextPart("x"))))
    assert len(message.content) == 2
    kind = "redacted_thinking" if "data" in block else "thinking"
    assert message.content[0].model_dump(exclude_none=True) == {"type": kind, **block}
    answer = CODEC.encode_response(Response("i", "m", (part, TextPart("x"))), ASKED)
    assert answer["content"][0] == {"type": kind, **block}


def test_reasoning_without_anything_is_no_block() -> None:
    assert len(accumulated(write(*whole(ReasoningPart(), TextPart("x")))).content) == 1


SIGNED = ReasoningPart(sealed="axh1.x")


@pytest.mark.parametrize(
    ("parts", "kinds"),
    [
        ((TextPart("hi"), SIGNED), ["text"]),
        ((TextPart("hi"), SIGNED, SIGNED), ["text"]),
        ((SIGNED, TextPart("hi")), ["thinking", "text"]),
        ((TextPart("hi"), SIGNED, TextPart("there")), ["text", "thinking", "text"]),
        ((TextPart("hi"), SIGNED, ToolCallPart("c", "run", "{}")), ["text", "thinking", "tool_use"]),
        ((TextPart("hi"), ReasoningPart("so", sealed="axh1.x")), ["text", "thinking"]),
        ((SIGNED,), ["thinking"]),
    ],
)
def test_an_answer_does_not_end_with_thinking_that_says_nothing(parts: tuple[Part, ...], kinds: list[str]) -> None:
    """Claude Code takes the last block for the answer, and found none where Gemini had signed its text."""
    message = accumulated(write(*whole(*parts)))
    assert [block.type for block in message.content] == kinds
    assert all(block.signature == "axh1.x" for block in message.content if block.type == "thinking")
    response = Response("m", "m", parts, FinishReason(FinishKind.STOP), Usage(input=1, output=1))
    assert [block["type"] for block in CODEC.encode_response(response, ASKED)["content"]] == kinds


def test_calls_under_the_clients_names() -> None:  # pitfalls 39, 103
    calls = (
        ToolCallPart("", "run", '{"a":1}'),
        ToolCallPart("c2", "apply_patch", "*** Begin Patch", ToolKind.CUSTOM),
        ToolCallPart("c3", "elsewhere", ""),
    )
    message = accumulated(write(*whole(*calls, finish=FinishKind.TOOL_CALLS)))
    found = [(block.name, block.input) for block in message.content]  # type: ignore[union-attr]
    assert found == [("run", {"a": 1}), ("apply_patch", {"input": "*** Begin Patch"}), ("elsewhere", {})]
    assert all(block.id for block in message.content) and message.stop_reason == "tool_use"  # type: ignore[union-attr]
    answer = CODEC.encode_response(Response("i", "m", calls), ASKED)
    assert [(block["name"], block["input"]) for block in answer["content"]] == found


def test_pitfall_47_whole_calls_are_mended() -> None:
    tool = msgspec.structs.replace(RUN, parameters={"type": "object", "properties": {"n": {"type": "integer"}}})
    answer = Response("i", "m", (ToolCallPart("a", "run", '{"n":4.0}'), ToolCallPart("b", "run", "{bro")))
    first, second = CODEC.encode_response(answer, Request("m", tools=(tool,)))["content"]
    assert (
        first["input"] == {"n": 4}
        and isinstance(first["input"]["n"], int)
        and second["input"] == {"broken_json": "{bro"}
    )


def test_pitfall_47_calls_are_mended_as_they_arrive() -> None:
    tool = msgspec.structs.replace(RUN, parameters={"type": "object", "properties": {"n": {"type": "string"}}})
    call = ToolCallPart("a", "run", '{"n": 4}')
    deltas = [PartDelta(0, piece) for piece in ('{"n"', ": ", "4", "}")]
    events = [ResponseStart("i", "m"), PartStart(0, ToolCallPart("a", "run")), *deltas, PartEnd(0, call)]
    end = ResponseEnd(FinishReason(FinishKind.TOOL_CALLS))
    written = write(*events, end, request=Request("m", tools=(tool,)))
    assert accumulated(written).content[0].input == {"n": "4"}  # type: ignore[union-attr]


def test_what_has_no_block_of_its_own() -> None:
    message = accumulated(write(*whole(RefusalPart("no"), ImagePart("https://x/y.png"), TextPart(""))))
    assert [block.text for block in message.content] == ["no", "![image](https://x/y.png)"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (FinishReason(FinishKind.STOP, "stop"), "end_turn"),
        (FinishReason(FinishKind.STOP, "stop_sequence"), "stop_sequence"),
        (FinishReason(FinishKind.LENGTH, "length"), "max_tokens"),
        (FinishReason(FinishKind.LENGTH, "pause_turn"), "pause_turn"),
        (FinishReason(FinishKind.TOOL_CALLS), "tool_use"),
        (FinishReason(FinishKind.CONTENT_FILTER), "refusal"),
    ],
)
def test_pitfall_79_stop_reasons(reason: FinishReason, word: str) -> None:
    found = write(STARTED, ResponseEnd(reason))
    assert found[-2]["delta"]["stop_reason"] == word and found[-1]["type"] == "message_stop"
    assert CODEC.encode_response(Response("i", "m", (), reason), ASKED)["stop_reason"] == word


def test_a_block_without_a_type_breaks_nothing() -> None:
    part = OpaquePart("anthropic_messages", "", {"input": 1})
    data = CODEC.stream_encoder(ASKED, "r", 1).encode([STARTED, PartStart(0, part), PartEnd(0, part)])
    assert b'"input":1' in data


def test_one_terminal_whatever_happens() -> None:  # pitfalls 29, 59
    failed = ResponseEnd(FinishReason(FinishKind.ERROR, "abort"))
    assert [event["type"] for event in write(STARTED, failed, FAILED)] == ["message_start", "error"]
    encoder = CODEC.stream_encoder(ASKED, "r", 1)
    assert encoder.keepalive() == b'event: ping\ndata: {"type":"ping"}\n\n'  # pitfall 151
    encoder.encode([FAILED])
    assert encoder.encode([FAILED, STARTED]) == encoder.keepalive() == b""
    with pytest.raises(Failure):
        CODEC.encode_response(Response("i", "m", (), FinishReason(FinishKind.ERROR)), ASKED)


def test_lone_surrogates_do_not_break_the_stream() -> None:
    found = write(STARTED, PartStart(0, TextPart()), PartDelta(0, "a"), PartDelta(0, "\ud83d"))
    assert found[-1]["delta"]["text"] == "?"
