"""One HTTP call to a channel."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage
from msgspec import Struct
from yarl import URL

from axonhub_cli import __version__
from axonhub_cli.entities import Channel
from axonhub_cli.llm.errors import Failure
from axonhub_cli.server import faults
from axonhub_cli.server.limits import Limits
from axonhub_cli.server.reply import Reply, reply

USER_AGENT = f"axonhub/{__version__}"
_BUFFER = 64 * 1024
_PER_HOST = 256
_POOLED_S = 30.0
_DNS_S = 30
_ROUTES = 1024
_AUTO = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError, ssl.SSLError, ValueError)


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
                    return await _proxied(session, method, call, state)
                return await self._direct(session, method, call, state)
        except (*_FAILURES, TimeoutError) as error:
            raise Failure(faults.before_answer(error, state.reused)) from None

    async def _direct(
        self, session: aiohttp.ClientSession, method: str, call: Outgoing, state: SimpleNamespace
    ) -> Reply:
        """aiohttp's connections and parser without its ClientRequest and ClientResponse, whose cookies, redirects,
        timers and tasks nobody wants here: they were an eighth of what a translated request costs."""
        route = self._route(call.url)
        head = _head(method, route, call)
        assert session.connector is not None
        try:
            connection = await session.connector.connect(route.peer, [], session.timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        try:
            message, content = await _exchange(connection, head, call.body, state)
        except BaseException:
            connection.close()
            raise
        return reply(message.code, message.headers, content, connection)

    def _route(self, url: str | URL) -> _Route:
        if (route := self._routes.get(url)) is None:
            if len(self._routes) >= _ROUTES:
                self._routes.clear()
            route = self._routes[url] = _route(URL(url))
        return route


class _Connection(ResponseHandler):
    """aiohttp's, but what is not paused is not resumed: aiohttp does so after each HTTP chunk, parser and all."""

    served = False  # a call: what breaks now may have been closed before

    def resume_reading(self, resume_parser: bool = True) -> None:
        if self._reading_paused:
            super().resume_reading(resume_parser)


class _Connector(aiohttp.TCPConnector):
    """Makes such connections. Without the attribute, in another aiohttp, they would be the usual ones."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        kind: type[ResponseHandler] = _Connection
        self._factory = partial(kind, loop=self._loop)


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
    return text.replace("\0", "\r\n").encode() + b"\r\n\r\n"


async def _exchange(
    connection: Connection, head: bytes, body: bytes, state: SimpleNamespace
) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    """What aiohttp's parser makes of the answer's head, and its body as it comes."""
    protocol = connection.protocol
    assert protocol is not None
    if isinstance(protocol, _Connection):
        state.reused, protocol.served = protocol.served, True
    protocol.set_response_params(read_until_eof=True, auto_decompress=False, read_bufsize=_BUFFER)
    if protocol.transport is None:
        raise aiohttp.ServerDisconnectedError
    protocol.transport.writelines((head, body))
    while True:
        message, content = await protocol.read()
        if message.code >= 200 or message.code == 101:
            return message, content


async def _proxied(session: aiohttp.ClientSession, method: str, call: Outgoing, state: SimpleNamespace) -> Reply:
    response = await session.request(
        method,
        call.url,
        data=call.body or None,
        headers=call.headers,
        allow_redirects=False,
        proxy=call.channel.proxy,
        trace_request_ctx=state,
    )
    return reply(response.status, response.headers, response.content, response)


def origin(url: str) -> str:
    """Scheme, host and port, in one spelling: what an upstream key is bound to. Raises ValueError."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}" + (f":{port}" if port else "")


def _session(limits: Limits, *, pooled: bool) -> aiohttp.ClientSession:
    # Every default of the library that is wrong for a proxy is set here; reasons in docs/reliability.md.
    connector = _Connector(
        limit=0,
        limit_per_host=_PER_HOST,
        ttl_dns_cache=_DNS_S,
        force_close=not pooled,
        keepalive_timeout=_POOLED_S if pooled else None,
    )
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(_mark_reused)
    return aiohttp.ClientSession(
        connector=connector,
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
