"""Connections to upstreams: aiohttp makes, secures and pools them; what comes on them is read here."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from axonhub_cli.server.http1 import BadHTTP, Head, ResponseParser

__all__ = ["Answer", "UpstreamConnection", "connector"]

_MOST_HELD = 128 * 1024  # bytes nobody has read yet; then the upstream waits
_POOLED_S = 30.0
_DNS_S = 30


class Answer:
    """One answer as it comes, with the reading side of aiohttp's StreamReader."""

    def __init__(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        self._parser = ResponseParser()
        self._pieces: list[bytes] = []
        self._held = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    async def head(self) -> Head:
        """Raises what broke the connection, or BadHTTP."""
        while self._parser.head is None:
            await self._wait()
        return self._parser.head

    async def readany(self) -> bytes:
        """What has come of the body; none at its end. Raises ClientPayloadError, or what `set_exception` was given."""
        while not self._pieces:
            if self._parser.ended:
                return b""
            await self._wait()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        if self._paused:
            self._paused = False
            self._connection.flow(True)
        return data

    @property
    def ended(self) -> bool:
        """Whether all of it has come."""
        return self._parser.ended

    def at_eof(self) -> bool:
        """Whether it has been read to its end."""
        return self._parser.ended and not self._pieces

    def set_exception(self, error: Exception) -> None:
        """Whoever reads gets this."""
        self._error = error
        self._wake()

    @property
    def reusable(self) -> bool:
        """Whether its connection may serve again, now or once the rest has been read."""
        parser = self._parser
        return parser.head is not None and parser.head.persistent and parser.ended and not parser.excess

    def feed(self, data: bytes) -> None:
        """The connection's next bytes."""
        if self._error is not None:
            return
        try:
            body = self._parser.feed(data)
        except BadHTTP as error:
            self._connection.abandon()
            self.set_exception(error if self._parser.head is None else aiohttp.ClientPayloadError(str(error)))
            return
        if body:
            self._pieces.append(body)
            self._held += len(body)
            if self._held > _MOST_HELD and not self._paused and not self._parser.ended:
                self._paused = True
                self._connection.flow(False)
        self._wake()

    def lost(self, error: BaseException | None) -> None:
        """The connection has ended."""
        if self._error is not None:
            return
        try:
            self._parser.close()
        except BadHTTP:
            if self._parser.head is not None:
                self.set_exception(aiohttp.ClientPayloadError("the connection broke inside the answer"))
            elif isinstance(error, OSError):
                self.set_exception(aiohttp.ClientOSError(*error.args))
            else:
                self.set_exception(aiohttp.ServerDisconnectedError())
        self._wake()

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class UpstreamConnection(ResponseHandler):
    """aiohttp's, as long as nobody has begun an answer on it: proxies are spoken to by aiohttp alone."""

    answer: Answer | None = None

    def begin(self) -> Answer:
        """For the answer to what is about to be sent."""
        self.answer = Answer(self)
        return self.answer

    def flow(self, on: bool) -> None:
        """Lets the upstream go on, or wait."""
        if self.transport is None or self.transport.is_closing():
            return
        if on:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def abandon(self) -> None:
        """What is on it makes no sense: nothing more is read or sent."""
        self.force_close()
        if self.transport is not None:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Bytes that nobody has asked for end a connection that waits for its next call."""
        if self.answer is None:
            super().data_received(data)
        elif self.answer.ended:
            self.abandon()
        else:
            self.answer.feed(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See asyncio.Protocol."""
        if self.answer is not None:
            self.answer.lost(exc)
        super().connection_lost(exc)

    @property
    def should_close(self) -> bool:
        """Whether it is of no use to another call: also where the last one has not left whole."""
        if self.answer is None:
            return super().should_close
        unsent = self.transport is not None and self.transport.get_write_buffer_size() > 0
        return unsent or not self.answer.reusable or super().should_close


class _Connector(aiohttp.TCPConnector):
    """Makes such connections. In an aiohttp without this attribute they are the usual ones, see `upstream`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        kind: type[ResponseHandler] = UpstreamConnection
        self._factory = partial(kind, loop=self._loop)


def connector(*, pooled: bool) -> aiohttp.TCPConnector:
    """Every default of the library that is wrong for a proxy is set here and in `upstream`; reasons in
    docs/reliability.md."""
    return _Connector(
        limit=0,  # nor one per host: `in_flight` is the limit, and tells
        ttl_dns_cache=_DNS_S,
        force_close=not pooled,
        keepalive_timeout=_POOLED_S if pooled else None,
    )
