"""Bytes from an upstream arrive whole, also where they come faster than they are read."""

import asyncio

import pytest
from aiohttp.client_proto import ResponseHandler

from axonhub_cli.server.limits import Limits
from axonhub_cli.server.upstream import Outgoing, Upstream
from tests.server import upstreams
from tests.server.hub import channel


def counted(monkeypatch, name):
    """The calls of a method of aiohttp's connections to upstreams."""
    calls, method = [], getattr(ResponseHandler, name)

    def call(self, *args):
        calls.append(args)
        return method(self, *args)

    monkeypatch.setattr(ResponseHandler, name, call)
    return calls


@pytest.mark.parametrize(("size", "count"), [(1, 30_000), (200, 5_000), (60_000, 40), (3_000_000, 1)])
async def test_a_reader_that_is_slower_than_its_upstream_gets_everything(size, count, monkeypatch):
    """The connection is paused and resumed: by bytes that wait and by HTTP chunks that wait."""
    pauses = counted(monkeypatch, "pause_reading")
    done = asyncio.Event()

    async def flood(wire):
        await wire.head()
        for number in range(count):
            await wire.chunk(b"%c" % (97 + number % 26) * size)
        await wire.end()
        done.set()

    async with upstreams.Upstream(flood) as up:
        upstream = Upstream(Limits())
        for _ in range(2):  # the second time on the same connection
            done.clear()
            reply = await upstream.send(Outgoing(channel("a", up.url), up.url, {}, b"{}", stream=True))
            received = bytearray()
            for _ in range(50):  # let the upstream run ahead
                await asyncio.sleep(0)
            async with asyncio.timeout(20):
                while data := await reply.read():
                    received += data
                    await asyncio.sleep(0)
                await done.wait()
            assert received == b"".join(b"%c" % (97 + number % 26) * size for number in range(count))
            reply.close()
        assert up.connections == 1 and pauses
        await upstream.close()


async def test_what_is_not_paused_is_not_resumed(monkeypatch):
    """aiohttp runs its parser once more for each HTTP chunk that is read: a third of the cost of reading."""
    resumed = counted(monkeypatch, "resume_reading")

    async def stream(wire):
        await wire.head()
        await wire.raw(b"".join(b"%x\r\n%s\r\n" % (3, b"abc") for _ in range(100)) + b"0\r\n\r\n")

    async with upstreams.Upstream(stream) as up:
        upstream = Upstream(Limits())
        reply = await upstream.send(Outgoing(channel("a", up.url), up.url, {}, b"{}", stream=True))
        received = b""
        while data := await reply.read():
            received += data
        assert received == b"abc" * 100
        assert not resumed
        await upstream.close()


async def test_a_stream_may_take_hours(monkeypatch):  # pitfall 153
    """The library ends a call after five minutes unless it is told not to; our own watchdog looks for silence only."""
    loop = asyncio.get_running_loop()
    clock, ahead = loop.time, [0.0]
    monkeypatch.setattr(loop, "time", lambda: clock() + ahead[0])
    go_on = asyncio.Event()

    async def slow(wire):
        await wire.head()
        await wire.chunk(b"begin")
        await go_on.wait()
        await wire.chunk(b"end")
        await wire.end()

    async with upstreams.Upstream(slow) as up:
        upstream = Upstream(Limits())
        reply = await upstream.send(Outgoing(channel("a", up.url), up.url, {}, b"{}", stream=True))
        received = await reply.read()
        ahead[0] += 3 * 3600
        await asyncio.sleep(0.01)  # whatever is due falls due
        go_on.set()
        while data := await reply.read():
            received += data
        assert received == b"beginend"
        await upstream.close()


@pytest.mark.parametrize("own", [True, False], ids=["the channel's own", "none"])
async def test_a_proxy_of_the_environment_catches_nothing(monkeypatch, own):  # pitfall 174
    async with (
        upstreams.Upstream(upstreams.answers(200, {})) as up,
        upstreams.Upstream(upstreams.answers(200, {})) as p,
    ):
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, p.url)
            monkeypatch.setenv(name.upper(), p.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        upstream = Upstream(Limits())
        row = channel("a", up.url, proxy=p.url if own else None)
        reply = await upstream.send(Outgoing(row, up.url, {}, b"{}", stream=False))
        assert reply.status == 200
        reply.close()
        await upstream.close()
    assert (len(up.calls), len(p.calls)) == ((0, 1) if own else (1, 0))
