"""The client's side of one streamed answer: headers once, bytes, keepalives, and an end that says the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from axonhub_cli.llm.events import ResponseStart
from axonhub_cli.protocols.base import StreamEncoder
from axonhub_cli.server.asked import Asked
from axonhub_cli.server.limits import Limits
from axonhub_cli.server.watchdog import Watchdog

# SDKs take a body that ends well for an answer that did: after an error the connection breaks (reliability 5.3).
_BREAKS_AFTER_ERROR = frozenset({"openai_chat"})


class Beginning:
    """What a client hears before any upstream does: the encoder that begins the answer also goes on with it, so that
    it begins once and its numbers go on."""

    def __init__(self, asked: Asked, response_id: str, created: int) -> None:
        self.response_id, self.created = response_id, created
        self._asked = asked
        self._encoder: StreamEncoder | None = None

    def encoder(self) -> StreamEncoder:
        """The one to go on with, new where nothing was said."""
        return self._encoder or self._new()

    def keepalive(self, *, translated: bool) -> bytes:
        """`translated`: the answer will be in our words, so it may begin; an upstream's own words begin themselves."""
        if self._encoder is not None:
            return self._encoder.keepalive()
        if not translated:
            return self._new().keepalive()
        self._encoder = self._new()
        return self._encoder.encode([ResponseStart("", self._asked.model)]) + self._encoder.keepalive()

    def _new(self) -> StreamEncoder:
        # The whole request where somebody has decoded it, which whoever translates has.
        return self._asked.codec.stream_encoder(self._asked.outline(), self.response_id, self.created)


class _Stream(web.StreamResponse):
    _send_headers_immediately = False  # they leave with the first bytes, in one write


class Client:
    """Writes are whole SSE events, or raw pieces that a relay vouches for."""

    def __init__(self, request: web.BaseRequest, protocol: str, limits: Limits) -> None:
        self._request, self._protocol, self._limits = request, protocol, limits
        self._response: _Stream | None = None
        self._beat: asyncio.Task[None] | None = None
        self.watchdog: Watchdog | None = None

    @property
    def started(self) -> bool:
        """Headers have gone: the status is 200 for good."""
        return self._response is not None

    async def send(self, data: bytes, headers: Mapping[str, str]) -> None:
        """`headers` matter for the first call only. Waits while the client does not read."""
        if self._response is None:
            self._response = _Stream(headers=headers)
            await self._response.prepare(self._request)
        if self.watchdog is None:
            await self._response.write(data)
            return
        self.watchdog.writing(self._limits.stall_s)
        try:
            await self._response.write(data)
        finally:
            self.watchdog.written()

    def beat(self, data: bytes, headers: Mapping[str, str]) -> None:
        """Sends a keepalive from a timer; a client that is gone is noticed elsewhere."""
        if data and (self._beat is None or self._beat.done()):
            self._beat = asyncio.get_running_loop().create_task(self.send(data, headers))
            self._beat.add_done_callback(_observed)

    async def end(self, data: bytes, headers: Mapping[str, str]) -> web.StreamResponse:
        """`data` are the last bytes, with the protocol's own terminal event."""
        if self._response is None:
            self._response = _Stream(headers=headers)
            await self._response.prepare(self._request)
        if self.watchdog is not None:
            self.watchdog.writing(self._limits.stall_s)
        await self._response.write_eof(data)
        return self._response

    async def end_after_error(self) -> web.StreamResponse:
        """After an error event: Codex acts on it only when the body ends (reliability 0.3, F7)."""
        assert self._response is not None
        if self._protocol in _BREAKS_AFTER_ERROR:
            self.close()
        else:
            self._response.force_close()
            await self._response.write_eof()
        return self._response

    def close(self) -> None:
        """Lets go of the connection once what was written has left; no final chunk."""
        if (transport := self._request.transport) is not None:
            transport.close()

    def abort(self) -> None:
        """The client does not read: cut it off."""
        if (transport := self._request.transport) is not None:
            transport.abort()


def _observed(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
