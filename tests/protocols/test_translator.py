"""Relays: one terminal whatever happens (29, 37-38), sniffing (50, 51), untouched bytes, cuts (reliability F5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from axonhub_cli.llm.content import Part, ReasoningPart
from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.llm.events import ResponseStart
from axonhub_cli.llm.request import Request
from axonhub_cli.protocols import translator
from axonhub_cli.protocols.openai_chat import CODEC as CHAT
from axonhub_cli.protocols.registry import PROTOCOLS, codec
from axonhub_cli.protocols.translator import Passthrough, Relay, Translation, Whole, whole
from axonhub_cli.vendors import Quirks

REQUEST = Request("asked", stream=True)
BOOM = APIError(ErrorKind.TIMEOUT, "too slow", 504)


def chunk(**fields: object) -> bytes:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "used"}
    return b"data: " + msgspec.json.encode({**head, **fields}) + b"\n\n"


def delta(**fields: object) -> bytes:
    return chunk(choices=[{"index": 0, "delta": fields, "finish_reason": None}])


USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
START = delta(role="assistant", content="")
TEXT = delta(content="Hel") + delta(content="lo")
FINISH = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
COUNT = chunk(choices=[], usage=USAGE)
STREAM = START + TEXT + FINISH + COUNT + b"data: [DONE]\n\n"
BODY = msgspec.json.encode(
    {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "used",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": USAGE,
        "future": 1,
    }
)
HTML = b"<html><body>Bad gateway</body></html>"
ERROR = b'{"error": {"message": "no more", "type": "server_error", "code": "overloaded_error"}}'


def same(part: Part) -> Part:
    return part


def translation(request: Request = REQUEST, seal: Callable[[Part], Part] = same) -> Translation:
    return Translation(CHAT, CHAT, request, quirks=Quirks(), response_id="r1", now=1, seal_part=seal)


def passthrough() -> Passthrough:
    return Passthrough(CHAT, REQUEST, quirks=Quirks(), response_id="r1", now=1)


def terminals(data: bytes) -> int:
    """How often a Chat client is told that it is over: a finish reason or an error."""
    return data.count(b'"finish_reason":"') + data.count(b'"error":')


RELAYS = pytest.mark.parametrize("make", [translation, passthrough])


@RELAYS
def test_a_whole_stream(make: Callable[[], Relay]) -> None:
    relay = make()
    said = b"".join(relay.feed(STREAM[i : i + 1]) for i in range(len(STREAM)))
    assert terminals(said) == 1 and relay.close() == relay.fail(BOOM) == relay.keepalive() == b""
    watch = relay.watch
    assert watch.output and watch.ended and watch.error is None and watch.model == "used" and watch.finish == "stop"
    assert watch.usage is not None and (watch.usage.input, watch.usage.output) == (5, 2)


@RELAYS
@pytest.mark.parametrize("end", ["close", "fail"])
def test_one_terminal_wherever_it_is_cut(make: Callable[[], Relay], end: str) -> None:  # pitfalls 29, 38
    for cut in range(len(STREAM)):
        relay = make()
        said = relay.feed(STREAM[:cut])
        said += relay.close() if end == "close" else relay.fail(BOOM)
        assert said.replace(STREAM[:cut], b"").count(b"\n\n") or b'"finish_reason":"stop"' in said
        assert terminals(said) == 1 or (STREAM[:cut].count(b'"finish_reason":"') == 1 and terminals(said) <= 2)
        assert relay.close() == relay.fail(BOOM) == relay.keepalive() == b""
        if not isinstance(relay, Passthrough):
            assert terminals(said) == 1 and relay.feed(STREAM) == b""


@pytest.mark.parametrize("name", PROTOCOLS)
def test_an_answer_begins_once_and_keepalives_do_not_begin_it(name: str) -> None:  # pitfall 151
    encoder, other = (codec(name).stream_encoder(REQUEST, "r1", 1) for _ in range(2))
    assert encoder.keepalive()
    begun = encoder.encode([ResponseStart("", "used")])
    assert begun == other.encode([ResponseStart("", "used")])
    assert encoder.encode([ResponseStart("x", "used")]) == b""


@pytest.mark.parametrize("name", ["openai_responses", "openai_chat"])
def test_a_translation_goes_on_with_what_was_begun(name: str) -> None:
    client = codec(name)
    own = client.stream_encoder(REQUEST, "r1", 1)
    begun = own.encode([ResponseStart("", "asked")])
    options: dict[str, Any] = {"quirks": Quirks(), "response_id": "r1", "now": 1, "seal_part": same}
    relay = Translation(client, CHAT, REQUEST, encoder=lambda: own, **options)
    assert relay.feed(START) == b""
    said = begun + relay.feed(STREAM[len(START) :]) + relay.close()
    alone = Translation(client, CHAT, REQUEST, **options)
    plain = alone.feed(STREAM) + alone.close()
    assert said.count(b"\n\n") == plain.count(b"\n\n")
    if name == "openai_responses":
        assert said == plain


def test_an_error_before_output_leaves_what_was_begun() -> None:
    own = codec("openai_responses").stream_encoder(REQUEST, "r1", 1)
    relay = Translation(
        codec("openai_responses"), CHAT, REQUEST, quirks=Quirks(), response_id="r1", now=1, seal_part=same,
        encoder=lambda: own,
    )  # fmt: skip
    assert b"response.failed" in relay.feed(START) + relay.fail(BOOM)
    assert own.encode([ResponseStart("", "asked")])  # another channel's answer may still go into it


def test_passthrough_changes_nothing() -> None:
    relay, unknown = passthrough(), b": hi\r\n\r\nevent: future\r\ndata: {}\r\n\r\ndata: not json\n\n\xff\xfe"
    assert (
        relay.feed(unknown) + relay.feed(STREAM) + relay.feed(b"data: more\n\n") == unknown + STREAM + b"data: more\n\n"
    )
    body = relay.body()
    assert body is not None and body.kind == "stream" and body.data == unknown + STREAM + b"data: more\n\n"


def test_an_event_that_was_cut_is_ended_before_the_error() -> None:  # reliability F5
    relay = passthrough()
    relay.feed(START + b'data: {"id')
    assert relay.keepalive() == b""
    assert relay.close().startswith(b"\n\ndata: ")
    relay = passthrough()
    relay.feed(START)
    assert relay.keepalive() and relay.fail(BOOM).startswith(b"data: ")
    assert relay.feed(STREAM) == b""


def test_the_record_of_a_stream_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translator, "RECORDED", 100)
    relay = passthrough()
    assert relay.feed(STREAM) == STREAM and relay.feed(TEXT) == TEXT
    body = relay.body()
    assert body is not None and body.data == STREAM[:100] and relay.truncated


@RELAYS
def test_json_where_a_stream_was_asked_for(make: Callable[[], Relay]) -> None:  # pitfall 50
    relay = make()
    assert relay.feed(b" \n" + BODY[:10]) + relay.feed(BODY[10:]) == b"" and not relay.watch.output
    said = relay.close()
    assert said.startswith(b"data: ") and b"Hello" in said and terminals(said) == 1
    assert relay.watch.ended and relay.watch.output and relay.watch.usage is not None
    assert relay.close() == relay.fail(BOOM) == b""


@RELAYS
@pytest.mark.parametrize("body", [HTML, ERROR, b"", b"  ", b"{}", b"[1]", b"oops", b"data: " + ERROR + b"\n\n"])
def test_200_with_no_answer(make: Callable[[], Relay], body: bytes) -> None:  # pitfall 51, reliability F4
    relay = make()
    said = relay.feed(body) + relay.close()
    assert not relay.watch.output and not relay.watch.ended and relay.watch.error is not None
    assert b'"error":' in said


def test_parts_leave_sealed_and_are_recorded_open() -> None:
    sealed: list[Part] = []

    def seal(part: Part) -> Part:
        sealed.append(part)
        return msgspec.structs.replace(part, sealed="axh1.x") if isinstance(part, ReasoningPart) else part

    relay = translation(seal=seal)
    relay.feed(START + delta(reasoning_content="hm") + TEXT + FINISH + COUNT)
    assert [type(part).__name__ for part in sealed] == ["ReasoningPart", "TextPart"]
    body = relay.body()
    assert body is not None and body.kind == "response" and b'"hm"' in body.data and b"axh1" not in body.data


def test_a_broken_answer_is_recorded_as_far_as_it_came() -> None:
    relay = translation()
    assert relay.body() is None
    relay.feed(START + delta(reasoning_content="hm") + TEXT)
    relay.close()
    body = relay.body()
    assert body is not None and b'"hm"' in body.data and b'"error"' in body.data


@pytest.mark.parametrize(
    ("said", "part"),
    [
        (delta(reasoning_content="h") + delta(reasoning_content="m"), {"type": "reasoning", "text": "hm"}),
        (TEXT, {"type": "text", "text": "Hello"}),
        (delta(refusal="no"), {"type": "refusal", "text": "no"}),
        (
            delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a'}}]),
            {"type": "tool_call", "name": "f", "input": '{"a'},
        ),
    ],
)
def test_the_part_that_was_being_said_is_recorded_too(said: bytes, part: dict[str, str]) -> None:
    relay = translation()
    for piece in (START + said).split(b"\n\n"):
        relay.feed(piece + b"\n\n")
    body = relay.body()
    assert body is not None
    (kept,) = msgspec.json.decode(body.data)["parts"]
    assert part.items() <= kept.items()


def test_what_was_counted_before_a_break_is_known() -> None:  # pitfall 180
    begun = {"type": "message_start", "message": {"id": "m", "model": "c", "usage": {"input_tokens": 7}}}
    data = b"event: message_start\ndata: " + msgspec.json.encode(begun) + b"\n\n"

    def relay() -> Translation:
        messages = codec("anthropic_messages")
        made = Translation(CHAT, messages, REQUEST, quirks=Quirks(), response_id="r1", now=1, seal_part=same)
        made.feed(data)
        return made

    gone = relay().counted()
    assert gone is not None and gone.input == 7
    failed = relay()
    failed.fail(BOOM)
    assert failed.watch.usage == failed.counted() == gone


def test_a_compaction_is_one_part() -> None:  # pitfall 131
    relay = translation(Request("asked", compaction=True))
    assert not relay.feed(START + TEXT) or not relay.watch.output
    relay.feed(FINISH + COUNT + b"data: [DONE]\n\n")
    body = relay.body()
    assert body is not None and [part["type"] for part in msgspec.json.decode(body.data)["parts"]] == ["compaction"]


def answer(data: bytes, *, raw: bool = False) -> Whole:
    return whole(CHAT, CHAT, REQUEST, data, quirks=Quirks(), seal_part=same, raw=raw)


def test_whole_answers() -> None:
    assert answer(BODY, raw=True).data is BODY and answer(BODY, raw=True).body.kind == "stream"
    for data, raw in ((BODY, False), (STREAM, False), (STREAM, True)):  # pitfall 50
        found = answer(data, raw=raw)
        payload = msgspec.json.decode(found.data)
        assert payload["choices"][0]["message"]["content"] == "Hello" and payload["model"] == "asked"
        assert found.watch.usage is not None and found.watch.usage.input == 5 and found.watch.model == "used"
        assert found.body.kind == "response"


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("data", [HTML, ERROR, b"", b"{}", b"[1]", b"oops", START + TEXT, b"data: " + ERROR + b"\n\n"])
def test_a_whole_answer_that_is_none(data: bytes, raw: bool) -> None:  # pitfall 51
    with pytest.raises(Failure) as caught:
        answer(data, raw=raw)
    assert caught.value.error.upstream


def test_an_answer_in_the_background_passes_untouched() -> None:
    responses = codec("openai_responses")
    data = b'{"id": "resp_1", "object": "response", "status": "queued", "output": [], "error": null}'
    found = whole(responses, responses, REQUEST, data, quirks=Quirks(), seal_part=same, raw=True)
    assert found.data is data
    with pytest.raises(Failure):
        whole(responses, responses, REQUEST, data, quirks=Quirks(), seal_part=same)
