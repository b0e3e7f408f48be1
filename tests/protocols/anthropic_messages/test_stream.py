"""Streams of upstreams: one end on every path, whatever they send; usage merged; the same answer however it is cut."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli.llm.content import OpaquePart, ReasoningPart, TextPart, ToolCallPart
from axonhub_cli.llm.errors import ErrorKind, Failure
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, ResponseEnd, StreamError
from axonhub_cli.llm.fold import fold
from axonhub_cli.llm.response import FinishKind
from axonhub_cli.protocols.anthropic_messages import CODEC
from axonhub_cli.protocols.anthropic_messages.usage import decode_usage, encode_usage, merge_usage
from tests.protocols.anthropic_messages.helpers import (
    FIXTURES,
    NAME,
    NATIVE,
    STOP,
    begin,
    decode,
    delta,
    ending,
    sse,
    start,
    stop,
)

STREAMS = sorted(FIXTURES.glob("*.stream.sse")) + sorted((FIXTURES / "streams").glob("*.sse"))
TEXT = (begin(0, "text", text=""), delta(0, "text_delta", text="hi"), stop(0))


def last(*events: dict[str, Any]) -> Any:
    return decode(sse(*events))[-1]


@pytest.mark.parametrize("step", [1, 7])
@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.name.split(".")[0])
def test_deltas_add_up_to_their_part(path: Any, step: int) -> None:
    text = ""
    for event in decode(path.read_bytes(), step):
        if isinstance(event, PartStart):
            text = ""
        elif isinstance(event, PartDelta):
            text += event.text
        elif isinstance(event, PartEnd):
            part = event.part
            assert text == (part.input if isinstance(part, ToolCallPart) else getattr(part, "text", ""))


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("end_turn", FinishKind.STOP),
        ("stop_sequence", FinishKind.STOP),
        ("max_tokens", FinishKind.LENGTH),
        ("model_context_window_exceeded", FinishKind.LENGTH),
        ("pause_turn", FinishKind.LENGTH),
        ("compaction", FinishKind.LENGTH),
        ("refusal", FinishKind.CONTENT_FILTER),
        ("tool_use", FinishKind.STOP),  # of which there was none
    ],
)
def test_pitfall_79_stop_reasons(word: str, kind: FinishKind) -> None:
    end = last(start(input_tokens=3), *TEXT, ending(word, output_tokens=2), STOP)
    assert isinstance(end, ResponseEnd) and end.finish_reason.kind is kind and end.finish_reason.raw == word


def test_pitfall_79_an_unknown_stop_reason_is_a_failure_and_keeps_its_usage() -> None:
    end = last(start(input_tokens=3), *TEXT, ending("error", output_tokens=2), STOP)
    assert isinstance(end, StreamError) and end.usage is not None and end.usage.output == 2
    with pytest.raises(Failure):
        CODEC.decode_response({"content": [], "stop_reason": "error"}, NATIVE)
    called = last(start(), begin(0, "tool_use", id="a", name="run", input={}), stop(0), ending("end_turn"), STOP)
    assert called.finish_reason.kind is FinishKind.TOOL_CALLS


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        ({"input_tokens": 10, "output_tokens": 1}, {"output_tokens": 7}, (10, None, 7)),  # Anthropic
        ({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 250, "output_tokens": 7}, (250, None, 7)),  # MiniMax
        (
            {"input_tokens": 300, "cache_read_input_tokens": 200},
            {"input_tokens": 500, "output_tokens": 7},
            (500, 200, 7),
        ),
        (
            {"input_tokens": 1000},
            {"input_tokens": 200, "cache_read_input_tokens": 800, "output_tokens": 7},
            (1000, 800, 7),
        ),
        ({"input_tokens": 40}, {"input_tokens": 0, "output_tokens": 7}, (40, None, 7)),
        ({"input_tokens": 40}, {"input_tokens": 0, "cache_read_input_tokens": 90, "output_tokens": 7}, (90, 90, 7)),
        ({"input_tokens": 40}, {"input_tokens": None, "output_tokens": 7}, (40, None, 7)),
    ],
)
def test_pitfall_80_counts_of_start_and_end(first: Any, second: Any, counts: tuple[int, int | None, int]) -> None:
    end = last(start(**first), *TEXT, ending("end_turn", **second), STOP)
    assert (end.usage.input, end.usage.cached, end.usage.output) == counts


def test_pitfalls_176_178_usage_there_and_back() -> None:
    raw = {
        "input_tokens": 5,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 4},
    }
    usage = decode_usage(raw)
    assert usage is not None
    assert (usage.input, usage.cached, usage.cache_written, usage.output, usage.reasoning) == (135, 100, 30, 9, 4)
    assert usage.raw["cache_creation"]["ephemeral_1h_input_tokens"] == 20
    assert encode_usage(usage) == raw
    assert decode_usage({"cache_creation": raw["cache_creation"], "input_tokens": 1}).cache_written == 30  # type: ignore[union-attr]


@given(
    st.dictionaries(
        st.sampled_from(["input_tokens", "output_tokens", "cache_read_input_tokens"]), st.integers(-5, 10**6)
    )
)
def test_usage_is_conserved_and_never_negative(raw: dict[str, int]) -> None:
    usage = decode_usage(merge_usage(None, raw))
    if usage is not None:
        wire = encode_usage(usage)
        assert all(count >= 0 for count in wire.values() if isinstance(count, int))
        again = decode_usage(wire)
        assert usage.input is None or ((again and again.input) or 0) == usage.input


def test_pitfalls_29_37_38_an_end_that_is_missing() -> None:
    cut = last(start(input_tokens=3), *TEXT)
    assert (
        isinstance(cut, StreamError) and cut.error.code == "stream_truncated" and cut.usage is not None
    )  # pitfall 180
    assert isinstance(last(start(), *TEXT, ending("end_turn")), ResponseEnd)
    assert isinstance(last(start(), *TEXT, STOP), ResponseEnd)
    for nothing in (b"", b": hi\n\n", sse({"type": "ping"}), b"data: [DONE]\n\n"):
        assert isinstance(decode(nothing)[-1], StreamError)


def test_pitfall_179_the_placeholder_at_the_start_is_no_count_of_output() -> None:
    begun = start(input_tokens=3, output_tokens=1)
    cut = last(begun, *TEXT)
    assert isinstance(cut, StreamError) and cut.usage is not None
    assert (cut.usage.input, cut.usage.output) == (3, None)
    watcher = CODEC.stream_watcher()
    watcher.feed(sse(begun, *TEXT))
    assert watcher.watch.usage is not None
    assert (watcher.watch.usage.input, watcher.watch.usage.output) == (3, None)


def test_pitfalls_51_53_errors_inside_a_stream() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    for events in ((error,), (start(input_tokens=3), *TEXT, error)):
        end = last(*events)
        assert isinstance(end, StreamError) and end.error.kind is ErrorKind.OVERLOADED and end.error.upstream
    assert isinstance(last(start(), *TEXT, ending("end_turn"), error), ResponseEnd)
    bare = decode(b'data: {"error":{"message":"prompt is too long: 9 tokens"}}\n\n')[-1]
    assert isinstance(bare, StreamError) and bare.error.kind is ErrorKind.CONTEXT_LENGTH


def test_events_that_are_not_invented_yet() -> None:
    new = {"type": "content_block_delta", "index": 0, "delta": {"type": "future_delta", "x": 1}}
    events = (start(), {"type": "future"}, TEXT[0], new, *TEXT[1:], ending("end_turn"), STOP)
    assert fold(decode(sse(*events))).parts == (TextPart("hi"),)


def test_a_block_that_nobody_started_or_stopped() -> None:
    events = (start(), delta(0, "text_delta", text="a"), begin(1, "text", text="b"), ending("end_turn"), STOP)
    assert fold(decode(sse(*events))).parts == (TextPart("a"), TextPart("b"))
    assert fold(decode(sse(*TEXT, ending("end_turn"), STOP))).parts == (TextPart("hi"),)


def test_pitfall_45_input_for_a_call_that_is_over() -> None:
    call = begin(0, "tool_use", id="a", name="run", input={})
    end = last(start(), call, stop(0), delta(0, "input_json_delta", partial_json="{}"), ending("tool_use"), STOP)
    assert isinstance(end, StreamError) and end.error.code == "invalid_tool_call"


@pytest.mark.parametrize(("given", "text"), [({}, "{}"), ({"a": 1}, '{"a":1}')])
def test_pitfalls_6_44_input_that_came_with_the_start(given: Any, text: str) -> None:
    call = begin(0, "tool_use", id="a", name="run", input=given)
    empty = delta(0, "input_json_delta", partial_json="")
    assert fold(decode(sse(start(), call, empty, stop(0), ending("tool_use"), STOP))).parts == (
        ToolCallPart("a", "run", text),
    )


def test_an_empty_text_is_no_part_and_hidden_thinking_is_one() -> None:
    hidden = (begin(0, "thinking", thinking="", signature=""), delta(0, "signature_delta", signature="S"), stop(0))
    events = (start(), *hidden, begin(1, "text", text=""), stop(1), ending("end_turn"), STOP)
    assert fold(decode(sse(*events))).parts == (ReasoningPart(opaque={NAME: {"signature": "S"}}),)


def test_a_servers_own_tools_are_kept_whole() -> None:
    (path,) = [path for path in STREAMS if path.stem == "web-search"]
    parts = fold(decode(path.read_bytes())).parts
    assert isinstance(parts[0], OpaquePart) and parts[0].raw["input"] == {"query": "rain"}
    assert isinstance(parts[2], TextPart) and parts[2].annotations[0]["url_citation"]["url"] == "https://example.com/w"


def test_odd_characters() -> None:
    lone = (
        b'event: x\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\\ud83d"}}\n\n'
    )
    parts = fold(decode(sse(start(), TEXT[0]) + lone + sse(stop(0), ending("end_turn"), STOP))).parts
    assert isinstance(parts[0], TextPart) and parts[0].text == "a?"
    assert isinstance(decode(sse(start()) + b"data: {broken\n\n")[-1], StreamError)


@given(st.lists(st.text(max_size=12), max_size=12), st.booleans(), st.integers(1, 90))
def test_the_short_way_reads_what_the_long_way_does(texts: list[str], escaped: bool, step: int) -> None:  # pitfall 49
    def frame(event: dict[str, Any]) -> bytes:
        return sse(event) if escaped else b"data: " + msgspec.json.encode(event) + b"\n\n"

    deltas = [frame(delta(0, "text_delta", text=text)) for text in texts]
    begun, ended = sse(start(), begin(0, "text", text="")), sse(stop(0), ending("end_turn"), STOP)
    whole = "".join(texts)
    by_frame = CODEC.stream_decoder(NATIVE)
    events = [event for piece in (begun, *deltas, ended) for event in by_frame.feed(piece)]
    cut = decode(begun + b"".join(deltas) + ended, step)
    assert fold(events).parts == fold(cut).parts == ((TextPart(whole),) if whole else ())
    assert len([event for event in events if isinstance(event, PartDelta)]) == len([text for text in texts if text])


@pytest.mark.parametrize("payload", [{}, {"content": "x"}, {"error": {"message": "no"}}, {"type": "error"}])
def test_pitfall_51_whole_answers_that_are_none(payload: dict[str, Any]) -> None:
    with pytest.raises(Failure) as failure:
        CODEC.decode_response(payload, NATIVE)
    assert failure.value.error.upstream
