"""Ordinary chunks take a short way; whatever they hold, it ends where the long way does."""

from __future__ import annotations

import json

import pytest

from axonhub_cli.llm.events import PartDelta, PartEnd, StreamError, StreamEvent
from axonhub_cli.protocols.openai_chat import CODEC
from axonhub_cli.protocols.openai_chat.hot import ChunkTemplate
from axonhub_cli.protocols.openai_chat.wire import decode_strict
from axonhub_cli.vendors import CHANNEL_TYPES

QUIRKS = CHANNEL_TYPES["openai-compatible"].quirks
HEAD = b'data: {"id":"c1","model":"m","created":7,"choices":[{"index":0,"delta":{'
TAIL = b'},"finish_reason":null}]}\n\n'
FIELDS = {
    "content": b'"role":"assistant","content":%b',
    "reasoning_content": b'"content":null,"reasoning_content":%b',
    "reasoning": b'"content":"","reasoning":%b',
    "arguments": b'"tool_calls":[{"index":0,"function":{"arguments":%b}}]',
}
CALL = HEAD + b'"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]' + TAIL
DONE = b"data: [DONE]\n\n"
STOP = b'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'

ORDINARY = ["a", "\n", ' "b"', "\\", "", "ü", "🙂", "\x7f", "z"]
ODD = {
    "an escape cut in two": [b'"a"', b'"b"', b'"\\"', b'"c"'],
    "a character cut in two": [b'"a"', b'"\xc3"', b'"\xbc"', b'"c"'],
    "half an emoji": [b'"a"', b'"\\ud83d"', b'"\\ude42"', b'"c"'],
    "half an escape": [b'"a"', b'"\\u00"', b'"41"', b'"c"'],
    "a quote too many": [b'"a"', b'"b"c"', b'"c"'],
    "a string that plays a field": [b'"a"', b'"b","refusal":"no"', b'"c"'],
    "no string": [b'"a"', b"null", b'"c"'],
    "a joint of our own": [b'"a"', b'"\x7f"', b'"\\u007f"', b'"c"'],
    "a line that breaks": [b'"a"', b'"b\nc"', b'"c"'],
}


class Untaught(ChunkTemplate):
    """Never knows a chunk: the long way for all."""

    def learn(self, data: bytes, chunk: object) -> None:
        """Nothing."""


def chunks(field: str, strings: list[bytes], between: bytes = b"") -> list[bytes]:
    pieces = [HEAD + FIELDS[field] % string + TAIL for string in strings]
    if between:
        pieces.insert(len(pieces) // 2, between)
    return [*([CALL] if field == "arguments" else []), *pieces, STOP, DONE]


def decoded(pieces: list[bytes], per_read: int, long_way: bool = False) -> list[StreamEvent]:
    decoder = CODEC.stream_decoder(QUIRKS)
    if long_way:
        decoder._hot = Untaught()
    events: list[StreamEvent] = []
    for at in range(0, len(pieces), per_read):
        events += decoder.feed(b"".join(pieces[at : at + per_read]))
    return events + decoder.close()


def outcome(events: list[StreamEvent]) -> list[object]:
    """What does not depend on where reads end."""
    text = "".join(event.text for event in events if isinstance(event, PartDelta))
    ends = [event.part for event in events if isinstance(event, PartEnd)]
    return [text, *ends, type(events[-1]), *(e.error.kind for e in events if isinstance(e, StreamError))]


@pytest.mark.parametrize("per_read", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("case", ODD)
def test_odd_strings_end_as_on_the_long_way(field: str, case: str, per_read: int) -> None:
    pieces = chunks(field, [b'"x"', b'"y"', *ODD[case]])
    assert outcome(decoded(pieces, per_read)) == outcome(decoded(pieces, 1, long_way=True))


@pytest.mark.parametrize("per_read", [1, 2, 3, 100])
@pytest.mark.parametrize("ascii", [True, False])
@pytest.mark.parametrize("field", FIELDS)
def test_ordinary_strings_add_up(field: str, ascii: bool, per_read: int) -> None:
    pieces = chunks(field, [json.dumps(text, ensure_ascii=ascii).encode() for text in ORDINARY * 3])
    events = decoded(pieces, per_read)
    assert outcome(events)[0] == "".join(ORDINARY * 3)
    assert outcome(events) == outcome(decoded(pieces, 1, long_way=True))


@pytest.mark.parametrize(
    "between",
    [
        b": ping\n\n",
        b"event: error\ndata: {}\n\n",
        b'data: {"id":"c1","choices":[],"usage":null}\n\n',
        HEAD + b'"content":"other"' + TAIL,
        HEAD + b'"refusal":"no"' + TAIL,
        HEAD.replace(b'"created":7', b'"created":8') + b'"role":"assistant","content":"later"' + TAIL,
        DONE,
        STOP,
        b'data: {"error":{"message":"no"}}\n\n',
    ],
)
@pytest.mark.parametrize("per_read", [2, 4, 100])
@pytest.mark.parametrize("field", ["content", "arguments"])
def test_other_events_between_are_seen(field: str, between: bytes, per_read: int) -> None:
    pieces = chunks(field, [b'"%d"' % number for number in range(12)], between)
    assert outcome(decoded(pieces, per_read)) == outcome(decoded(pieces, 1, long_way=True))


@pytest.mark.parametrize("per_read", [1, 2, 100])
def test_arguments_after_a_call_that_is_complete(per_read: int) -> None:
    """Whether another call waits decides what closes the first: joined fragments must not hide it."""
    second = CALL.replace(b'"index":0,"id":"a"', b'"index":1,"id":"b"')
    pieces = chunks("arguments", [b'"{"', b'" "', b'" "', b'"}"', b'"{"', b'"}"'], second)
    assert outcome(decoded(pieces, per_read)) == outcome(decoded(pieces, 1, long_way=True))


@pytest.mark.parametrize("spaced", [True, False])
@pytest.mark.parametrize("field", FIELDS)
def test_usual_shapes_are_known(field: str, spaced: bool) -> None:
    """Without this the stream is right and slow."""
    data = (HEAD + FIELDS[field] % b'"one"' + TAIL)[6:-2]
    if spaced:
        data = data.replace(b'":', b'": ').replace(b',"', b', "')
    template = ChunkTemplate()
    template.learn(data, decode_strict(data))
    assert template.field == field
    other = data.replace(b'"one"', b'"t\\n\\"wo"')
    assert template.text(other) == 't\n"wo'
    events = b"\n\n".join(b"data: " + piece for piece in (data, other, data))
    assert template.run(events) == ('onet\n"woone', b"")
    assert template.run(events + b"\n\ndata: [DONE]") == ('onet\n"woone', b"data: [DONE]")
    template.forget()
    assert template.text(other) is None and template.run(events) is None


def test_noise_in_each_chunk_is_given_up_on() -> None:
    """OpenAI pads chunks with random text: learning each of them would cost more than it saves."""
    template = ChunkTemplate()
    for number in range(20):
        if template.wanted:
            data = (HEAD + b'"content":"x"' + TAIL)[6:-3] + b',"obfuscation":"%d"}' % number
            template.learn(data, decode_strict(data))
    assert not template.wanted
