"""Responses over WebSocket, over real sockets: waiting, limits, who gets in, and goodbyes."""

import asyncio

import aiohttp
import pytest
from msgspec.structs import replace

from axonhub_cli.server.websocket import SocketClient
from tests.server.hub import CALM, FAST, hub
from tests.server.sockets import emptied, half, id_of, said, talk, talking
from tests.server.speakers import speaks
from tests.server.test_directions import row
from tests.server.upstreams import Upstream, chat_chunk, responses_events


async def test_keepalives_are_frames(tmp_path):  # pitfall 151
    async def late(wire):
        await asyncio.sleep(3 * FAST.keepalive_s)
        await speaks("openai_chat")(wire)

    async with talking(tmp_path, late, limits=FAST) as (_, _, t):
        kinds = [frame["type"] for frame in await t.ask(said("hi"))]
    assert kinds.count("response.in_progress") > 1 and kinds.count("response.created") == 1
    assert kinds[-1] == "response.completed"


async def test_an_upstream_that_falls_silent(tmp_path):
    async with talking(tmp_path, half, limits=FAST) as (_, _, t):
        frames = await t.ask(said("hi"))
        assert frames[-1]["type"] == "response.failed" and "too long" in frames[-1]["response"]["error"]["message"]


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_client_that_leaves_ends_the_upstream_call(tmp_path, how):  # pitfall 145
    async with Upstream(half) as up, hub(tmp_path, [row("openai_chat", up)]) as h:
        async with talk(h) as t:
            await t.send(said("hi"))
            while (await t.frame())["type"] != "response.output_text.delta":
                pass
            if how == "abort":
                t.socket._response.connection.transport.abort()
            else:
                await t.socket.close()
            await asyncio.wait_for(up.calls[0].closed.wait(), 2)
        assert (await h.finished()).status == "canceled"
        await emptied(h)


async def test_an_event_that_never_ends(tmp_path):  # reliability B14
    async def script(wire):
        await wire.head()
        for piece in responses_events()[:6]:
            await wire.chunk(piece)
        await wire.chunk(b'data: {"type":"response.output_text.delta","delta":"')
        for _ in range(20):
            await wire.chunk(b"x" * (1 << 20))
        await wire.silence()

    async with talking(tmp_path, script, protocol="openai_responses") as (up, h, t):
        frames = await t.ask(said("hi"))
        assert frames[-1]["type"] == "response.failed"
        assert "too large" in frames[-1]["response"]["error"]["message"]
        assert (await h.finished()).status == "failed"
        up.script = speaks("openai_responses")
        id_of(await t.ask(said("hi")))


async def test_a_frame_beyond_the_limit(tmp_path):  # pitfall 162
    small = replace(CALM, body_decoded=1 << 16)
    async with Upstream(speaks("openai_chat")) as up, hub(tmp_path, [row("openai_chat", up)], limits=small) as h:
        async with talk(h) as t:
            await t.send(said("x" * (1 << 17)))
            assert await t.close_code() == 1009
        async with talk(h) as t:
            first = id_of(await t.ask(said("x" * 40_000)))
            (error,) = await t.ask(said("y" * 40_000), previous=first)
            assert (error["status"], error["error"]["code"]) == (413, "request_too_large")
            id_of(await t.ask(said("small")))
    assert len(up.calls) == 2


async def test_what_does_not_fit_is_asked_for_again(tmp_path):
    small = replace(CALM, transcripts_held=10_000)
    async with Upstream(speaks("openai_chat")) as up, hub(tmp_path, [row("openai_chat", up)], limits=small) as h:
        async with talk(h) as t, talk(h) as other:
            mine, theirs = id_of(await t.ask(said("x" * 6_000))), id_of(await other.ask(said("y" * 6_000)))
            (error,) = await other.ask(said("more"), previous=theirs)
            assert error["error"]["code"] == "previous_response_not_found"
            id_of(await t.ask(said("more"), previous=mine))
            assert 6_000 < h.running.hub.transcripts_held < 10_000
        await emptied(h)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "invalid_frame"),
        ("[1]", "invalid_frame"),
        ('{"type":"response.steer","model":"m"}', "unknown_frame"),
        ('{"model":"m","input":"hi"}', "unknown_frame"),
        ('{"type":"response.create","input":"hi"}', None),
        ('{"type":"response.create","model":"m","input":7}', "invalid_type"),
        ('{"type":"response.create","model":"m","input":"hi","previous_response_id":7}', "invalid_type"),
        ('{"type":"response.create","model":"m","input":"hi","stream_id":"a"}', "unsupported_parameter"),
        ('{"type":"response.create","model":"m","input":"\\ud800"}', "invalid_frame"),
        ('{"type":"response.create","model":"m","input":[[[[[[' + "[" * 300 + "]" * 306 + "}", None),
    ],
)
async def test_a_frame_that_cannot_be_read(tmp_path, frame, code):
    async with talking(tmp_path) as (up, _, t):
        await t.socket.send_str(frame)
        error = await t.frame()
        assert (error["type"], error["status"], error["error"]["code"]) == ("error", 400, code)
        id_of(await t.ask(said("hi")))
    assert len(up.calls) == 1


async def test_binary_frames_are_an_error_and_pings_are_answered(tmp_path):  # pitfall 160
    async with hub(tmp_path, demo=True) as h, talk(h) as t:
        await t.socket.ping(b"there?")
        frames = await t.ask(said("hi"), model="demo")
        assert frames[-1]["type"] == "response.completed"
        await t.socket.send_bytes(b"{}")
        error = await t.frame()
        assert (error["status"], error["error"]["code"]) == (400, "invalid_frame")
        assert await t.close_code() == 1003


async def test_turns_that_do_not_wait_for_each_other_are_answered_in_order(tmp_path):
    async with talking(tmp_path) as (up, _, t):
        for number in range(3):
            await t.send(said(f"question {number}"))
        for _ in range(3):
            id_of(await t.answer())
    assert [f"question {number}" in call.body.decode() for number, call in enumerate(up.calls)] == [True] * 3


async def test_no_socket_without_a_key_or_for_a_web_page(tmp_path):  # reliability S2, S4
    async with hub(tmp_path, demo=True) as h:
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer ah-wrong"}, 401),
            ({"Authorization": f"Bearer {h.key}", "Origin": "http://127.0.0.1:1"}, 403),
            ({"Authorization": f"Bearer {h.key}", "Host": "evil.example"}, 421),
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await h.session.ws_connect(h.url + "/v1/responses", headers=headers)
            assert refused.value.status == status
        async with talk(h) as t:
            assert t.socket._response.headers["x-reasoning-included"] == "true"  # pitfall 134
            assert t.socket._response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_key_that_was_revoked_meanwhile(tmp_path):
    async with talking(tmp_path) as (up, h, t):
        first = id_of(await t.ask(said("one")))
        (key,) = h.store.keys.list()
        h.store.keys.replace(replace(key, enabled=False))
        (error,) = await t.ask(said("two"), previous=first)
        assert (error["status"], error["error"]["code"]) == (401, "invalid_api_key")
        assert await t.close_code() == 1008
    assert len(up.calls) == 1


async def test_no_more_sockets_than_there_is_room_for(tmp_path):
    async with talking(tmp_path, limits=replace(CALM, sockets=1)) as (_, h, _):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await h.session.ws_connect(h.url + "/v1/responses", headers={"Authorization": f"Bearer {h.key}"})
        assert refused.value.status == 426  # pitfall 159
        assert (await h.ask(payload={"model": "m", "input": "hi", "stream": True}))[0] == 200


async def test_no_more_turns_than_there_is_room_for(tmp_path):
    async with talking(tmp_path, half, limits=replace(CALM, in_flight=1)) as (_, h, t), talk(h) as other:
        await t.send(said("hi"))
        while (await t.frame())["type"] != "response.output_text.delta":
            pass
        (error,) = await other.ask(said("hi"))
        assert (error["status"], error["error"]["code"]) == (503, "server_is_overloaded")


async def test_a_socket_nobody_uses_is_closed(tmp_path):
    async with hub(tmp_path, demo=True, limits=replace(CALM, socket_idle_s=0.05)) as h, talk(h) as t:
        assert await t.close_code() == 1001


async def test_a_turn_may_take_longer_than_an_idle_socket(tmp_path):
    async def late(wire):
        await asyncio.sleep(0.3)
        await speaks("openai_chat")(wire)

    limits = replace(CALM, socket_idle_s=0.1)
    async with talking(tmp_path, late, limits=limits) as (_, _, t):
        id_of(await t.ask(said("hi")))


async def test_a_server_that_stops_says_goodbye_and_lets_a_turn_end(tmp_path):  # reliability F18
    asked, go = asyncio.Event(), asyncio.Event()

    async def late(wire):
        asked.set()
        await go.wait()
        await speaks("openai_chat")(wire)

    async with talking(tmp_path, late) as (_, h, busy), talk(h) as idle:
        await busy.send(said("hi"))
        await asked.wait()
        stopping = asyncio.create_task(h.running.stop(5))
        assert await idle.close_code() == 1001
        go.set()
        id_of(await busy.answer())
        assert await busy.close_code() == 1001
        await stopping


async def test_a_server_that_cannot_wait_tells_the_turn(tmp_path):  # reliability F18
    async with talking(tmp_path, half) as (_, h, t):
        await t.send(said("hi"))
        while (await t.frame())["type"] != "response.output_text.delta":
            pass
        stopping = asyncio.create_task(h.running.stop(0))
        assert (await t.answer())[-1]["response"]["error"]["code"] == "server_is_overloaded"
        assert await t.close_code() == 1001
        await stopping


async def test_a_client_that_does_not_read_is_cut_off(tmp_path):  # reliability L7
    async def endless(wire):
        await wire.head()
        while True:
            await wire.chunk(chat_chunk({"content": "x" * 60_000}))

    async with talking(tmp_path, endless, limits=FAST) as (up, h, t):
        t.socket._response.connection.transport.pause_reading()
        await t.send(said("hi"))
        await asyncio.sleep(0)
        record = await h.finished(5)
        assert record.status == "canceled"
        assert up.calls[0].closed.is_set() or await asyncio.wait_for(up.calls[0].closed.wait(), 2)


async def test_a_keepalive_that_comes_too_late_is_no_part_of_the_next_turn():
    frames: list[bytes] = []

    class Response:
        async def send_frame(self, frame: bytes, _kind: object) -> None:
            frames.append(frame)

    client = SocketClient(Response(), None, FAST)
    client.beat(b'event: keepalive\ndata: {"type":"keepalive"}\n\n', {})
    await client.end(b'event: response.completed\ndata: {"type":"response.completed"}\n\n', {})
    await client.settle()
    assert frames == [b'{"type":"response.completed"}']
