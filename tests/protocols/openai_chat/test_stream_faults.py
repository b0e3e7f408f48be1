"""What upstreams do wrong in streams, by its number in docs/pitfalls.md."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from axonhub_cli.llm.content import ReasoningPart, TextPart, ToolCallPart, ToolKind
from axonhub_cli.llm.errors import ErrorKind
from axonhub_cli.llm.events import PartDelta, PartEnd, ResponseEnd, ResponseStart, StreamError, StreamEvent
from axonhub_cli.llm.fold import fold
from axonhub_cli.llm.response import FinishKind
from axonhub_cli.protocols.openai_chat import CODEC
from axonhub_cli.protocols.openai_chat.think import ThinkSplitter
from axonhub_cli.vendors import Quirks
from tests.protocols.openai_chat.support import call, chunk, decode, sse

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def parts(data: bytes, **options: Any) -> tuple[Any, ...]:
    return fold(decode(data, **options)).parts


def error(data: bytes) -> Any:
    last = decode(data)[-1]
    assert isinstance(last, StreamError)
    return last.error


def test_pitfall_36_usage_after_the_finish_reason() -> None:
    data = sse(chunk({"content": "a"}), chunk({}, "stop"), {**chunk(), "choices": [], "usage": USAGE})
    usage = fold(decode(data)).usage
    assert usage is not None
    assert (usage.input, usage.output) == (3, 2)


@pytest.mark.parametrize("finish", [None, "stop"])
@pytest.mark.parametrize("done", [0, 1, 2])
@pytest.mark.parametrize("after", [b"", sse(chunk({"content": "late"}), done=False), b"data: {broken\n\n"])
def test_pitfall_37_ends_of_every_kind(finish: str | None, done: int, after: bytes) -> None:
    data = sse(chunk({"content": "a"}), chunk({}, finish), done=False) + b"data: [DONE]\n\n" * done
    events = decode(data + (after if done else b""))
    if finish or done:
        assert isinstance(events[-1], ResponseEnd)
        assert fold(events).parts == (TextPart("a"),)
    else:
        assert isinstance(events[-1], StreamError)


def test_pitfall_38_a_cut_answer_fails() -> None:
    cut = error(sse(*[chunk({"content": "a"})] * 5, done=False))
    assert (cut.code, cut.kind, cut.upstream) == ("stream_truncated", ErrorKind.BAD_GATEWAY, True)
    assert error(b"").code == "stream_truncated"
    assert error(b"data: [DONE]\n\n").code == "stream_empty"


def test_pitfall_39_ids_made_up_are_the_same_each_time_and_differ_between_answers() -> None:
    def ids(answer: str) -> list[str]:
        chunks = [{**chunk(call(at, None, "run", "{}")), "id": answer} for at in range(2)]
        return [part.call_id for part in parts(sse(*chunks, chunk({}, "tool_calls")))]

    assert ids("one") == ids("one")
    assert len({*ids("one"), *ids("two")}) == 4
    nameless = [{**chunk(call(0, None, "run", "{}")), "id": None, "created": at} for at in range(2)]
    assert parts(sse(nameless[0]))[0].call_id != parts(sse(nameless[1]))[0].call_id


def test_pitfall_40_null_padding_keeps_the_identity() -> None:
    padded = {"tool_calls": [{"index": 0, "id": "", "type": None, "function": {"name": None, "arguments": "1}"}}]}
    data = sse(chunk(call(0, "c", "run", '{"a":')), chunk(padded), chunk({}, "tool_calls"))
    assert parts(data) == (ToolCallPart("c", "run", '{"a":1}'),)


def test_pitfall_41_calls_without_index_interleaved() -> None:
    data = sse(
        chunk(call(None, "a", "one", '{"x"')),
        chunk(call(None, "b", "two", '{"y"')),
        chunk(call(None, "a", None, ":1}")),
        chunk(call(None, "b", None, ":2}")),
        chunk({}, "tool_calls"),
    )
    assert parts(data) == (ToolCallPart("a", "one", '{"x":1}'), ToolCallPart("b", "two", '{"y":2}'))


def test_pitfall_41_index_zero_for_every_call_and_numbers_in_strings() -> None:
    data = sse(chunk(call(0, "a", "one", "{}")), chunk(call(0, "b", "two", "{}")), chunk({}, "tool_calls"))
    assert [part.call_id for part in parts(data)] == ["a", "b"]
    odd = chunk({"tool_calls": [{"index": "0", "id": "a", "function": {"name": "one", "arguments": {"k": 1}}}]})
    assert parts(sse({**odd, "created": "7"}, chunk({}, "stop"))) == (ToolCallPart("a", "one", '{"k":1}'),)


def test_pitfall_39_a_whole_answers_calls_under_one_id() -> None:
    calls = [*call(0, "run", "run", '{"x":1}')["tool_calls"], *call(0, "run", "run", '{"x":2}')["tool_calls"]]
    choice = {"index": 0, "message": {"role": "assistant", "tool_calls": calls}, "finish_reason": "tool_calls"}
    answer = CODEC.decode_response({"id": "c", "model": "m", "choices": [choice]}, Quirks())
    assert [(part.call_id, part.input) for part in answer.parts] == [("run", '{"x":1}'), ("call_c_1", '{"x":2}')]


def test_pitfall_42_only_nameless_calls_is_a_failure() -> None:
    assert error(sse(chunk(call(0, "a", None, "{}")), chunk({}, "tool_calls"))).code == "invalid_tool_call"
    data = sse(chunk(call(0, "a", None, "{}")), chunk(call(1, "b", "run", "{}")), chunk({}, "tool_calls"))
    assert parts(data) == (ToolCallPart("b", "run", "{}"),)


def test_pitfall_43_empty_tool_calls_in_every_chunk() -> None:
    data = sse(*[chunk({"content": text, "tool_calls": []}) for text in "abc"], chunk({"tool_calls": []}, "stop"))
    assert parts(data) == (TextPart("abc"),)


@pytest.mark.parametrize(
    "padding",
    [
        {"function_call": {}},
        {"function_call": {"name": "", "arguments": ""}},
        {"tool_calls": [{}]},
        {"tool_calls": [{"index": 0, "id": "", "type": "function", "function": {"name": None, "arguments": ""}}]},
    ],
)
def test_pitfall_43_calls_with_nothing_in_them_are_none(padding: dict[str, Any]) -> None:
    data = sse(*[chunk({"content": text, **padding}) for text in "abc"], chunk({}, "stop"))
    assert parts(data) == (TextPart("abc"),)
    whole = {"id": "c", "choices": [{"message": {"content": "abc", **padding}, "finish_reason": "stop"}]}
    assert CODEC.decode_response(whole, Quirks()).parts == (TextPart("abc"),)


def test_pitfall_46_half_a_call_never_ends() -> None:
    events = decode(sse(chunk(call(0, "a", "exec", '{"code":"tru')), done=False))
    assert isinstance(events[-1], StreamError)
    assert not any(isinstance(event, PartEnd) for event in events)


@pytest.mark.parametrize("arguments", ["", "  "])
def test_pitfall_6_no_arguments_are_an_empty_object(arguments: str) -> None:
    (part,) = parts(sse(chunk(call(0, "a", "exec", arguments)), chunk({}, "tool_calls")))
    assert msgspec.json.decode(part.input) == {}


def test_pitfall_50_a_whole_answer_where_a_stream_was_asked_for() -> None:
    whole = {**chunk(), "object": "chat.completion", "usage": USAGE}
    whole["choices"] = [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]
    data = msgspec.json.encode(whole)
    for step in (1, 5, None):
        response = fold(decode(b"\n" + data, step))
        assert response.parts == (TextPart("hi"),)
        assert response == CODEC.decode_response(whole, Quirks())
    assert parts(sse(whole)) == (TextPart("hi"),)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}', ErrorKind.RATE_LIMIT),
        (b'{"error":"no such model","code":404}', ErrorKind.NOT_FOUND),
        (
            b'{"object":"error","message":"This model\'s maximum context length is 8192 tokens","code":400}',
            ErrorKind.CONTEXT_LENGTH,
        ),
        (b'{"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}', ErrorKind.QUOTA),
        (b'{"code":"Throttling","message":"Requests rate limit exceeded"}', ErrorKind.RATE_LIMIT),
        (b'{"detail":"upstream is gone"}', ErrorKind.SERVER_ERROR),
    ],
)
def test_pitfall_51_an_error_inside_a_200(body: bytes, kind: ErrorKind) -> None:
    for data in (body, b"data: " + body + b"\n\n", b"event: error\ndata: " + body + b"\n\ndata: [DONE]\n\n"):
        assert error(data).kind is kind
        later = sse(chunk({"content": "a"}), done=False) + b"data: " + body + b"\n\n"
        assert isinstance(decode(later)[-1], StreamError)


@pytest.mark.parametrize("alive", [b"{}", b' {"type": "ping"} ', b'{"event":"keep-alive"}'])
def test_what_only_keeps_the_connection_alive_is_no_error(alive: bytes) -> None:
    beat = b"data: %b\n\n" % alive
    data = sse(chunk({"content": "a"}), done=False) + beat + sse(chunk({"content": "b"}, "stop"))
    assert parts(beat + data) == (TextPart("ab"),)


@pytest.mark.parametrize(
    "fields", [{"error": ""}, {"error": {}}, {"error": False}, {"id": 5}, {"id": 0, "created": "now"}]
)
def test_fields_of_another_kind_that_change_nothing(fields: dict[str, Any]) -> None:
    assert parts(sse({**chunk({"content": "a"}), **fields}, chunk({}, "stop"))) == (TextPart("a"),)


def test_when_an_answer_was_made() -> None:
    made = [
        (1764000000, 1764000000),
        (1764000000.5, 1764000000),
        ("1764000000", 1764000000),
        ("now", None),
        (None, None),
    ]
    for said, seconds in made:
        start = decode(sse({**chunk({"content": "a"}), "created": said}))[0]
        assert isinstance(start, ResponseStart)
        assert start.created == seconds


def test_an_html_page_is_no_answer() -> None:
    page = error(b"<!doctype html><html><title>502 Bad Gateway</title></html>")
    assert "502 Bad Gateway" in page.message


def test_an_error_after_the_finish_does_not_undo_the_answer() -> None:
    data = sse(chunk({"content": "a"}), chunk({}, "stop"), {"error": {"message": "late"}})
    assert parts(data) == (TextPart("a"),)


@pytest.mark.parametrize(
    "reason",
    [
        "error",
        "network_error",
        "insufficient_system_resource",
        "MALFORMED_FUNCTION_CALL",
        "function_call_filter: UNEXPECTED_TOOL_CALL",
    ],
)
def test_an_upstream_that_gives_up(reason: str) -> None:
    given_up = error(sse(chunk({"content": "a"}), chunk({}, reason), {**chunk(), "choices": [], "usage": USAGE}))
    assert given_up.code == reason
    assert given_up.kind in {ErrorKind.SERVER_ERROR, ErrorKind.OVERLOADED}


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("stop", FinishKind.STOP),
        ("eos", FinishKind.STOP),
        ("model_length", FinishKind.LENGTH),
        ("model_context_window_exceeded", FinishKind.LENGTH),
        ("unheard", FinishKind.STOP),
        ("sensitive", FinishKind.CONTENT_FILTER),
        ("SAFETY", FinishKind.CONTENT_FILTER),
        ("content_filter: PROHIBITED_CONTENT", FinishKind.CONTENT_FILTER),
        ("MAX_TOKENS", FinishKind.LENGTH),
        ("STOP", FinishKind.STOP),
        ("repetition", FinishKind.LENGTH),
        ("tool_calls", FinishKind.STOP),
    ],
)
def test_finish_words(word: str, kind: FinishKind) -> None:
    reason = fold(decode(sse(chunk({"content": "a"}), chunk({}, word)))).finish_reason
    assert (reason.kind, reason.raw) == (kind, word)


def test_pitfall_57_tags_cut_anywhere() -> None:
    text = "  <think>why\n<b></thin </think>\n\nThus <think>so</think>."
    expected = [(True, "why\n<b></thin "), (False, "Thus <think>so</think>.")]
    for first, second in itertools.combinations(range(len(text) + 1), 2):
        splitter = ThinkSplitter()
        pieces = [piece for cut in (text[:first], text[first:second], text[second:]) for piece in splitter.feed(cut)]
        pieces += splitter.close()
        joined = [
            (kind, "".join(piece for _, piece in group)) for kind, group in itertools.groupby(pieces, lambda p: p[0])
        ]
        assert joined == expected


@pytest.mark.parametrize("text", ["<", "<thin", "</thi", " ", "a < b", "x</think"])
def test_pitfall_57_what_only_looks_like_a_tag_stays(text: str) -> None:
    quirks = Quirks(think_tags=True)
    assert parts(sse(*[chunk({"content": letter}) for letter in text], chunk({}, "stop")), quirks=quirks) == (
        TextPart(text),
    )


def test_pitfall_57_an_answer_that_never_leaves_its_thoughts() -> None:
    quirks = Quirks(think_tags=True)
    data = sse(chunk({"content": "<think>on and on </thi"}), chunk({}, "length"))
    assert parts(data, quirks=quirks) == (ReasoningPart("on and on </thi"),)


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_content": "why"},
        {"reasoning": "why"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "why"}]},
        {"reasoning_content": "why", "reasoning": "why"},
        {"reasoning_content": {"text": "why"}},  # Envoy
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "why"}]}]},  # Mistral
        {"reasoning": "why", "reasoning_details": [{"type": "reasoning.text", "text": "why", "index": 0}]},
    ],
)
def test_pitfall_58_reasoning_under_every_name_once(fields: dict[str, Any]) -> None:
    data = sse(chunk(fields), chunk({"content": "so"}), chunk({}, "stop"))
    assert parts(data) == (ReasoningPart("why"), TextPart("so"))


def test_pitfall_59_one_end_for_several_finish_chunks() -> None:
    usage = {**chunk(), "choices": [], "usage": USAGE}
    events = decode(sse(chunk({"content": "a"}), chunk({}, "stop"), chunk({}, "stop"), usage, usage))
    assert sum(isinstance(event, ResponseEnd) for event in events) == 1


def test_pitfall_180_usage_of_a_failed_stream() -> None:
    counted = {**chunk({"content": "a"}), "usage": USAGE}
    last = decode(sse(counted, done=False))[-1]
    assert isinstance(last, StreamError)
    assert last.usage is not None
    assert last.usage.input == 3


def test_several_choices_only_the_first_is_read() -> None:
    two = chunk({"content": "a"})
    two["choices"].append({"index": 1, "delta": {"content": "b"}, "finish_reason": None})
    assert parts(sse(two, chunk({}, "stop"))) == (TextPart("a"),)


def test_deltas_of_one_read_leave_as_one_and_single_reads_as_they_come() -> None:
    letters = [chunk({"content": letter}) for letter in "abcdef"]

    def deltas(events: list[StreamEvent]) -> list[str]:
        return [event.text for event in events if isinstance(event, PartDelta)]

    decoder = CODEC.stream_decoder(Quirks())
    assert deltas(decoder.feed(sse(*letters, done=False))) == ["abcdef"]
    decoder = CODEC.stream_decoder(Quirks())
    assert [deltas(decoder.feed(sse(letter, done=False))) for letter in letters] == [[letter] for letter in "abcdef"]


@pytest.mark.parametrize("text", ['"', "\\", "\n", "é🙂", 'a","x":"', "", " ", "}", '"}'])
def test_the_short_way_reads_the_same_as_the_long_one(text: str) -> None:
    """Chunks alike but for their text are not parsed: any text must come out as if they were."""
    import json

    def stream(field: str) -> bytes:
        lines = [json.dumps(chunk({field: piece}), ensure_ascii=False) for piece in ("one", "two", text, "three", text)]
        return b"".join(b"data: " + line.encode() + b"\n\n" for line in lines) + sse(chunk({}, "stop"))

    assert parts(stream("content")) == (TextPart("onetwo" + text + "three" + text),)
    assert parts(stream("reasoning_content")) == (ReasoningPart("onetwo" + text + "three" + text),)


def test_the_short_way_does_not_swallow_what_is_new() -> None:
    first = chunk({"content": "one"})
    other = chunk({"content": "two"}, "stop")
    data = sse(first, first, {**first, "error": {"message": "x", "code": 500}})
    assert error(data).message == "x"
    assert fold(decode(sse(first, first, other))).finish_reason.raw == "stop"
    assert parts(sse(first, chunk({"content": "a", "reasoning_content": "b"}), chunk({}, "stop")))[1:2] == (
        ReasoningPart("b"),
    )


def test_custom_calls_keep_their_kind() -> None:
    delta = {
        "tool_calls": [{"index": 0, "id": "c", "type": "custom", "custom": {"name": "apply_patch", "input": "***"}}]
    }
    assert parts(sse(chunk(delta), chunk({}, "tool_calls"))) == (
        ToolCallPart("c", "apply_patch", "***", ToolKind.CUSTOM),
    )


def test_legacy_function_call() -> None:
    data = sse(
        chunk({"function_call": {"name": "run", "arguments": '{"a"'}}),
        chunk({"function_call": {"arguments": ":1}"}}),
        chunk({}, "function_call"),
    )
    response = fold(decode(data))
    assert [(part.name, part.input) for part in response.parts] == [("run", '{"a":1}')]
    assert response.finish_reason.kind is FinishKind.TOOL_CALLS


def test_the_short_way_keeps_state_beside_its_own_reasoning() -> None:
    """Text, signed reasoning, then a text chunk like the first: the signature stays with the reasoning."""
    said = chunk({"content": "a"})
    signed = chunk({"reasoning_details": [{"type": "reasoning.text", "text": "why", "signature": "s", "index": 0}]})
    first, thought, last = parts(sse(said, said, signed, said, said, chunk({}, "stop")))
    assert (first, last) == (TextPart("aa"), TextPart("aa"))
    assert thought.opaque["openai_chat"]["reasoning_details"][0]["signature"] == "s"
