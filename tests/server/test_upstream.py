"""Bytes from an upstream arrive whole, also where they come faster than they are read."""

import asyncio
import errno
import resource
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import aiohttp
import pytest
import uvloop
from aiohttp import connector as aiohttp_connector
from aiohttp.client_proto import ResponseHandler
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from axonhub_cli.llm.errors import Failure
from axonhub_cli.routing.failover import Fault
from axonhub_cli.server import connector, faults
from axonhub_cli.server.connector import UpstreamConnection
from axonhub_cli.server.limits import Limits
from axonhub_cli.server.upstream import Outgoing, Upstream
from tests.server import upstreams
from tests.server.hub import channel


@pytest.mark.parametrize(("size", "count"), [(1, 30_000), (200, 5_000), (60_000, 40), (3_000_000, 1)])
async def test_a_reader_that_is_slower_than_its_upstream_gets_everything(size, count, monkeypatch):
    """The connection is paused while much waits, and goes on."""
    flows, flow = [], UpstreamConnection.flow
    monkeypatch.setattr(UpstreamConnection, "flow", lambda self, on: (flows.append(on), flow(self, on)))
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
        assert up.connections == 1 and flows[:2] == ([False, True] if size > 1 else [])
        await upstream.close()


async def call(upstream, up, **headers):
    return await upstream.send(Outgoing(channel("a", up.url), up.url, headers, b"{}", stream=True))


async def test_what_came_before_a_cut_is_read():
    async def cut(wire):
        await wire.head()
        await wire.chunk(b"half")
        wire.reset()

    async with upstreams.Upstream(cut) as up:
        upstream = Upstream(Limits())
        reply = await call(upstream, up)
        await asyncio.sleep(0.05)
        assert await reply.read() == b"half"
        for _ in range(2):
            with pytest.raises(Failure) as caught:
                await reply.read()
            assert caught.value.error.code == Fault.RESET
        reply.close()
        await upstream.close()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", Fault.NOT_AN_API),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Fault.NOT_AN_API),
        (b"", Fault.RESET),
        (b"HTTP/1.1 200 OK\r\nContent-", Fault.RESET),
    ],
    ids=["no HTTP", "no length", "nothing", "half a head"],
)
async def test_no_answer(sent, code):
    async def script(wire):
        await wire.raw(sent)
        wire.writer.close()

    async with upstreams.Upstream(script) as up:
        upstream = Upstream(Limits())
        with pytest.raises(Failure) as caught:
            await call(upstream, up)
        assert caught.value.error.code == code
        await upstream.close()


async def test_bytes_that_nobody_asked_for_end_the_connection():
    """What an upstream says between two calls is never taken for the next answer."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    go_on = asyncio.Event()

    async def script(wire):
        await wire.raw(answer)
        await go_on.wait()
        await wire.raw(answer.replace(b"ok", b"no"))

    async with upstreams.Upstream(script) as up:
        upstream = Upstream(Limits())
        reply = await call(upstream, up)
        assert await reply.read() == b"ok" and await reply.read() == b""
        reply.close()
        go_on.set()
        await asyncio.sleep(0.05)
        reply = await call(upstream, up)
        assert await reply.read() == b"ok"
        reply.close()
        assert up.connections == 2
        await upstream.close()


def certified(folder, address):
    """A server's side of TLS for an address, and the certificate that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    file = folder / "server.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context, pem.decode()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"], ids=["its own", "another's"])
async def test_over_tls(tmp_path, address):
    context, vouching = certified(tmp_path, address)
    # aiohttp has one context for all its connections.
    aiohttp_connector._SSL_CONTEXT_VERIFIED.load_verify_locations(cadata=vouching)

    async def flood(wire):
        await wire.head()
        for number in range(1, 2000):
            await wire.chunk(b"%c" % (97 + number % 26) * number)
        await wire.end()

    async with upstreams.Upstream(flood, context) as up:
        upstream = Upstream(Limits())
        if address != "127.0.0.1":
            with pytest.raises(Failure) as caught:
                await call(upstream, up)
            assert caught.value.error.code == Fault.TLS and up.calls == []
            await upstream.close()
            return
        for _ in range(2):
            reply = await call(upstream, up)
            received = bytearray()
            while data := await reply.read():
                received += data
                await asyncio.sleep(0)
            assert received == b"".join(b"%c" % (97 + number % 26) * number for number in range(1, 2000))
            reply.close()
        assert up.connections == 1
        await upstream.close()


async def test_connections_of_another_kind_serve_too(monkeypatch):
    """aiohttp makes ours by an attribute that is not promised."""
    monkeypatch.setattr(connector, "UpstreamConnection", ResponseHandler)
    async with upstreams.Upstream(upstreams.streams()) as up:
        upstream = Upstream(Limits())
        for _ in range(2):
            reply = await call(upstream, up)
            received = b""
            while data := await reply.read():
                received += data
            assert received == b"".join(upstreams.chat_stream())
            reply.close()
        assert up.connections == 1
        await upstream.close()


async def test_an_answer_before_the_request_was_sent_ends_the_connection():
    """What is left of the request would be read as the next one's beginning."""
    connections = []

    async def serve(reader, writer):
        connections.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    upstream = Upstream(Limits())
    for _ in range(2):
        reply = await upstream.send(Outgoing(channel("a", url), url, {}, b"x" * 20_000_000, stream=False))
        assert reply.status == 413 and await reply.read() == b"{}"
        reply.close()
    assert len(connections) == 2
    await upstream.close()
    for writer in connections:
        writer.close()
    server.close()


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\0b"])
async def test_a_header_cannot_begin_another(value):
    async with upstreams.Upstream(upstreams.answers(200, {})) as up:
        upstream = Upstream(Limits())
        with pytest.raises(Failure):
            await call(upstream, up, x=value)
        assert up.calls == []
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


async def test_l4_no_call_waits_for_another_to_end():
    async def held(wire):
        await wire.head()
        await wire.silence()

    count = 300
    async with upstreams.Upstream(held) as up:
        upstream = Upstream(Limits())
        call = Outgoing(channel("a", up.url), up.url, {}, b"{}", stream=True)
        replies = await asyncio.gather(*(upstream.send(call) for _ in range(count)))
        assert {reply.status for reply in replies} == {200} and up.connections == count
        for reply in replies:
            reply.close()
        await upstream.close()


@pytest.mark.parametrize(
    ("error", "files", "ours"),
    [
        (aiohttp.ClientConnectorError(None, OSError(errno.EMFILE, "")), None, True),
        (aiohttp.ClientConnectorError(None, OSError(errno.ECONNREFUSED, "")), None, False),
        (aiohttp.ClientConnectorDNSError(None, OSError(-3, "")), 0, True),
        (aiohttp.ClientConnectorDNSError(None, OSError(-3, "")), None, False),
    ],
)
def test_too_many_open_files_are_no_fault_of_the_upstream(error, files, ours):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[0] if files is None else files, limits[1]))
    try:
        told = faults.before_answer(error, False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (told.status, not told.upstream, "too many open files" in told.message) == (503, ours, ours)


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


@pytest.mark.parametrize(
    "case",
    [
        lambda tmp_path, patch: test_a_reader_that_is_slower_than_its_upstream_gets_everything(200, 5_000, patch),
        lambda tmp_path, patch: test_what_came_before_a_cut_is_read(),
        lambda tmp_path, patch: test_bytes_that_nobody_asked_for_end_the_connection(),
        lambda tmp_path, patch: test_over_tls(tmp_path, "127.0.0.1"),
        lambda tmp_path, patch: test_over_tls(tmp_path, "127.0.0.2"),
    ],
    ids=["slow", "cut", "unasked", "tls", "tls of another"],
)
def test_on_the_loop_of_the_extra(case, tmp_path, monkeypatch):
    """Servers run on uvloop where it is installed, as here those do that tests start by the command."""
    uvloop.run(case(tmp_path, monkeypatch))
