"""Upstreams and clients that fall silent or hang up; names are rows of docs/reliability.md."""

import asyncio
import json
import time
from functools import partial

import aiohttp
import pytest
from msgspec.structs import replace

from axonhub_cli.server.client import HTTPClient
from tests.server import hub as served
from tests.server.hub import FAST, channel, events, kinds
from tests.server.speakers import TYPES, clients, messages_stream, sse
from tests.server.upstreams import DONE, Upstream, chat_chunk, chat_stream, responses_events, silent, streams

hub = partial(served.hub, limits=FAST)


async def test_f8_silence_before_the_first_byte_is_bounded_and_the_client_hears_from_us(tmp_path):
    async with (
        Upstream(silent) as bad,
        Upstream(streams()) as good,
        hub(tmp_path, [channel("bad", bad.url), channel("good", good.url)]) as h,
    ):
        start = time.monotonic()
        async with h.post() as response:
            await response.content.readany()
            assert time.monotonic() - start < FAST.first_byte_s  # pitfall 151: an event, not a comment
            rest = (await response.content.read()).decode()
        took = time.monotonic() - start
    assert kinds(rest)[-1] == "response.completed"
    assert FAST.first_byte_s <= took < FAST.first_byte_s + 1


async def test_f8_headers_and_then_silence(tmp_path):
    async def headers_only(wire):
        await wire.head()
        await wire.silence()

    async with Upstream(headers_only) as bad, hub(tmp_path, [channel("bad", bad.url)]) as h:
        status, _, text = await h.ask()
        record = await h.finished()
    assert status == 200  # keepalives had gone
    assert kinds(text)[-1] == "response.failed"
    assert record.error_kind == "timeout"


async def test_f9_a_stall_in_mid_stream_ends_in_an_error_whatever_keepalives_flow(tmp_path):  # pitfall 152
    async def stalls(wire):
        await wire.head()
        for piece in chat_stream()[:3]:
            await wire.chunk(piece)
        await wire.silence()

    async with Upstream(stalls) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        start = time.monotonic()
        _, _, text = await h.ask()
        took = time.monotonic() - start
        await asyncio.wait_for(up.calls[0].closed.wait(), 1)
    assert kinds(text)[-1] == "response.failed"
    assert kinds(text).count("response.in_progress") > 1  # keepalives meanwhile
    assert FAST.idle_upstream_s <= took < FAST.idle_upstream_s + 1


async def test_f10_slow_but_alive_is_left_alone(tmp_path):
    async def slow(wire):
        await wire.head()
        pieces = chat_stream("one two three")
        for piece in pieces:
            await wire.chunk(piece)
            await asyncio.sleep(FAST.idle_upstream_s / 3)
        await wire.end()

    async with Upstream(slow) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        _, _, text = await h.ask()
    assert kinds(text)[-1] == "response.completed"


async def _headers_then(wire):
    await wire.head()
    await wire.silence()


async def _output_then(wire):
    await wire.head()
    for piece in chat_stream()[:3]:
        await wire.chunk(piece)
    await wire.silence()


async def _slow_down(wire):
    await wire.answer(429, {"error": {"message": "slow down"}}, extra=("Retry-After: 2",))


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("point", [silent, _headers_then, _output_then, _slow_down])
async def test_f11_a_client_that_hangs_up_stops_the_upstream(tmp_path, point, stream):  # pitfall 145
    patient = replace(FAST, first_byte_s=9.0, first_byte_whole_s=9.0, first_output_s=9.0, idle_upstream_s=9.0)
    async with Upstream(point) as up, hub(tmp_path, [channel("a", up.url)], limits=patient) as h:
        request = asyncio.create_task(h.ask(payload={"model": "m", "input": "hi", "stream": stream}))
        while not up.calls:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        request.cancel()
        record = await h.finished(1.0)
        if point is not _slow_down:
            await asyncio.wait_for(up.calls[0].closed.wait(), 1)
        assert record.status == "canceled"
        assert len(up.calls) == 1
        assert h.running.hub.health.channel_rest(channel("a", up.url), "m", time.monotonic()) is None  # pitfall 146


async def test_f11_a_client_that_goes_at_the_first_word_is_no_error_of_ours(tmp_path, monkeypatch, caplog):
    async def gone(*_):
        raise ConnectionResetError("Cannot write to closing transport")

    monkeypatch.setattr(HTTPClient, "send", gone)
    monkeypatch.setattr(HTTPClient, "end", gone)
    async with Upstream(streams()) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        with pytest.raises(aiohttp.ClientError):
            await h.ask()
        assert (await h.finished()).status == "canceled"
    assert "internal error" not in caplog.text


async def test_l7_a_client_that_does_not_read_is_cut_off(tmp_path):
    async def endless(wire):
        await wire.head()
        while True:
            await wire.chunk(chat_chunk({"content": "x" * 8000}))

    async with Upstream(endless) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        body = json.dumps({"model": "m", "input": "hi", "stream": True}).encode()
        _, writer = await asyncio.open_connection("127.0.0.1", h.port, limit=1024)
        writer.write(
            f"POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1:{h.port}\r\nAuthorization: Bearer {h.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        record = await h.finished(5)
        assert record.status == "canceled"
        await asyncio.wait_for(up.calls[0].closed.wait(), 1)
        writer.close()


async def _after(wire, pieces, seconds=2.5 * FAST.keepalive_s):
    await asyncio.sleep(seconds)
    await wire.head()
    await wire.chunk(pieces[0])
    await asyncio.sleep(seconds)
    for piece in pieces[1:]:
        await wire.chunk(piece)
    await wire.end()


@pytest.mark.parametrize("failing", [False, True])
async def test_an_answer_that_began_with_keepalives_begins_once(tmp_path, failing):  # pitfall 151
    tool = {"type": "custom", "name": "apply_patch", "description": "edits"}
    function = {"name": "apply_patch", "arguments": '{"input":"x"}'}
    call = {"index": 0, "id": "c1", "type": "function", "function": function}
    pieces = [
        chat_chunk({"role": "assistant", "content": ""}),
        chat_chunk({"tool_calls": [call]}),
        chat_chunk(finish="tool_calls"),
        DONE,
    ]

    async def late(wire):
        await _after(wire, pieces)

    async with Upstream(silent) as bad, Upstream(late) as good:
        rows = [*([channel("bad", bad.url)] if failing else []), channel("good", good.url)]
        async with hub(tmp_path, rows) as h:
            _, _, text = await h.ask(payload={"model": "m", "input": "hi", "stream": True, "tools": [tool]})
    found = events(text)
    assert [event["type"] for event in found].count("response.created") == 1
    assert kinds(text).count("response.in_progress") > 2
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert len({event["response"]["id"] for event in found if "response" in event}) == 1
    assert found[-1]["response"]["output"][0]["type"] == "custom_tool_call"


async def test_a_relayed_answer_is_not_begun_by_us(tmp_path):  # pitfall 151
    pieces = responses_events()

    async def late(wire):
        await _after(wire, pieces)

    async with Upstream(late) as up, hub(tmp_path, [channel("o", up.url, type="openai")]) as h:
        _, _, text = await h.ask()
    alive = 'event: keepalive\ndata: {"type":"keepalive"}\n\n'
    assert text.count(alive) > 1
    assert text.replace(alive, "").encode() == b"".join(pieces)


async def test_openais_sdk_takes_the_keepalives_before_a_relayed_answer(tmp_path):  # pitfall 151
    """Its `stream` helper ends at any event before `response.created` (Python, 3.57)."""

    async def late(wire):
        await _after(wire, responses_events())

    async with Upstream(late) as up, hub(tmp_path, [channel("o", up.url, type="openai")]) as h:
        async with clients(h).openai.responses.stream(model="m", input="hi") as answer:
            assert (await answer.get_final_response()).output_text == "Hello there"
        headers = {"x-stainless-lang": "python"}
        _, _, text = await h.ask(headers=headers)
    assert text.startswith(": keepalive\n\n: keepalive\n\n")


@pytest.mark.parametrize("protocol", ["openai_responses", "anthropic_messages"])
async def test_what_was_begun_goes_on_over_a_channel_that_could_have_been_relayed(tmp_path, protocol):  # pitfall 151
    """The first channel is translated and silent, the second speaks the client's protocol and would begin anew."""
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "theirs"}
    done = {"type": "response.output_item.done", "output_index": 0, "item": thought}
    pieces = {
        "openai_responses": [*responses_events()[:2], *sse(done, named=True), *responses_events()[2:]],
        "anthropic_messages": messages_stream(
            {"type": "thinking", "thinking": "hm", "signature": "theirs"}, {"type": "text", "text": "Hello there"}
        ),
    }[protocol]
    async with Upstream(silent) as bad, Upstream(streams(pieces)) as good:
        rows = [channel("bad", bad.url), channel("good", good.url, type=TYPES[protocol])]
        async with hub(tmp_path, rows) as h:
            path, payload = {
                "openai_responses": ("/v1/responses", None),
                "anthropic_messages": (
                    "/v1/messages",
                    {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]},
                ),
            }[protocol]
            _, _, text = await h.ask(path, payload)
            record = await h.finished()
    found = events(text)
    assert sum(event["type"] in ("response.created", "message_start") for event in found) == 1
    assert len({event["response"]["id"] for event in found if "response" in event}) <= 1
    assert '"theirs"' in text and "Hello there" in text
    assert (record.status, record.attempts, record.channel, record.input_tokens) == ("completed", 2, "good", 11)


async def test_what_was_begun_ends_in_its_own_words(tmp_path):
    async with Upstream(silent) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        _, _, text = await h.ask()
    found = events(text)
    assert kinds(text).count("response.created") == 1
    assert found[-1]["type"] == "response.failed"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))


async def test_a_running_request_says_where_it_is(tmp_path):
    async with Upstream(silent) as up, hub(tmp_path, [channel("slow", up.url)]) as h, h.post() as response:
        await response.content.readany()
        assert (h.records.last.status, h.records.last.channel, h.records.last.attempts) == ("running", "slow", 1)
