from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonhub_cli.llm.content import ReasoningPart, TextPart, ToolCallPart, ToolKind
from axonhub_cli.llm.errors import ErrorKind, Failure
from axonhub_cli.llm.events import PartDelta, ResponseEnd, StreamError, StreamEvent, check
from axonhub_cli.llm.fold import fold
from axonhub_cli.llm.response import FinishKind, Response, Usage
from axonhub_cli.protocols.openai_responses import CODEC

from .helpers import PLAIN, answer, request
from .test_encoder import EVERYTHING, TOOLS, USAGE

CREATED = {"type": "response.created", "response": {"id": "resp_1", "model": "m", "created_at": 7.0}}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1", "model": "m", "status": "completed"}}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "c1",
    "name": "f",
    "arguments": '{"a":1}',
    "status": "completed",
}
MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "hello", "annotations": []}],
}


def sse(*events: Any, names: bool = True) -> bytes:
    lines = []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        lines.append((f"event: {event['type']}\n" if names and isinstance(event, dict) else "") + f"data: {data}\n\n")
    return "".join(lines).encode()


def decode(data: bytes, step: int | None = None) -> list[StreamEvent]:
    decoder = CODEC.stream_decoder(PLAIN)
    step = step or max(len(data), 1)
    events = [event for at in range(0, len(data), step) for event in decoder.feed(data[at : at + step])]
    return list(check(events + decoder.close()))


def folded(*events: Any, names: bool = True) -> Response:
    return fold(decode(sse(*events, names=names)))


def delta(text: str, kind: str = "output_text", **at: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}.delta", "delta": text, **at}


def test_the_encoders_own_stream_comes_back() -> None:
    asked = request(tools=TOOLS)
    data = CODEC.stream_encoder(asked, "req_0a1b", 7).encode(answer(*EVERYTHING, usage=USAGE))
    parts = fold(decode(data)).parts
    assert [type(part).__name__ for part in parts[:-1]] == [type(part).__name__ for part in EVERYTHING[:-1]]
    assert parts[5] == ToolCallPart("c2", "apply_patch", parts[5].input, ToolKind.CUSTOM, None, "ctc_0a1b_5")  # type: ignore


def test_nothing_but_deltas_and_an_end() -> None:  # llama.cpp: no added, no index, no item end
    found = folded(CREATED, delta("hel"), delta("lo"), COMPLETED, names=False)
    assert found.parts == (TextPart("hello"),)
    assert (found.id, found.model, found.created) == ("resp_1", "m", 7)


def test_nothing_but_item_done() -> None:
    found = folded(CREATED, {"type": "response.output_item.done", "output_index": 0, "item": MESSAGE}, COMPLETED)
    assert found.parts == (TextPart("hello"),)
    events = decode(sse(CREATED, {"type": "response.output_item.done", "item": MESSAGE}, COMPLETED))
    assert [event.text for event in events if isinstance(event, PartDelta)] == ["hello"]


def test_nothing_but_the_completed_response() -> None:
    whole = {**COMPLETED, "response": {**COMPLETED["response"], "output": [MESSAGE, CALL]}}
    found = folded(whole)
    assert found.parts == (TextPart("hello"), ToolCallPart("c1", "f", '{"a":1}', id="fc_1"))
    assert found.finish_reason.kind is FinishKind.TOOL_CALLS


def test_arguments_only_at_the_end_44() -> None:
    added = {"type": "response.output_item.added", "output_index": 0, "item": {**CALL, "arguments": ""}}
    done = {
        "type": "response.function_call_arguments.done",
        "output_index": 0,
        "item_id": "fc_1",
        "arguments": '{"a":1}',
    }
    item = {"type": "response.output_item.done", "output_index": 0, "item": CALL}
    for events in ((added, done, item), (added, done), (added, item), (item,)):
        found = decode(sse(CREATED, *events, COMPLETED))
        assert fold(found).parts == (ToolCallPart("c1", "f", '{"a":1}', id="fc_1"),)
        assert "".join(event.text for event in found if isinstance(event, PartDelta)) == '{"a":1}'


def test_deltas_after_the_end_of_an_item_are_ignored_45() -> None:
    item = {"type": "response.output_item.done", "output_index": 0, "item": CALL}
    late = delta('{"a":1}', "function_call_arguments", output_index=0, item_id="fc_1")
    assert folded(CREATED, item, late, item, COMPLETED).parts == (ToolCallPart("c1", "f", '{"a":1}', id="fc_1"),)


def test_interleaved_items_are_put_in_order_30() -> None:
    def added(index: int, name: str) -> dict[str, Any]:
        item = {"type": "function_call", "id": f"fc_{index}", "call_id": f"c{index}", "name": name, "arguments": ""}
        return {"type": "response.output_item.added", "output_index": index, "item": item}

    def piece(index: int, text: str) -> dict[str, Any]:
        return delta(text, "function_call_arguments", output_index=index, item_id=f"fc_{index}")

    found = folded(
        CREATED,
        added(0, "a"),
        added(1, "b"),
        piece(1, '{"x"'),
        piece(0, '{"y"'),
        piece(1, ":1}"),
        piece(0, ":2}"),
        COMPLETED,
    )
    assert [(part.name, part.input) for part in found.parts] == [("a", '{"y":2}'), ("b", '{"x":1}')]  # type: ignore


def test_every_item_numbered_zero() -> None:
    first = {**CALL, "id": "fc_a", "call_id": "a"}
    second = {**CALL, "id": "fc_b", "call_id": "b"}
    events = [
        {"type": f"response.output_item.{word}", "output_index": 0, "item": item}
        for item in (first, second)
        for word in ("added", "done")
    ]
    assert [part.call_id for part in folded(CREATED, *events, COMPLETED).parts] == ["a", "b"]  # type: ignore


def test_reasoning_raw_and_summary() -> None:
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "S"}],
        "encrypted_content": "g",
    }
    found = folded(
        CREATED,
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "summary": [], "encrypted_content": None},
        },
        delta("ra", "reasoning_text", output_index=0, content_index=0),
        delta("w", "reasoning_text", output_index=0, content_index=0),
        delta("S", "reasoning_summary_text", output_index=0, summary_index=0),
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        COMPLETED,
    )
    opaque = {"openai_responses": {"encrypted_content": "g"}}
    assert found.parts == (ReasoningPart("raw", ("S",), "rs_1", opaque),)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "error", "code": "server_error", "message": "boom", "param": None}, ErrorKind.SERVER_ERROR),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, ErrorKind.OVERLOADED),
        ({"error": {"message": "slow down", "code": 429}}, ErrorKind.RATE_LIMIT),  # pitfall 51
        (
            {"type": "response.failed", "response": {"error": {"code": "context_length_exceeded", "message": "long"}}},
            ErrorKind.CONTEXT_LENGTH,
        ),
        (
            {
                "type": "response.failed",
                "response": {
                    "status": "failed",
                    "error": {"code": "rate_limit_exceeded", "message": "Please try again in 2s."},
                },
            },
            ErrorKind.RATE_LIMIT,
        ),
        ({"type": "response.completed", "response": {"error": {"message": "odd"}}}, ErrorKind.SERVER_ERROR),
    ],
)
def test_errors_inside_the_stream_53(event: Any, kind: ErrorKind) -> None:
    error = decode(sse(event, names=False))[-1]
    assert isinstance(error, StreamError)
    assert (error.error.kind, error.error.upstream) == (kind, True)
    assert decode(sse(CREATED, delta("x"), event, names=False))[-1] == error


def test_the_wait_is_read_out_of_the_words() -> None:
    failed = {
        "type": "response.failed",
        "response": {"error": {"code": "rate_limit_exceeded", "message": "Please try again in 2.5s."}},
    }
    error = decode(sse(failed))[-1]
    assert isinstance(error, StreamError) and error.error.retry_after == 2.5


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("max_output_tokens", FinishKind.LENGTH), ("content_filter", FinishKind.CONTENT_FILTER)],
)
def test_incomplete(reason: str, kind: FinishKind) -> None:
    response = {"incomplete_details": {"reason": reason}, "usage": {"input_tokens": 1, "output_tokens": 2}}
    events = decode(sse(CREATED, delta("x"), {"type": "response.incomplete", "response": response}))
    end = events[-1]
    assert isinstance(end, ResponseEnd)
    assert (end.finish_reason.kind, end.finish_reason.raw) == (kind, reason)
    assert end.usage == Usage(1, None, None, 2, None, raw=response["usage"])


def test_an_end_without_a_terminal_38() -> None:
    for data in (b"", sse(CREATED), sse(CREATED, delta("x")), sse(CREATED, delta("x")) + b"data: [DONE]\n\n"):
        end = decode(data)[-1]
        assert isinstance(end, StreamError) and end.error.kind is ErrorKind.BAD_GATEWAY
    item = {"type": "response.output_item.done", "output_index": 0, "item": MESSAGE}
    assert isinstance(decode(sse(CREATED, item) + b"data: [DONE]\n\n")[-1], ResponseEnd)
    assert isinstance(decode(sse(CREATED, delta("x"), COMPLETED) + b"data: [DONE]\n\ndata: junk\n\n")[-1], ResponseEnd)


def test_broken_json_is_an_error() -> None:
    end = decode(sse(CREATED) + b'data: {"type":"response.output_text.del\n\n')[-1]
    assert isinstance(end, StreamError)


def test_unknown_events_and_odd_types_are_skipped() -> None:
    odd = [{"type": "response.future", "x": 1}, {"type": "keepalive"}, {"type": 7}, [1], "null"]
    data = sse(CREATED) + b"".join(
        sse(event if not isinstance(event, list) else json.dumps(event), names=False) for event in odd
    )
    assert fold(decode(data + sse(delta("x", item_id=3), delta("y"), COMPLETED))).parts == (TextPart("y"),)


def test_utf8_cut_at_each_byte_49() -> None:
    data = b'data: {"type":"response.output_text.delta","delta":"\xf0\x9f\x98\x80\xc3\xa9"}\n\n'
    data = sse(CREATED) + data + sse(COMPLETED)
    for step in range(1, 40):
        assert fold(decode(data, step)).parts == (TextPart("\U0001f600\xe9"),)


def test_deltas_that_arrive_together_leave_together() -> None:
    data = sse(CREATED, delta("a"), delta("b"), delta("c"))
    events = CODEC.stream_decoder(PLAIN).feed(data)
    assert [event.text for event in events if isinstance(event, PartDelta)] == ["abc"]


KINDS = ["output_text", "refusal", "reasoning_text", "reasoning_summary_text", "function_call_arguments"]
NAMELESS = {**CALL, "id": "fc_2", "name": ""}
ITEMS = [MESSAGE, CALL, NAMELESS, {"type": "reasoning", "summary": []}, {}, {"type": "x"}]
PART_DONE = {"type": "response.content_part.done", "output_index": 0, "part": {"type": "output_text"}}
INDEXES = st.none() | st.integers(0, 2)


def any_delta(kind: str, text: str, index: int | None, number: int) -> dict[str, Any]:
    return delta(text, kind, output_index=index, content_index=number, summary_index=number)


def any_item(word: str, index: int | None, item: Any) -> dict[str, Any]:
    return {"type": f"response.output_item.{word}", "output_index": index, "item": item}


EVENTS = st.one_of(
    st.builds(any_delta, st.sampled_from(KINDS), st.text(max_size=4), INDEXES, st.integers(0, 2)),
    st.builds(any_item, st.sampled_from(["added", "done"]), INDEXES, st.sampled_from(ITEMS)),
    st.sampled_from([CREATED, COMPLETED, PART_DONE]),
)


@pytest.mark.parametrize(
    ("part", "text"), [({"type": "output_text"}, "hello"), ({"type": "output_text", "text": "hel"}, "hel")]
)
def test_two_ends_that_disagree(part: Any, text: str) -> None:
    """However it is cut, the first that says something stands."""
    item = {**MESSAGE, "content": [{"type": "output_text", "text": "hello", "annotations": []}]}
    events = [any_delta("output_text", "hel", 0, 0), {**PART_DONE, "part": part}, any_item("done", None, item)]
    data = sse(*events, COMPLETED)
    assert fold(decode(data)).parts == fold(decode(data, 1)).parts == (TextPart(text),)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=12), st.integers(1, 50))
def test_any_order_of_events_fits_the_grammar(events: list[Any], step: int) -> None:
    data = sse(*events)
    assert fold_or_error(decode(data)) == fold_or_error(decode(data, step))


def fold_or_error(events: list[StreamEvent]) -> Any:
    try:
        return fold(events)
    except Failure as failure:
        return failure.error


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_fit_the_grammar(data: bytes) -> None:
    decode(data)
    decode(b"data: " + data + b"\n\n")


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"output": None},
        {"error": {"message": "x"}},
        {"status": "failed", "error": None},
        {"status": "queued", "output": []},
    ],
)
def test_what_is_no_answer(payload: Any) -> None:
    with pytest.raises(Failure):
        CODEC.decode_response(payload, PLAIN)
