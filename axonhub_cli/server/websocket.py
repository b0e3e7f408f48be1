"""Responses over WebSocket: many turns on one connection, each an exchange like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aiohttp import WSCloseCode, WSMsgType, web

from axonhub_cli import ids
from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.llm.fold import unfold
from axonhub_cli.llm.response import Response, Usage
from axonhub_cli.protocols.base import Codec, Operation
from axonhub_cli.protocols.openai_responses import CODEC
from axonhub_cli.protocols.openai_responses.socket import Frames, error_frame, read_frame, turn_headers
from axonhub_cli.protocols.openai_responses.transcript import Answer, Fields, Transcript, Turn
from axonhub_cli.protocols.sse import SSETooLarge
from axonhub_cli.server import auth, body
from axonhub_cli.server.calls import Asked
from axonhub_cli.server.client import Keepalives, base_headers, observed, told_error
from axonhub_cli.server.connection import log_bug
from axonhub_cli.server.exchange import Exchange
from axonhub_cli.server.hub import Hub
from axonhub_cli.server.limits import Limits
from axonhub_cli.server.watchdog import Watchdog

_CLOSE_S = 1.0  # for the client's side of a goodbye
_NOT_TEXT = APIError(ErrorKind.INVALID_REQUEST, "Frames must be text.", 400, code="invalid_frame")
_TOO_LARGE = APIError(ErrorKind.BAD_GATEWAY, "An event of the upstream's is too large.", 502, upstream=True)
_WARM = Usage(input=0, cached=0, output=0, reasoning=0)  # nothing was asked of anybody


class SocketClient:
    """See `client.Client`: one turn of a socket."""

    def __init__(self, response: web.WebSocketResponse, request: web.BaseRequest, limits: Limits) -> None:
        self._response, self._request, self._limits = response, request, limits
        self._frames = Frames()
        self._keepalives = Keepalives()
        self.answer = Answer(limits.body_decoded)
        self.watchdog: Watchdog | None = None
        self.started = self._over = False

    async def send(self, data: bytes, headers: Mapping[str, str]) -> None:
        """See `Client`. Headers have no place on a socket. Raises Failure for an event that is too large."""
        self.started = True
        try:
            frames = self._frames.feed(data)
        except SSETooLarge:
            self._frames = Frames()
            raise Failure(_TOO_LARGE) from None
        for frame in frames:
            self.answer.read(frame)
        await self._write(*frames)

    def beat(self, data: bytes, headers: Mapping[str, str]) -> None:
        """See `Client`."""
        if data:
            self._keepalives.begin(lambda: self._alive(data))

    async def settle(self) -> None:
        """See `Client`."""
        await self._keepalives.settle()

    async def end(self, data: bytes, headers: Mapping[str, str]) -> web.StreamResponse:
        """See `Client`."""
        self._over = True
        try:
            await self.send(data, headers)
        except Failure as failure:
            await self.refuse(CODEC, failure.error, {})
        return self._response

    async def end_after_error(self) -> web.StreamResponse:
        """See `Client`. The socket stays: Codex leaves it by itself, others go on (pitfall 161)."""
        self._over = True
        return self._response

    async def refuse(self, codec: Codec, error: APIError, headers: Mapping[str, str]) -> tuple[int, web.StreamResponse]:
        """See `Client`."""
        self._over = True
        status, payload, wait = told_error(codec, error)
        ours = {name: value for name, value in headers.items() if name.startswith("x-axonhub-")}
        await self._write(error_frame(status, payload, ours | {name.lower(): value for name, value in wait.items()}))
        return status, self._response

    def abort(self) -> None:
        """See `Client`."""
        if (transport := self._request.transport) is not None:
            transport.abort()

    async def _alive(self, data: bytes) -> None:
        if not self._over:  # else it would be part of the next turn
            await self.send(data, {})

    async def _write(self, *frames: bytes) -> None:
        if self.watchdog is None:
            await self._write_alone(frames)
            return
        self.watchdog.writing(self._limits.stall_s)
        try:
            for frame in frames:
                await self._response.send_frame(frame, WSMsgType.TEXT)
        finally:
            self.watchdog.written()

    async def _write_alone(self, frames: Sequence[bytes]) -> None:
        """Outside of an exchange."""
        try:
            async with asyncio.timeout(self._limits.stall_s):
                for frame in frames:
                    await self._response.send_frame(frame, WSMsgType.TEXT)
        except TimeoutError:
            self.abort()
            raise ConnectionResetError("the client does not read") from None


class Socket:
    """One connection. Its own task reads, also while a turn runs, so that a client that leaves is noticed."""

    def __init__(self, hub: Hub, request: web.BaseRequest, path: str) -> None:
        self._hub, self._request, self._path = hub, request, f"{path} (WebSocket)"
        self._headers = {name.lower(): value for name, value in request.headers.items()}
        # Frames are not compressed: a deflate a token costs more than the network this is made for.
        self._response = web.WebSocketResponse(
            timeout=_CLOSE_S, compress=False, max_msg_size=hub.limits.body_decoded, decode_text=False
        )
        self._transcript = Transcript()
        self._turn: asyncio.Task[None] | None = None
        self._goodbye: asyncio.Task[bool] | None = None

    @property
    def wanted(self) -> bool:
        """Whether the request is an upgrade that can be granted."""
        return bool(self._response.can_prepare(self._request))

    async def serve(self) -> web.StreamResponse:
        """Until either side has had enough."""
        headers = {**base_headers(ids.new_id("req")), **CODEC.manners.translated_headers}
        self._response.headers.update(headers)
        await self._response.prepare(self._request)
        self._hub.sockets.add(self)
        self._hub.metrics.count("axonhub_sockets_total")
        try:
            while await self._next():
                pass
        finally:
            self._hub.sockets.discard(self)
            self._hub.transcripts_held -= self._transcript.size
            if self._turn is not None:
                self._turn.cancel()
                await asyncio.gather(self._turn, return_exceptions=True)
        return self._response

    def stop(self) -> None:
        """The server ends: no further turn; one that runs has its time."""
        if (self._turn is None or self._turn.done()) and self._goodbye is None:
            self._goodbye = asyncio.create_task(self._response.close(code=WSCloseCode.GOING_AWAY))
            self._goodbye.add_done_callback(observed)

    async def _next(self) -> bool:
        """Takes one message; False at the end."""
        try:
            message = await self._response.receive(timeout=self._hub.limits.socket_idle_s)
        except TimeoutError:
            if self._turn is None or self._turn.done():
                await self._response.close(code=WSCloseCode.GOING_AWAY)
                return False
            return True
        if message.type is WSMsgType.TEXT:
            assert isinstance(message.data, bytes)
            await self._take(message.data)
            return True
        if message.type is WSMsgType.BINARY:
            await self._tell(_NOT_TEXT)
            await self._response.close(code=WSCloseCode.UNSUPPORTED_DATA)
        return False

    async def _take(self, data: bytes) -> None:
        """One answer at a time: whoever does not wait for it is not read meanwhile."""
        try:
            frame = read_frame(data)
        except Failure as failure:
            await self._idle()
            await self._tell(failure.error)
            return
        if frame is not None:
            await self._idle()
            self._turn = asyncio.create_task(self._run(frame))

    async def _idle(self) -> None:
        if self._turn is not None:
            await asyncio.wait([self._turn])

    async def _run(self, frame: Fields) -> None:
        try:
            if not self._hub.stopping:
                await self._serve_turn(frame)
        except ConnectionError:
            return  # who reads will notice
        except Exception as bug:
            log_bug(bug)
            await self._response.close(code=WSCloseCode.INTERNAL_ERROR)
        if self._hub.stopping:
            await self._response.close(code=WSCloseCode.GOING_AWAY)

    async def _serve_turn(self, frame: Fields) -> None:
        """By the snapshot in force now: a key that was revoked meanwhile ends the socket."""
        request_id = ids.new_id("req")
        client = SocketClient(self._response, self._request, self._hub.limits)
        try:
            await self._answer(client, frame, request_id)
        except Failure as failure:
            # Only what came before the exchange: it answers for itself.
            self._hub.metrics.count("axonhub_requests_total", f'status="{failure.error.status}"')
            await client.refuse(CODEC, failure.error, base_headers(request_id))
            if failure.error is auth.REFUSED:
                await self._response.close(code=WSCloseCode.POLICY_VIOLATION)

    async def _answer(self, client: SocketClient, frame: Fields, request_id: str) -> None:
        hub, live = self._hub, self._hub.reloader.current()
        shown = auth.presented_key(self._request.headers, self._request.query)
        key = auth.authenticate(live.snapshot, shown, self._request.remote, hub.now_ms())
        if key is None:
            raise Failure(auth.REFUSED)
        turn = self._transcript.turn(frame)
        if len(turn.body) > hub.limits.body_decoded:
            raise body.too_large(hub.limits)
        hub.check_room()
        hub.bodies_held += len(turn.body)
        try:
            payload = body.parse(turn.body, hub.limits)
            asked = Asked(CODEC, Operation.GENERATE, turn.body, payload, turn_headers(self._headers, payload))
            if turn.generate:
                exchange = Exchange(hub, live, client, asked, key=key, record_id=request_id, path=self._path)
                await exchange.run()
            else:
                await client.send(_warm_up(asked, request_id, hub.now_ms() // 1000), {})
        finally:
            hub.bodies_held -= len(turn.body)
        self._keep(turn, client.answer)

    def _keep(self, turn: Turn, answer: Answer) -> None:
        """Where there is no room for it the client will have to say it all again, which it can."""
        hub, before = self._hub, self._transcript.size
        if self not in hub.sockets:
            return
        self._transcript.keep(turn, answer)
        held = hub.transcripts_held - before + self._transcript.size
        if held > hub.limits.transcripts_held or self._transcript.size > hub.limits.body_decoded:
            held -= self._transcript.size
            self._transcript.forget()
        hub.transcripts_held = held

    async def _tell(self, error: APIError) -> None:
        try:
            client = SocketClient(self._response, self._request, self._hub.limits)
            await client.refuse(CODEC, error, base_headers(ids.new_id("req")))
        except ConnectionError:
            return


def _warm_up(asked: Asked, request_id: str, now: int) -> bytes:
    """The answer to `generate: false`: an id to build upon. No upstream is asked: over HTTP none could keep the state
    (pitfall 160)."""
    encoder = CODEC.stream_encoder(asked.outline(), request_id.partition("_")[2], now)
    return encoder.encode(unfold(Response("", asked.model, usage=_WARM, created=now)))
