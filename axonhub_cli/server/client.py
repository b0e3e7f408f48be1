"""What a client hears: whole answers and errors, and a stream with its beginning, keepalives and an honest end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import msgspec
from aiohttp import web

from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.events import ResponseStart
from axonhub_cli.protocols.base import JSON, Codec, Manners, StreamEncoder
from axonhub_cli.server.calls import Asked
from axonhub_cli.server.connection import REQUEST_ID, SAFE_HEADERS
from axonhub_cli.server.limits import Limits
from axonhub_cli.server.watchdog import Watchdog

_MAX_RETRY_AFTER_S = 60
_JSON = "application/json"
_SDK = "x-stainless-lang"  # of OpenAI's and Anthropic's, in every language
_COMMENT = b": keepalive\n\n"


def base_headers(request_id: str, trace_id: str | None = None) -> dict[str, str]:
    """What every answer to a request carries."""
    headers = {**SAFE_HEADERS, REQUEST_ID: request_id}
    return headers | ({"x-axonhub-trace-id": trace_id} if trace_id else {})


def stream_headers(request_id: str, trace_id: str | None, media: str) -> dict[str, str]:
    """For an answer that streams."""
    return {**base_headers(request_id, trace_id), "Content-Type": media, "X-Accel-Buffering": "no"}


def json_response(status: int, body: bytes, headers: Mapping[str, str]) -> web.Response:
    """`body` is JSON already."""
    return web.Response(status=status, body=body, headers={**headers, "Content-Type": _JSON})


def json_of(payload: Any, headers: Mapping[str, str] = SAFE_HEADERS, status: int = 200) -> web.Response:
    """Any value as JSON."""
    return json_response(status, msgspec.json.encode(payload), headers)


def error_response(codec: Codec, error: APIError, headers: Mapping[str, str]) -> web.Response:
    """The error in the client's own protocol; a wait is told in whole seconds from 1 to 60, which is all that
    Codex understands (reliability 0.2)."""
    status, payload, wait = told_error(codec, error)
    return json_response(status, msgspec.json.encode(payload), {**headers, **wait})


def told_error(codec: Codec, error: APIError) -> tuple[int, JSON, dict[str, str]]:
    """Status, body and the header that tells a wait, if there is one to tell."""
    status, payload = codec.encode_error(error)
    if error.retry_after is None or (status == 503 and not codec.manners.waits_at_503):
        return status, payload, {}
    return status, payload, {"Retry-After": str(min(max(math.ceil(error.retry_after), 1), _MAX_RETRY_AFTER_S))}


class Beginning:
    """What a client hears before any upstream does: the encoder that begins the answer also goes on with it, so that
    it begins once and its numbers go on."""

    def __init__(self, asked: Asked, response_id: str, created: int) -> None:
        self.response_id, self.created = response_id, created
        self._asked = asked
        self._strict = asked.codec.manners.strict_sdk and _SDK in asked.headers
        self._encoder: StreamEncoder | None = None

    def encoder(self) -> StreamEncoder:
        """The one to go on with, new where nothing was said."""
        return self._encoder or self._new()

    @property
    def begun(self) -> bool:
        """The answer has begun in our words, and can only go on in them."""
        return self._encoder is not None

    def keepalive(self, *, translated: bool) -> bytes:
        """`translated`: the answer will be in our words, so it may begin; an upstream's own words begin themselves."""
        if self._encoder is not None:
            return self._encoder.keepalive()
        if not translated:
            return _COMMENT if self._strict else self._new().keepalive()
        self._encoder = self._new()
        return self._encoder.encode([ResponseStart("", self._asked.model)]) + self._encoder.keepalive()

    def _new(self) -> StreamEncoder:
        # The whole request where somebody has decoded it, which whoever translates has.
        return self._asked.codec.stream_encoder(self._asked.outline(), self.response_id, self.created)


class _Stream(web.StreamResponse):
    _send_headers_immediately = False  # they leave with the first bytes, in one write


class Client(Protocol):
    """Whom an exchange answers. Writes are whole SSE events, or raw pieces that a relay vouches for; `headers` matter
    before the first byte only. Writing raises ConnectionError where the client is gone."""

    watchdog: Watchdog | None

    @property
    def started(self) -> bool:
        """A stream has begun: what goes wrong now is an event in it."""
        ...

    async def send(self, data: bytes, headers: Mapping[str, str]) -> None:
        """Waits while the client does not read."""
        ...

    def beat(self, data: bytes, headers: Mapping[str, str]) -> None:
        """Sends a keepalive from a timer; a client that is gone is noticed elsewhere."""
        ...

    async def settle(self) -> None:
        """Until a keepalive that is on its way has left: what is said next comes after it."""
        ...

    async def end(self, data: bytes, headers: Mapping[str, str]) -> web.StreamResponse:
        """`data` are the last bytes, with the protocol's own terminal event."""
        ...

    async def end_after_error(self) -> web.StreamResponse:
        """After an error event."""
        ...

    async def refuse(self, codec: Codec, error: APIError, headers: Mapping[str, str]) -> tuple[int, web.StreamResponse]:
        """The error, where no stream has begun; the status it was told with."""
        ...

    def abort(self) -> None:
        """The client does not read: cut it off."""
        ...


class Keepalives:
    """Those of one client, one at a time."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def begin(self, send: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Sends one, unless the last is still on its way."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(send())
            self._task.add_done_callback(observed)

    async def settle(self) -> None:
        """Until none is on its way."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])


class HTTPClient:
    """See `Client`: one request, one response."""

    def __init__(self, request: web.BaseRequest, manners: Manners, limits: Limits) -> None:
        self._request, self._manners, self._limits = request, manners, limits
        self._response: _Stream | None = None
        self._keepalives = Keepalives()
        self.watchdog: Watchdog | None = None

    @property
    def started(self) -> bool:
        """See `Client`. Headers have gone: the status is 200 for good."""
        return self._response is not None

    async def send(self, data: bytes, headers: Mapping[str, str]) -> None:
        """See `Client`."""
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
        """See `Client`."""
        if data:
            self._keepalives.begin(lambda: self.send(data, headers))

    async def settle(self) -> None:
        """See `Client`."""
        await self._keepalives.settle()

    async def end(self, data: bytes, headers: Mapping[str, str]) -> web.StreamResponse:
        """See `Client`."""
        if self._response is None:
            self._response = _Stream(headers=headers)
            await self._response.prepare(self._request)
        if self.watchdog is not None:
            self.watchdog.writing(self._limits.stall_s)
        await self._response.write_eof(data)
        return self._response

    async def end_after_error(self) -> web.StreamResponse:
        """See `Client`. Codex acts on the event only when the body ends (reliability 0.3, F7)."""
        assert self._response is not None
        if self._manners.breaks_after_error:
            self.close()
        else:
            await self._response.write_eof()
        return self._response

    async def refuse(self, codec: Codec, error: APIError, headers: Mapping[str, str]) -> tuple[int, web.StreamResponse]:
        """See `Client`."""
        response = error_response(codec, error, headers)
        return response.status, response

    def close(self) -> None:
        """Lets go of the connection once what was written has left; no final chunk."""
        if (transport := self._request.transport) is not None:
            transport.close()

    def abort(self) -> None:
        """See `Client`."""
        if (transport := self._request.transport) is not None:
            transport.abort()


def observed(task: asyncio.Task[Any]) -> None:
    """Takes note of how a task ended that nobody waits for."""
    if not task.cancelled():
        task.exception()
