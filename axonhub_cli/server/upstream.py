"""One HTTP call to a channel."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler
from msgspec import Struct
from yarl import URL

from axonhub_cli import __version__
from axonhub_cli.entities import Channel
from axonhub_cli.llm.errors import APIError, Failure
from axonhub_cli.server import faults
from axonhub_cli.server.limits import Limits

USER_AGENT = f"axonhub/{__version__}"
_BUFFER = 64 * 1024
_PER_HOST = 256
_POOLED_S = 30.0
_DNS_S = 30
_PLAIN = frozenset({"", "identity"})
_INFLATED = frozenset({"gzip", "x-gzip", "deflate"})
_ANY_FRAME = 32 + zlib.MAX_WBITS  # gzip's or zlib's, as the first bytes say
_FAILURES = (aiohttp.ClientError, OSError, ssl.SSLError, ValueError)


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


class Reply(Protocol):
    """An upstream's answer whose headers have come. Header names are lower case."""

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes:
        """The next bytes, as many as have come; none at the end. Raises Failure."""
        ...

    def interrupt(self, error: APIError) -> None:
        """Makes a waiting `read` raise Failure(error)."""
        ...

    async def drain(self, seconds: float) -> None:
        """Reads what is left, so that the connection can serve again; gives up after `seconds`."""
        ...

    def close(self) -> None:
        """Done with it: cut off unless it was read to its end."""
        ...


class Upstream:
    """The connections to all channels. Made inside a running loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._session = _session(limits, pooled=True)
        self._fresh = _session(limits, pooled=False)

    async def send(self, call: Outgoing) -> Reply:
        """Raises Failure for whatever keeps headers from coming; any status is a Reply."""
        limit = self._limits.first_byte_s if call.stream else self._limits.first_byte_whole_s
        return await self._request("POST", call, limit)

    async def get(self, call: Outgoing) -> Reply:
        """As `send`, for a list of models."""
        return await self._request("GET", call, self._limits.first_byte_s)

    async def _request(self, method: str, call: Outgoing, limit: float) -> Reply:
        session = self._fresh if call.fresh else self._session
        context = SimpleNamespace(reused=False)
        try:
            async with asyncio.timeout(limit):
                response = await session.request(
                    method,
                    call.url,
                    data=call.body or None,
                    headers=call.headers,
                    allow_redirects=False,
                    proxy=call.channel.proxy,
                    trace_request_ctx=context,
                )
        except (*_FAILURES, TimeoutError) as error:
            raise Failure(faults.before_answer(error, context.reused)) from None
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        return HTTPReply(response) if encoding in _PLAIN else InflatedReply(response, encoding)

    async def close(self) -> None:
        """Closes every connection."""
        await self._session.close()
        await self._fresh.close()


class HTTPReply:
    """A Reply over a socket."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    async def read(self) -> bytes:
        """See Reply."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError):
            raise Failure(faults.cut()) from None

    def interrupt(self, error: APIError) -> None:
        """See Reply."""
        self._response.content.set_exception(Failure(error))

    async def drain(self, seconds: float) -> None:
        """See Reply."""
        if self._response.content.at_eof():
            return
        try:
            async with asyncio.timeout(seconds):
                while await self._response.content.readany():
                    pass
        except (aiohttp.ClientError, OSError, TimeoutError, Failure):
            self._response.close()

    def close(self) -> None:
        """See Reply."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class InflatedReply(HTTPReply):
    """The same for an upstream that compresses although it was asked not to (pitfalls 148, 157)."""

    def __init__(self, response: aiohttp.ClientResponse, encoding: str) -> None:
        super().__init__(response)
        self._encoding = encoding
        self._inflater = zlib.decompressobj(_ANY_FRAME)
        self._rest = b""

    async def read(self) -> bytes:
        """See Reply. At most so much at a time, whatever a bomb would become."""
        if self._encoding not in _INFLATED:
            raise Failure(faults.not_an_api(f"The upstream's answer is compressed ({self._encoding[:20]})."))
        while True:
            try:
                piece = self._inflater.decompress(self._rest, _BUFFER)
            except zlib.error:
                raise Failure(faults.not_an_api("The upstream's compressed answer is damaged.")) from None
            self._rest = self._inflater.unconsumed_tail
            if piece:
                return piece
            if not (data := await super().read()):
                if not self._inflater.eof:
                    raise Failure(faults.cut())
                return b""
            self._rest += data


class _Connection(ResponseHandler):
    """aiohttp's, but what is not paused is not resumed: aiohttp does so after each HTTP chunk, parser and all."""

    def resume_reading(self, resume_parser: bool = True) -> None:
        if self._reading_paused:
            super().resume_reading(resume_parser)


class _Connector(aiohttp.TCPConnector):
    """Makes such connections. Without the attribute, in another aiohttp, they would be the usual ones."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        kind: type[ResponseHandler] = _Connection
        self._factory = partial(kind, loop=self._loop)


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
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


async def _mark_reused(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.reused = True
