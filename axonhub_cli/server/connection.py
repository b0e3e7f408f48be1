"""One client connection: aiohttp's, with a time limit for request heads and error pages that repeat nothing."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

import msgspec
from aiohttp import web

from axonhub_cli import ids
from axonhub_cli.server.limits import KIB, Limits
from axonhub_cli.server.log import LOGGER, Rarely

REQUEST_ID = "x-axonhub-request-id"  # on every answer
SAFE_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Server": "axonhub"}
_MALFORMED = msgspec.json.encode(
    {"error": {"message": "The request is not valid HTTP.", "type": "invalid_request_error", "code": "bad_http"}}
)
_BROKEN = msgspec.json.encode(
    {"error": {"message": "axonhub failed; its log says why.", "type": "server_error", "code": "internal_error"}}
)


class Connection(web.RequestHandler):
    """Closes a connection whose request head is not whole in time (aiohttp waits for ever)."""

    __slots__ = ("_head_s", "_head_timer")

    def __init__(self, manager: web.Server, *, loop: asyncio.AbstractEventLoop, head_s: float, **options: Any) -> None:
        super().__init__(manager, loop=loop, **options)
        self._head_s = head_s
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The first head may be late from now on."""
        super().connection_made(transport)
        self._head_timer = self._loop.call_later(self._head_s, self._too_slow)

    def data_received(self, data: bytes) -> None:
        """Starts the timer with a head's first byte, stops it with its last."""
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._stop_timer()
        elif self._head_timer is None and not self._request_in_progress and not self._messages:
            self._head_timer = self._loop.call_later(self._head_s, self._too_slow)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing can be late any more."""
        self._stop_timer()
        super().connection_lost(exc)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Our own page: aiohttp's quotes the offending line, which may be a key (reliability 0.9, K6)."""
        if isinstance(exc, ConnectionError):
            raise exc  # the client has gone, at the very moment of a write
        if status >= 500 and exc is not None:
            log_bug(exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the response has begun")
        body = _BROKEN if status >= 500 else _MALFORMED
        headers = {**SAFE_HEADERS, REQUEST_ID: ids.new_id("req")}
        response = web.Response(status=status, body=body, content_type="application/json", headers=headers)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **options: Any) -> None:
        """Where an exception came from, never what it says."""
        exc = options.get("exc_info")
        if isinstance(exc, BaseException):
            log_bug(exc)

    def _too_slow(self) -> None:
        self._head_timer = None
        self.force_close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class Server(web.Server):
    """Makes Connections, set up as reliability section 4 says."""

    def __init__(self, handler: Any, limits: Limits) -> None:
        super().__init__(handler, handler_cancellation=True)
        self._options: dict[str, Any] = {
            "head_s": limits.head_s,
            "keepalive_timeout": limits.idle_s,
            "lingering_time": 1.0,
            "access_log": None,
            "auto_decompress": False,  # aiohttp inflates a bomb whole before it looks at its size
            "max_line_size": 16 * KIB,
            "max_field_size": 64 * KIB,  # pitfall 158
            "max_headers": 128,
        }

    def __call__(self) -> web.RequestHandler:
        """One for each connection."""
        return Connection(self, loop=self._loop, **self._options)


def log_bug(exc: BaseException) -> None:
    """Where a bug of ours showed, without its words."""
    # The text of an exception may quote a header or a body; frames are our own source.
    frames = "".join(traceback.format_tb(exc.__traceback__))
    LOGGER.error("internal error: %s\n%s", type(exc).__name__, frames)


class Uncaught:
    """The loop's handler of what nobody caught. Python's own writes a traceback to stderr, a thousand a second where
    there are no descriptors left for new connections, and waits for whoever reads it."""

    def __init__(self) -> None:
        self._warning = Rarely()

    def __call__(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """See loop.set_exception_handler. The message may quote a call and its arguments: it is not repeated."""
        exc = context.get("exception")
        if isinstance(exc, OSError):
            self._warning.warn(f"a connection failed: {exc.strerror or type(exc).__name__}")
        elif exc is not None:
            log_bug(exc)
