"""Characters that are none, in what upstreams send: a mark stands for each, and the answer goes on."""

from __future__ import annotations

import msgspec
import pytest

from axonhub_cli.llm.content import TextPart
from axonhub_cli.llm.fold import fold
from axonhub_cli.protocols import loose
from axonhub_cli.protocols.base import UpstreamCodec
from axonhub_cli.protocols.registry import UPSTREAMS
from axonhub_cli.protocols.whole import decode_body
from tests.protocols import laws

BROKEN = [
    (b"a\\ud83d", "a?"),  # half a pair, as JavaScript writes what it has cut in two
    (b"a\\ude00 b", "a? b"),
    (b"a\xf0\x9f", "a\ufffd"),  # half a character
    (b"a\xff b", "a\ufffd b"),
]
EVENTS = {
    "openai_chat": [
        '{"id":"c","choices":[{"index":0,"delta":{"content":"%s"}}]}',
        '{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        "[DONE]",
    ],
    "openai_responses": [
        '{"type":"response.created","response":{"id":"resp_1"}}',
        '{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"%s"}',
        '{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":"%s"}}',
        '{"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[]}}',
    ],
    "anthropic_messages": [
        '{"type":"message_start","message":{"id":"msg_1"}}',
        '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}',
        '{"type":"content_block_stop","index":0}',
        '{"type":"message_delta","delta":{"stop_reason":"end_turn"}}',
        '{"type":"message_stop"}',
    ],
    "gemini": ['{"candidates":[{"content":{"parts":[{"text":"%s"}]},"finishReason":"STOP"}]}'],
}
WHOLE = {
    "openai_chat": '{"id":"c","choices":[{"message":{"content":"%s"},"finish_reason":"stop"}]}',
    "openai_responses": '{"id":"r","output":[{"type":"message","content":[{"type":"output_text","text":"%s"}]}]}',
    "anthropic_messages": '{"id":"m","content":[{"type":"text","text":"%s"}],"stop_reason":"end_turn"}',
    "gemini": EVENTS["gemini"][0],
}


@pytest.mark.parametrize(("text", "shown"), BROKEN)
@pytest.mark.parametrize("upstream", [UPSTREAMS[name] for name in EVENTS], ids=list(EVENTS))
def test_an_answer_outlives_a_broken_character(upstream: UpstreamCodec, text: bytes, shown: str) -> None:
    data = b"".join(b"data: %b\n\n" % event.encode().replace(b"%s", text) for event in EVENTS[upstream.name])
    assert fold(laws.decode_bytes(upstream, data)).parts == (TextPart(shown),)
    body = WHOLE[upstream.name].encode().replace(b"%s", text)
    assert decode_body(upstream, body, laws.NATIVE).parts == (TextPart(shown),)


@pytest.mark.parametrize("data", [b"", b"{", b'{"a": tru', b'"\\ud83d', b"\xff"])
def test_what_is_no_json_stays_none(data: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        loose.decode(data)
