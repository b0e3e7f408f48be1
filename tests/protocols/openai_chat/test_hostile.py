"""Whatever the bytes: a decoder ends in one event, a request in a Failure that blames it; nothing else is raised."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from axonhub_cli.llm.errors import Failure
from axonhub_cli.llm.events import ResponseEnd, StreamError
from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.openai_chat import CODEC
from axonhub_cli.vendors import Quirks
from tests.protocols.openai_chat.support import FIXTURES, STREAMS, decode, sse

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "text", "name", "type"]), inner, max_size=2)
    ),
    max_leaves=4,
)
CHUNKS = [
    [
        msgspec.json.decode(line[5:])
        for line in path.read_bytes().splitlines()
        if line.startswith((b"data: {", b"data:{"))
    ]
    for path in STREAMS
]
REQUESTS = [msgspec.json.decode(path.read_bytes()) for path in sorted((FIXTURES / "requests").glob("*.json"))]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    found = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += [(value, key), *places(inner)]
    return found


def bend(data: st.DataObject, original: Any) -> Any:
    """A copy in which one value is another."""
    bent = copy.deepcopy(original)
    container, key = data.draw(st.sampled_from(places(bent)))
    container[key] = data.draw(values)
    return bent


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_streams_with_a_wrong_value_anywhere(data: st.DataObject) -> None:
    stream = sse(*bend(data, data.draw(st.sampled_from(CHUNKS))))
    events = decode(stream, quirks=Quirks(think_tags=data.draw(st.booleans())))
    assert isinstance(events[-1], (ResponseEnd, StreamError))
    CODEC.stream_watcher().feed(stream)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_streams_with_wrong_bytes_anywhere(data: st.DataObject) -> None:
    stream = bytearray(data.draw(st.sampled_from(STREAMS)).read_bytes())
    at = data.draw(st.integers(0, len(stream) - 1))
    stream[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    assert isinstance(decode(bytes(stream), 16)[-1], (ResponseEnd, StreamError))
    watcher = CODEC.stream_watcher()
    watcher.feed(bytes(stream))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_requests_with_a_wrong_value_anywhere(data: st.DataObject) -> None:
    payload = bend(data, data.draw(st.sampled_from(REQUESTS)))
    try:
        request = CODEC.decode_request(payload)
    except Failure as problem:
        blamed = (problem.error.status, bool(problem.error.param))
    else:
        blamed = (400, True)
        _sent_to_anyone(request)
    assert blamed == (400, True)


def _sent_to_anyone(request: Request) -> None:
    for quirks in (Quirks(), Quirks(fields=("temperature",), merge_system=True, vision=False, response_format="none")):
        msgspec.json.encode(CODEC.encode_request(request, quirks).payload)
    CODEC.stream_encoder(request, "r", 1).encode(decode(STREAMS[0].read_bytes()))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whole_answers_with_a_wrong_value_anywhere(data: st.DataObject) -> None:
    message = {
        "role": "assistant",
        "content": "hi",
        "reasoning_content": "why",
        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
    }
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}
    answer = {
        "id": "x",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }
    try:
        CODEC.decode_response(bend(data, answer), Quirks())
    except Failure as problem:
        blamed = problem.error.upstream
    else:
        blamed = True
    assert blamed
