"""Usage is conserved in all sixteen directions, streamed and whole: what is known arrives, what is unknown stays so.

Where a wire insists on a number that nobody knows, the client reads 0 or our guess; the record does not (pitfalls 34,
35, 176, 178, 179).
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.llm.response import Usage
from axonhub_cli.protocols.base import Codec
from axonhub_cli.protocols.registry import PROTOCOLS
from axonhub_cli.protocols.translator import Passthrough, whole
from tests.protocols import laws

COUNTS = ("input", "cached", "cache_written", "output", "reasoning")
UNSAYABLE = {"gemini": {"cache_written"}}  # counts that a wire has no word for
ASKED = Request("m", (Message(Role.USER, ()),), stream=True, extras=laws.TELL_USAGE)
JSON = dict[str, Any]


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Counts that an upstream may tell; parts of a sum only beside the sum. Something is always known."""
    small = st.integers(0, 10**7)
    known = draw(st.sampled_from(["both", "input", "output"]))
    total = draw(st.integers(1, 10**7)) if known != "output" else None
    output = draw(st.integers(1, 10**7)) if known != "input" else None
    cached = draw(st.none() | st.integers(0, total)) if total is not None else None
    written = draw(st.none() | small.filter(lambda n: n <= (total or 0) - (cached or 0))) if total is not None else None
    reasoning = draw(st.none() | st.integers(0, output)) if output is not None else None
    return Usage(total, cached, written, output, reasoning)


def given_only(**counts: Any) -> JSON:
    return {name: count for name, count in counts.items() if count not in (None, {})}


def chat_usage(usage: Usage) -> JSON:
    return given_only(
        prompt_tokens=usage.input,
        completion_tokens=usage.output,
        prompt_tokens_details=given_only(cached_tokens=usage.cached, cache_write_tokens=usage.cache_written),
        completion_tokens_details=given_only(reasoning_tokens=usage.reasoning),
    )


def responses_usage(usage: Usage) -> JSON:
    return given_only(
        input_tokens=usage.input,
        output_tokens=usage.output,
        input_tokens_details=given_only(cached_tokens=usage.cached, cache_write_tokens=usage.cache_written),
        output_tokens_details=given_only(reasoning_tokens=usage.reasoning),
    )


def messages_usage(usage: Usage) -> JSON:
    fresh = None if usage.input is None else usage.input - (usage.cached or 0) - (usage.cache_written or 0)
    return given_only(
        input_tokens=fresh,
        cache_read_input_tokens=usage.cached,
        cache_creation_input_tokens=usage.cache_written,
        output_tokens=usage.output,
        output_tokens_details=given_only(thinking_tokens=usage.reasoning),
    )


def gemini_usage(usage: Usage) -> JSON:
    spoken = None if usage.output is None else usage.output - (usage.reasoning or 0)
    return given_only(
        promptTokenCount=usage.input,
        cachedContentTokenCount=usage.cached,
        candidatesTokenCount=spoken,
        thoughtsTokenCount=usage.reasoning,
    )


def sse(*events: JSON) -> bytes:
    return b"".join(b"data: " + msgspec.json.encode(event) + b"\n\n" for event in events)


def chat(usage: Usage, streamed: bool) -> bytes:
    answer: JSON = {"id": "c", "created": 1, "model": "m", "usage": chat_usage(usage)}
    said = {"role": "assistant", "content": "hi"}
    if not streamed:
        choice = {"index": 0, "message": said, "finish_reason": "stop"}
        return msgspec.json.encode({**answer, "object": "chat.completion", "choices": [choice]})
    chunk = {**answer, "object": "chat.completion.chunk"}
    choices = [{"index": 0, "delta": said, "finish_reason": None}, {"index": 0, "delta": {}, "finish_reason": "stop"}]
    spoken = [{**chunk, "usage": None, "choices": [choice]} for choice in choices]
    return sse(*spoken, {**chunk, "choices": []}) + b"data: [DONE]\n\n"


def responses(usage: Usage, streamed: bool) -> bytes:
    part = {"type": "output_text", "text": "hi", "annotations": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    answer = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed"}
    answer |= {"output": [item], "usage": responses_usage(usage)}
    if not streamed:
        return msgspec.json.encode(answer)
    begun = {**answer, "status": "in_progress", "output": [], "usage": None}
    return sse(
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {
            "type": "response.output_text.delta",
            "output_index": 0,
            "content_index": 0,
            "item_id": "msg_1",
            "delta": "hi",
        },
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": answer},
    )


def messages(usage: Usage, streamed: bool) -> bytes:
    counts, block = messages_usage(usage), {"type": "text", "text": "hi"}
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
    if not streamed:
        return msgspec.json.encode({**answer, "content": [block], "usage": counts})
    first = {name: count for name, count in counts.items() if not name.startswith("output")}
    return sse(
        {"type": "message_start", "message": {**answer, "content": [], "stop_reason": None, "usage": first}},
        {"type": "content_block_start", "index": 0, "content_block": {**block, "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": counts},
        {"type": "message_stop"},
    )


def gemini(usage: Usage, streamed: bool) -> bytes:
    candidate: JSON = {"content": {"role": "model", "parts": [{"text": "hi"}]}, "index": 0}
    answer = {"modelVersion": "m", "responseId": "r", "candidates": [{**candidate, "finishReason": "STOP"}]}
    answer["usageMetadata"] = gemini_usage(usage)
    if not streamed:
        return msgspec.json.encode(answer)
    return sse({**answer, "candidates": [candidate], "usageMetadata": {}}, answer)


ANSWERS = {"openai_chat": chat, "openai_responses": responses, "anthropic_messages": messages, "gemini": gemini}


def told(client: Codec, upstream: Codec, body: bytes, streaming: bool) -> tuple[Usage | None, Usage | None]:
    """What the client reads, and what is recorded."""
    raw = client is upstream
    if not streaming:
        found = whole(client, upstream, ASKED, body, quirks=laws.NATIVE, seal_part=lambda part: part, raw=raw)
        return client.decode_usage(msgspec.json.decode(found.data)), found.watch.usage
    relay: Any = laws.translation(client, upstream, ASKED)
    if raw:
        relay = Passthrough(client, ASKED, quirks=laws.NATIVE, response_id="resp1", now=1)
    said = relay.feed(body) + relay.close()
    return laws.ending(laws.decode_bytes(client, said)).usage, relay.watch.usage


@pytest.mark.parametrize("streaming", [True, False], ids=["to a stream", "to one piece"])
@pytest.mark.parametrize("streamed", [True, False], ids=["from a stream", "from one piece"])
@pytest.mark.parametrize("upstream", PROTOCOLS)
@pytest.mark.parametrize("client", PROTOCOLS)
@given(usage=usages())
@settings(max_examples=25, deadline=None)
def test_what_is_known_arrives(client: str, upstream: str, streamed: bool, streaming: bool, usage: Usage) -> None:
    body = ANSWERS[upstream](usage, streamed)
    read, recorded = told(PROTOCOLS[client], PROTOCOLS[upstream], body, streaming)
    assert read is not None and recorded is not None
    for count in COUNTS:
        known = None if count in UNSAYABLE.get(upstream, ()) else getattr(usage, count)
        assert getattr(recorded, count) == known, count
        if known is not None and count not in UNSAYABLE.get(client, ()):
            assert (getattr(read, count) or 0) == known, count
    assert not recorded.estimated


@pytest.mark.parametrize("streaming", [True, False], ids=["to a stream", "to one piece"])
@pytest.mark.parametrize("streamed", [True, False], ids=["from a stream", "from one piece"])
@pytest.mark.parametrize("upstream", PROTOCOLS)
@pytest.mark.parametrize("client", PROTOCOLS)
def test_what_nobody_counted_is_recorded_as_unknown(
    client: str, upstream: str, streamed: bool, streaming: bool
) -> None:
    body = ANSWERS[upstream](Usage(), streamed)
    _, recorded = told(PROTOCOLS[client], PROTOCOLS[upstream], body, streaming)
    assert recorded is None or {getattr(recorded, count) for count in COUNTS} == {None}
