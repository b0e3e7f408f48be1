"""One HTTP call to a channel."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http import HttpProcessingError
from msgspec import Struct
from yarl import URL

from axonhub_cli import __version__
from axonhub_cli.entities import Channel
from axonhub_cli.llm.errors import Failure
from axonhub_cli.server import faults
from axonhub_cli.server.connector import Answer, UpstreamConnection, connector
from axonhub_cli.server.http1 import BadHTTP, Head
from axonhub_cli.server.limits import Limits
from axonhub_cli.server.reply import Reply, reply

USER_AGENT = f"axonhub/{__version__}"
_BUFFER = 64 * 1024
_ROUTES = 1024
_AUTO = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_FAILURES = (aiohttp.ClientError, HttpProcessingError, BadHTTP, OSError, ssl.SSLError, ValueError)


class Outgoing(Struct, frozen=True):
    """`url` and `headers` are whole once `signing.Signer` has seen it, who may need `key` for what `auth` wants (as in
    `Quirks`); `fresh` wants a connection nobody used before. `secrets` are kept out of what others read."""

    channel: Channel
    url: str | URL
    headers: Mapping[str, str]
    body: bytes
    stream: bool
    fresh: bool = False
    auth: str = ""
    key: str = ""
    secrets: tuple[str, ...] = ()


class Upstream:
    """The connections to all channels. Made inside a running loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._session = _session(limits, pooled=True)
        self._fresh = _session(limits, pooled=False)
        self._routes: dict[str | URL, _Route] = {}

    async def send(self, call: Outgoing) -> Reply:
        """Raises Failure for whatever keeps headers from coming; any status is a Reply."""
        limit = self._limits.first_byte_s if call.stream else self._limits.first_byte_whole_s
        return await self._request("POST", call, limit)

    async def get(self, call: Outgoing) -> Reply:
        """As `send`, for a list of models."""
        return await self._request("GET", call, self._limits.first_byte_s)

    async def close(self) -> None:
        """Closes every connection."""
        await self._session.close()
        await self._fresh.close()

    async def _request(self, method: str, call: Outgoing, limit: float) -> Reply:
        session = self._fresh if call.fresh else self._session
        state = SimpleNamespace(reused=False)
        try:
            async with asyncio.timeout(limit):
                if call.channel.proxy:
                    return await _by_library(session, method, call, state)
                return await self._direct(session, method, call, state)
        except (*_FAILURES, TimeoutError) as error:
            raise Failure(faults.before_answer(error, state.reused)) from None

    async def _direct(
        self, session: aiohttp.ClientSession, method: str, call: Outgoing, state: SimpleNamespace
    ) -> Reply:
        """aiohttp's connections without its ClientRequest and ClientResponse, whose cookies, redirects, timers and
        tasks nobody wants here: they were an eighth of what a translated request costs."""
        route = self._route(call.url)
        head = _head(method, route, call)
        assert session.connector is not None
        try:
            connection = await session.connector.connect(route.peer, [], session.timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        if not isinstance(protocol := connection.protocol, UpstreamConnection):
            connection.release()
            return await _by_library(session, method, call, state)
        try:
            answered, content = await _exchange(protocol, head, call.body, state)
        except BaseException:
            connection.close()
            raise
        return reply(answered.status, answered.headers, content, connection)

    def _route(self, url: str | URL) -> _Route:
        if (route := self._routes.get(url)) is None:
            if len(self._routes) >= _ROUTES:
                self._routes.clear()
            route = self._routes[url] = _route(URL(url))
        return route


class _Route(Struct, frozen=True):
    """Where the calls for one URL go: whom aiohttp connects to, and what a request's head says of it."""

    peer: aiohttp.ClientRequest
    target: str
    host: str


def _route(url: URL) -> _Route:
    if url.scheme not in ("http", "https"):
        raise aiohttp.NonHttpUrlClientError(url)
    peer = aiohttp.ClientRequest("GET", url, skip_auto_headers=_AUTO, loop=asyncio.get_running_loop())
    return _Route(peer, url.raw_path_qs, peer.headers["Host"])


def _head(method: str, route: _Route, call: Outgoing) -> bytes:
    lines = [f"{method} {route.target} HTTP/1.1", f"host: {route.host}"]
    lines += [f"{name}: {value}" for name, value in call.headers.items()]
    if call.body:
        lines.append(f"content-length: {len(call.body)}")
    text = "\0".join(lines)
    if "\r" in text or "\n" in text or text.count("\0") >= len(lines):
        raise ValueError("a header holds the end of a line")
    return text.replace("\0", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n\r\n"


async def _exchange(
    connection: UpstreamConnection, head: bytes, body: bytes, state: SimpleNamespace
) -> tuple[Head, Answer]:
    state.reused = connection.answer is not None
    answer = connection.begin()
    if connection.transport is None:
        raise aiohttp.ServerDisconnectedError
    connection.transport.writelines((head, body))
    return await answer.head(), answer


async def _by_library(session: aiohttp.ClientSession, method: str, call: Outgoing, state: SimpleNamespace) -> Reply:
    """Through a proxy, which is spoken to in ways of its own, or by an aiohttp that makes no connections of ours."""
    response = await session.request(
        method,
        call.url,
        data=call.body or None,
        headers=call.headers,
        allow_redirects=False,
        proxy=call.channel.proxy,
        trace_request_ctx=state,
    )
    headers = {name.lower(): value for name, value in response.headers.items()}
    return reply(response.status, headers, response.content, response)


def origin(url: str) -> str:
    """Scheme, host and port, in one spelling: what an upstream key is bound to. Raises ValueError."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}" + (f":{port}" if port else "")


def _session(limits: Limits, *, pooled: bool) -> aiohttp.ClientSession:
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(_mark_reused)
    return aiohttp.ClientSession(
        connector=connector(pooled=pooled),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_s, sock_connect=limits.connect_s),
        trust_env=False,
        auto_decompress=False,
        read_bufsize=_BUFFER,
        trace_configs=[tracing],
        skip_auto_headers=_AUTO,
    )


async def _mark_reused(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.reused = True
