"""Answers that break, end oddly or come in odd pieces; names are rows of docs/reliability.md."""

import asyncio
import json
import time

import pytest

from tests.server.hub import channel, events, hub, kinds
from tests.server.upstreams import (
    DONE,
    Upstream,
    answers,
    chat_answer,
    chat_stream,
    responses_events,
    streams,
)

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}


@pytest.mark.parametrize("count", range(1, len(chat_stream()) - 2))
async def test_f3_f5_a_cut_after_output_ends_in_an_error_and_no_second_call(tmp_path, count):
    async def cut(wire):
        await wire.head()
        for piece in chat_stream()[: count + 1]:
            await wire.chunk(piece)
        wire.reset()

    async with (
        Upstream(cut) as bad,
        Upstream(streams()) as good,
        hub(tmp_path, [channel("bad", bad.url), channel("good", good.url)]) as h,
    ):
        status, _, text = await h.ask()
        record = await h.finished()
    found = kinds(text)
    assert status == 200
    assert found.count("response.failed") + found.count("response.completed") == 1
    if record.channel == "bad":
        assert found[-1] == "response.failed"
        assert good.calls == []
        assert record.status == "failed"
    else:
        assert len(bad.calls) == 2


@pytest.mark.parametrize("ending", ["reset", "clean"])
async def test_f5_chat_clients_never_see_a_clean_end_of_a_cut_stream(tmp_path, ending):
    async def cut(wire):
        await wire.head()
        for piece in chat_stream()[:3]:
            await wire.chunk(piece)
        if ending == "clean":
            await wire.end()
        else:
            await asyncio.sleep(0.05)
            wire.reset()

    async with Upstream(cut) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        body = json.dumps(CHAT).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{h.port}\r\nAuthorization: Bearer {h.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        received = await h.raw(head.encode() + body)
    assert b'"error"' in received
    assert b"[DONE]" not in received
    assert not received.endswith(b"0\r\n\r\n")  # reliability 0.6


async def test_f6_f7_after_an_error_event_the_stream_closes_at_once(tmp_path):
    async def fails(wire):
        await wire.head()
        for piece in chat_stream()[:3]:
            await wire.chunk(piece)
        await asyncio.sleep(0.05)
        await wire.chunk(b'data: {"error":{"message":"the model fell over","type":"server_error"}}\n\n')
        await wire.silence()

    async with (
        Upstream(fails) as up,
        hub(tmp_path, [channel("a", up.url)]) as h,
        h.post() as response,
    ):
        last = None
        async for chunk in response.content.iter_any():
            last = time.monotonic(), chunk
        assert time.monotonic() - last[0] < 0.2
        assert b"response.failed" in last[1]
        assert b"the model fell over" in last[1]
        await asyncio.wait_for(up.calls[0].closed.wait(), 1)


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
async def test_f28_any_cut_of_the_stream_is_read_right(tmp_path, size, newline):
    whole = b"".join(chat_stream("Grüße und mehr")).replace(b"\n", newline)

    async def script(wire):
        await wire.head()
        for start in range(0, len(whole), size):
            await wire.chunk(whole[start : start + size])
        await wire.end()

    async with Upstream(script) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        _, _, text = await h.ask()
    deltas = [event["delta"] for event in events(text) if event["type"] == "response.output_text.delta"]
    assert "".join(deltas).strip() == "Grüße und mehr"
    assert kinds(text)[-1] == "response.completed"


async def test_f29_an_event_of_8_mib_passes(tmp_path):  # pitfall 154
    pieces = responses_events("x" * (4 << 20))

    async def script(wire):
        await wire.head()
        for piece in pieces:
            for start in range(0, len(piece), 1 << 18):
                await wire.chunk(piece[start : start + (1 << 18)])
        await wire.end()

    async with (
        Upstream(script) as up,
        hub(tmp_path, [channel("o", up.url, type="openai")]) as h,
        h.post() as response,
    ):
        received = await response.read()
    assert received == b"".join(pieces)


@pytest.mark.parametrize(
    "change",
    [
        lambda pieces: pieces[:-1],  # no [DONE]
        lambda pieces: [*pieces, DONE],
        lambda pieces: [*pieces, b": bye\n\n"],
        lambda pieces: [*pieces[:-2], DONE],  # no usage
    ],
)
async def test_f30_only_the_terminal_event_decides(tmp_path, change):
    async with Upstream(streams(change(chat_stream()))) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        _, _, text = await h.ask()
        record = await h.finished()
    assert kinds(text)[-1] == "response.completed"
    assert record.status == "completed"
    assert record.input_tokens in (11, None)


async def test_json_where_a_stream_was_asked_for(tmp_path):  # pitfall 50
    async with Upstream(answers(200, chat_answer())) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        _, _, text = await h.ask()
    assert kinds(text)[-1] == "response.completed"
