"""Streams and whole answers of a Gemini upstream."""

from __future__ import annotations

import json

import pytest

from axonhub_cli.llm.content import AudioPart, ImagePart, OpaquePart, ReasoningPart, TextPart, ToolCallPart
from axonhub_cli.llm.errors import ErrorKind, Failure
from axonhub_cli.llm.events import PartDelta, ResponseEnd, StreamError
from axonhub_cli.llm.fold import fold
from axonhub_cli.llm.response import FinishKind
from axonhub_cli.protocols.gemini import CODEC
from axonhub_cli.protocols.gemini.finish import finish_word
from axonhub_cli.protocols.gemini.signatures import EMPTY, THOUGHT, state
from axonhub_cli.vendors import Quirks
from tests.protocols.gemini.helpers import FIXTURES, chunk, decode, sse

STREAMS = sorted([*FIXTURES.glob("*.sse"), *FIXTURES.glob("streams/*.sse")])


def end(data: bytes) -> ResponseEnd | StreamError:
    last = decode(data)[-1]
    assert isinstance(last, (ResponseEnd, StreamError))
    return last


def test_calls_without_ids_get_short_ones() -> None:  # pitfalls 39, 88, 90, 91
    answer = fold(decode((FIXTURES / "parallel-calls.stream.sse").read_bytes()))
    thought, text, first, second = answer.parts
    assert isinstance(thought, ReasoningPart) and thought.summary and not thought.text
    assert isinstance(text, TextPart) and isinstance(first, ToolCallPart) and isinstance(second, ToolCallPart)
    assert first.call_id != second.call_id and len(first.call_id) <= 64
    assert first.opaque == state("CpcHAdHtim9+q4rstcbc0ic4Zy/EtqMJAg==") and second.opaque == {}
    assert answer.finish_reason.kind is FinishKind.TOOL_CALLS


def test_relays_that_give_every_answer_one_id() -> None:  # pitfalls 39, 91
    calls = [{"name": "run"}, {"name": "look"}, {"name": "run", "args": {"a": 1}}]
    made = [{"functionCall": call} for call in calls]
    answers = [sse(chunk(part, finish="STOP")) for part in (*made, {**made[0], "thoughtSignature": "AAAA"})]
    parts = [part for answer in answers for part in fold(decode(answer)).parts]
    assert len({part.call_id for part in parts if isinstance(part, ToolCallPart)}) == 4


def test_signatures_of_thoughts_and_text_are_kept() -> None:  # pitfall 88
    parts = fold(decode((FIXTURES / "streams/signature-on-empty-text.sse").read_bytes())).parts
    assert parts == (TextPart("Hi there!"), ReasoningPart(opaque=state("EjQKMgG+Pvb7abc=", EMPTY)))
    parts = fold(decode((FIXTURES / "streams/thought-signature.sse").read_bytes())).parts
    assert parts[1] == ReasoningPart(opaque=state("QUJD", THOUGHT))


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("STOP", FinishKind.STOP),
        ("MAX_TOKENS", FinishKind.LENGTH),
        ("SAFETY", FinishKind.CONTENT_FILTER),
        ("RECITATION", FinishKind.CONTENT_FILTER),
        ("PROHIBITED_CONTENT", FinishKind.CONTENT_FILTER),
        ("MALFORMED_FUNCTION_CALL", None),
        ("UNEXPECTED_TOOL_CALL", None),
        ("OTHER", None),
        ("SOMETHING_NEW", None),
    ],
)
def test_finish_reasons(word: str, kind: FinishKind | None) -> None:  # pitfall 97
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 1}
    last = end(sse(chunk({"text": "a"}), chunk(finish=word, usageMetadata=usage)))
    if kind is None:
        assert isinstance(last, StreamError) and last.error.code == word and last.error.upstream
        assert last.usage is not None and last.usage.input == 3  # pitfall 180
    else:
        assert isinstance(last, ResponseEnd) and last.finish_reason.kind is kind and last.finish_reason.raw == word


def test_a_word_for_calls_that_google_does_not_use() -> None:
    last = end(sse(chunk({"functionCall": {"name": "run", "args": {}}}, finish="FUNCTION_CALL")))
    assert isinstance(last, ResponseEnd) and last.finish_reason.kind is FinishKind.TOOL_CALLS
    assert finish_word(last.finish_reason) == "STOP"
    assert isinstance(end(sse(chunk({"text": "a"}, finish="FUNCTION_CALL"))), StreamError)


def test_blocked_prompt() -> None:  # pitfall 97
    body = {"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "No."}, "usageMetadata": {}}
    last = end(sse(body))
    assert isinstance(last, StreamError) and last.error.kind is ErrorKind.INVALID_REQUEST
    assert "SAFETY" in last.error.message and "No." in last.error.message
    with pytest.raises(Failure) as caught:
        CODEC.decode_response(body, Quirks())
    assert caught.value.error == last.error


def test_usage() -> None:  # pitfalls 98, 176
    last = end((FIXTURES / "streams/zero-usage.sse").read_bytes())
    assert isinstance(last, ResponseEnd) and last.usage is not None
    assert (last.usage.input, last.usage.output, last.usage.cached) == (50, 3, 20)
    raw = {"promptTokenCount": 9, "cachedContentTokenCount": 4, "candidatesTokenCount": 5, "thoughtsTokenCount": 7}
    usage = CODEC.decode_usage({"usageMetadata": raw})
    assert usage is not None and (usage.input, usage.cached, usage.output, usage.reasoning) == (9, 4, 12, 7)
    assert CODEC.decode_usage({"usageMetadata": {"promptTokenCount": 0}}) is None


def test_cut_streams_are_failures() -> None:  # pitfall 38
    last = end(sse(chunk({"text": "a"})))
    assert isinstance(last, StreamError) and last.error.code == "stream_truncated"


def test_errors_inside() -> None:  # pitfall 51; reliability F14
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "20s"}
    error = {"error": {"code": 429, "message": "Slow", "status": "RESOURCE_EXHAUSTED", "details": [retry]}}
    for data in (sse(error), json.dumps([error]).encode(), json.dumps(error).encode()):
        last = end(data)
        assert isinstance(last, StreamError) and last.error.kind is ErrorKind.RATE_LIMIT
        assert last.error.retry_after == 20 and last.error.code == "RESOURCE_EXHAUSTED"


def test_an_array_instead_of_events() -> None:  # pitfall 50
    pieces = [chunk({"text": "a"}), chunk({"text": "b"}, finish="STOP")]
    assert fold(decode(json.dumps(pieces).encode(), 3)) == fold(decode(sse(*pieces)))
    assert isinstance(end(json.dumps(pieces)[:-9].encode()), StreamError)


def test_odd_calls() -> None:  # pitfalls 42, 91, 102
    call = {"id": "same", "name": "f", "args": '{"a":1}'}
    parts = fold(decode(sse(chunk({"functionCall": call}, {"functionCall": call}, finish="STOP")))).parts
    assert [part.input for part in parts if isinstance(part, ToolCallPart)] == ['{"a":1}', '{"a":1}']
    assert len({part.call_id for part in parts if isinstance(part, ToolCallPart)}) == 2
    assert isinstance(end(sse(chunk({"functionCall": {"args": {}}}, finish="STOP"))), StreamError)


def test_parts_of_other_kinds() -> None:
    image, sound = {"mimeType": "image/png", "data": "AAAA"}, {"mimeType": "audio/wav", "data": "BBBB"}
    pieces = chunk({"inlineData": image}, {"inlineData": sound}, {"newThing": {"x": 1}}, finish="STOP")
    assert fold(decode(sse(pieces))).parts == (
        ImagePart("data:image/png;base64,AAAA"),
        AudioPart("BBBB", "wav"),
        OpaquePart("gemini", "newThing", {"newThing": {"x": 1}}),
    )


def test_the_short_way_says_the_same() -> None:  # speed must not change an answer
    texts = ["a", 'q"uo\\te', "\n\t", "ü🗼", "}],", "1234567890", "\\"] * 3
    pieces = [
        chunk({"text": text}, usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": at + 1})
        for at, text in enumerate(texts)
    ]
    pieces.append(chunk(finish="STOP"))
    data = sse(*pieces)
    decoder = CODEC.stream_decoder(Quirks())
    events = [event for piece in pieces for event in decoder.feed(sse(piece))] + decoder.close()
    assert "".join(event.text for event in events if isinstance(event, PartDelta)) == "".join(texts)
    last = events[-1]
    assert isinstance(last, ResponseEnd) and last.usage is not None and last.usage.output == len(texts)
    assert fold(events) == fold(decode(data))
