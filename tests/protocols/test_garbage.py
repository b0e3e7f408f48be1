"""Upstreams are input too: whatever bytes arrive, nothing raises and the client is told once that it is over
(reliability B14, B15)."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonhub_cli.llm.errors import APIError, Failure
from axonhub_cli.llm.events import check
from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.base import Codec, UpstreamCodec
from axonhub_cli.protocols.registry import PROTOCOLS, UPSTREAMS
from axonhub_cli.protocols.translator import Passthrough, whole
from tests.protocols import laws
from tests.protocols.laws import NATIVE, decode_bytes

SCRAPS = [
    b"",
    b"\n\n",
    b'"',
    b"null",
    b"[]",
    b"{}",
    b"-1",
    b"1e999",
    b'"\\ud800"',
    b"\xff",
    b"data: ",
    b"data: [DONE]\n\n",
]
EDITS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 40), st.sampled_from(SCRAPS)), min_size=1, max_size=4
)
clients = pytest.mark.parametrize("client", PROTOCOLS.values(), ids=PROTOCOLS)


def damaged(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for place, size, scrap in edits:
        at = int(place * len(data))
        data = data[:at] + scrap + data[at + size :]
    return data


def values_replaced(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """JSON that stays JSON, with values of the wrong type in it."""
    for place, _, scrap in edits:
        colon = data.find(b'":', int(place * len(data)))
        ends = [end for end in (data.find(mark, colon) for mark in (b",", b"}")) if end > 0]
        if colon > 0 and ends and not scrap.startswith(b"data"):
            data = data[: colon + 2] + (scrap.strip() or b"true") + data[min(ends) :]
    return data


@clients
@given(st.sampled_from(laws.STREAMS), EDITS, st.sampled_from([damaged, values_replaced]), st.integers(1, 500))
@settings(max_examples=60, deadline=None)
def test_streams(client: Codec, stream: laws.Fixture, edits: object, damage: object, step: int) -> None:
    data: bytes = damage(stream.data, edits)  # type: ignore[operator]
    relay = laws.translation(client, stream.codec, stream.request())
    said = b"".join(relay.feed(data[at : at + step]) for at in range(0, len(data), step)) + relay.close()
    assert relay.watch.ended != (relay.watch.error is not None)
    list(check(decode_bytes(client, said)))
    if stream.codec.name not in PROTOCOLS:
        return  # nobody passes through it
    raw = Passthrough(stream.codec, Request("m"), quirks=NATIVE, response_id="r", now=1)
    passed = b"".join(raw.feed(data[at : at + step]) for at in range(0, len(data), step))
    assert passed == data or raw.watch.error is not None or not data.startswith(b"data")
    raw.close()
    assert raw.close() == raw.keepalive() == b""


@pytest.mark.parametrize("stream", laws.STREAMS, ids=str)
def test_every_field_of_another_kind(stream: laws.Fixture) -> None:
    """Each field where a stream first has it, and where it has it last, as anything that JSON knows."""
    client = PROTOCOLS["openai_responses"]
    places = {found[0]: found.end() for found in re.finditer(rb'"[A-Za-z_]+":', stream.data)}
    firsts = {stream.data.find(name) + len(name) for name in places}
    for at in sorted(firsts.union(places.values())):
        end = min(end for end in (stream.data.find(mark, at) for mark in (b",", b"}")) if end > 0)
        for value in (b"null", b"[]", b"{}", b"true", b"-1", b"1e999", b'"x"'):
            relay = laws.translation(client, stream.codec, stream.request())
            said = relay.feed(stream.data[:at] + value + stream.data[end:]) + relay.close()
            assert relay.watch.ended != (relay.watch.error is not None)
            list(check(decode_bytes(client, said)))


@clients
@given(st.sampled_from(laws.RESPONSES), EDITS, st.sampled_from([damaged, values_replaced]))
@settings(max_examples=60, deadline=None)
def test_whole_answers(client: Codec, response: laws.Fixture, edits: object, damage: object) -> None:
    data: bytes = damage(response.data, edits)  # type: ignore[operator]
    for raw in {False, client is response.codec}:
        try:
            found = whole(
                client, response.codec, Request("m"), data, quirks=NATIVE, seal_part=lambda part: part, raw=raw
            )
        except Failure:
            continue
        assert found.data and found.body.data


@pytest.mark.parametrize("upstream", UPSTREAMS.values(), ids=UPSTREAMS)
@pytest.mark.parametrize("kind", ["response.completed", "message_start", "chunk"])
def test_json_that_is_nested_too_deep(upstream: UpstreamCodec, kind: str) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    names = ("choices", "usage", "response", "message", "candidates", "usageMetadata")
    fields = b",".join(b'"%b":%b' % (name.encode(), deep) for name in names)
    data = b'data: {"type":"%b","finish_reason":"x",%b}\n\n' % (kind.encode(), fields)
    list(check(decode_bytes(upstream, data)))
    if upstream.name in PROTOCOLS:
        PROTOCOLS[upstream.name].stream_watcher().feed(data)


@clients
@given(st.binary(max_size=200))
def test_anything(client: Codec, data: bytes) -> None:
    for upstream in UPSTREAMS.values():
        relay = laws.translation(client, upstream, Request("m"))
        said = relay.feed(data) + relay.close()
        assert relay.watch.error is not None
        list(check(decode_bytes(client, said)))


@pytest.mark.parametrize("request_", laws.REQUESTS, ids=str)
@given(EDITS)
@settings(max_examples=25, deadline=None)
def test_requests(request_: laws.Fixture, edits: list[tuple[float, int, bytes]]) -> None:  # reliability B1, B8
    try:
        payload = msgspec.json.decode(values_replaced(request_.data, edits))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    for target in UPSTREAMS.values():
        refused = _refused(request_.codec, target, payload)
        assert refused is None or (400 <= refused.status < 500 and refused.message)


def _refused(client: Codec, target: UpstreamCodec, payload: Any) -> APIError | None:
    try:
        target.encode_request(client.decode_request(payload), NATIVE)
    except Failure as failure:
        return failure.error
    return None
