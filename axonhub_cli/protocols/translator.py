"""One streamed answer: the upstream's bytes in, the client's bytes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from axonhub_cli.entities import Body
from axonhub_cli.llm.content import Part
from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.llm.events import (
    PartDelta,
    PartEnd,
    PartStart,
    ResponseEnd,
    ResponseStart,
    StreamError,
    StreamEvent,
)
from axonhub_cli.llm.fold import so_far, unfold
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import FinishKind, FinishReason, Response, Usage
from axonhub_cli.protocols.base import Codec, StreamEncoder, UpstreamCodec, Watch
from axonhub_cli.protocols.compaction import Compactor
from axonhub_cli.protocols.retarget import retarget, retarget_raw
from axonhub_cli.protocols.sealing import Sealer, SealPart
from axonhub_cli.protocols.unsaid import unsaid
from axonhub_cli.protocols.whole import MAX_BODY, Whole, declaring, decode_body, is_stream, response_body, whole
from axonhub_cli.vendors import Quirks

__all__ = ["Passthrough", "Relay", "Translation", "Whole", "retarget", "retarget_raw", "whole"]

RECORDED = 2 * 1024 * 1024  # bytes of a stream that are kept for the recorder
_CUT = APIError(
    ErrorKind.BAD_GATEWAY, "The upstream's stream ended before its answer did.", 502, "stream_truncated", upstream=True
)
_TOO_LARGE = APIError(ErrorKind.BAD_GATEWAY, "The upstream's answer is too large.", 502, upstream=True)


class Relay(Protocol):
    """One streamed answer. The client gets exactly one terminal event, whatever happens and in whatever order
    these are called; after it there is nothing more of ours."""

    watch: Watch

    def feed(self, data: bytes) -> bytes:
        """The client's bytes for the upstream's next ones, cut anywhere."""
        ...

    def close(self) -> bytes:
        """The upstream has ended: what is left, an error event where it ended too soon."""
        ...

    def fail(self, error: APIError) -> bytes:
        """We or the network failed: the error event in the client's protocol."""
        ...

    def keepalive(self) -> bytes:
        """Bytes that the client counts as life; empty after the end."""
        ...

    def body(self) -> Body | None:
        """What has been said so far, for the recorder."""
        ...

    def counted(self) -> Usage | None:
        """What has been counted so far. Nothing may be fed afterwards."""
        ...


class Translation:
    """Between two protocols, or two dialects of one, by way of neutral events.

    `seal_part` packs what only the upstream understands (`opaque.seal_part` with its secret and origin); `response_id`
    and `now` (seconds since 1970) are for the client's encoder. Nothing is encoded before output: `encoder` then gives
    the one to go on with, where somebody has begun the answer already. `scrub` takes out of an upstream's errors what
    a client must not read.
    """

    def __init__(
        self,
        client: Codec,
        upstream: UpstreamCodec,
        request: Request,
        *,
        quirks: Quirks,
        response_id: str,
        now: int,
        seal_part: SealPart,
        encoder: Callable[[], StreamEncoder] | None = None,
        scrub: Callable[[APIError], APIError] | None = None,
    ) -> None:
        self.watch = Watch()
        self._client = client
        self._upstream = upstream
        self._quirks = quirks
        self._decoder = upstream.stream_decoder(quirks)
        self._new_encoder: Callable[[], StreamEncoder] = lambda: client.stream_encoder(request, response_id, now)
        self._begun_encoder = encoder or self._new_encoder
        self._encoder: StreamEncoder | None = None
        self._held: list[StreamEvent] = []  # until there is an encoder
        self._scrub = scrub
        self._compactor = Compactor() if request.compaction else None
        self._sealer = Sealer(seal_part)
        self._start: ResponseStart | None = None
        self._end: ResponseEnd | None = None
        self._parts: list[Part] = []
        self._open: PartStart | None = None
        self._said: list[PartDelta] = []  # of the open part
        self._sniffed = False
        self._json: bytearray | None = None  # a whole answer where a stream was asked for
        self._over = False

    def feed(self, data: bytes) -> bytes:
        """See `Relay`."""
        if self._over:
            return b""
        if not self._sniffed and (streamed := is_stream(data)) is not None:
            self._sniffed = True
            self._json = None if streamed else bytearray()
        if self._json is None:
            return self._emit(self._decoder.feed(data))
        self._json += data
        return self.fail(_TOO_LARGE) if len(self._json) > MAX_BODY else b""

    def close(self) -> bytes:
        """See `Relay`."""
        if self._over:
            return b""
        events = (
            self._decoder.close() if self._json is None else _events(self._upstream, bytes(self._json), self._quirks)
        )
        return self._emit(events) + self.fail(_CUT)

    def fail(self, error: APIError) -> bytes:
        """See `Relay`."""
        return b"" if self._over else self._emit([StreamError(error, self.counted())])

    def keepalive(self) -> bytes:
        """See `Relay`."""
        if self._over:
            return b""
        return (self._encoder or self._new_encoder()).keepalive()

    def body(self) -> Body | None:
        """See `Relay`. An answer that broke off is kept with all that came of it."""
        if self._start is None:
            return None
        start, end = self._start, self._end
        finish = end.finish_reason if end else FinishReason(FinishKind.ERROR)
        tier = end.service_tier if end else None
        opened = () if self._open is None or end is not None else (so_far(self._open.part, self._said),)
        parts = (*self._parts, *opened)
        return response_body(Response(start.id, start.model, parts, finish, self.watch.usage, start.created, tier))

    def counted(self) -> Usage | None:
        """See `Relay`."""
        if self._over or self.watch.usage is not None:
            return self.watch.usage
        last = next(reversed(self._decoder.close()), None)
        return last.usage if isinstance(last, ResponseEnd | StreamError) else None

    def _emit(self, events: list[StreamEvent]) -> bytes:
        if self._compactor is not None:
            events = self._compactor.feed(events)
        if self._scrub is not None and events and isinstance(last := events[-1], StreamError):
            events = [*events[:-1], StreamError(self._scrub(last.error), last.usage)]
        for event in events:
            self._note(event)
        out = self._sealer.feed(events)
        if self._encoder is None:
            self._held += out
            if not (self.watch.output or self._over):
                return b""
            # An error before any output may yet be followed by another channel's answer, in what was begun.
            self._encoder = self._begun_encoder() if self.watch.output else self._new_encoder()
            out, self._held = self._held, []
        return self._encoder.encode(out) if out else b""

    def _note(self, event: StreamEvent) -> None:
        """What routing and the recorder want to know."""
        watch = self.watch
        if type(event) is PartDelta:
            watch.output = True
            self._said.append(event)
        elif type(event) is PartStart:
            self._open, self._said = event, []
        elif type(event) is PartEnd:
            watch.output = True
            self._open = None
            self._parts.append(event.part)
        elif type(event) is ResponseStart:
            self._start = event
            watch.model = event.model or watch.model
        elif type(event) is ResponseEnd:
            self._end = event
            watch.empty = not watch.output
            self._over = watch.output = watch.ended = True
            watch.losses = unsaid(self._client, self._parts)
            watch.usage = event.usage
            watch.finish = event.finish_reason.raw or event.finish_reason.kind.value
        elif type(event) is StreamError:
            self._over = True
            watch.error = event.error
            watch.usage = event.usage or watch.usage


class Passthrough:
    """Between two that speak one protocol: bytes pass untouched while a watcher listens.

    Only where the upstream ends without a terminal of its protocol do we add one, an error (reliability F5,
    pitfall 53); JSON where a stream was asked for is re-streamed (pitfall 50). `request` needs no more than its model.
    """

    def __init__(self, client: Codec, request: Request, *, quirks: Quirks, response_id: str, now: int) -> None:
        self._watcher = client.stream_watcher()
        self.watch = self._watcher.watch
        self.truncated = False  # the recorded bytes are not all
        self._codec = client
        self._quirks = quirks
        self._request = request
        self._new_encoder: Callable[[Request], StreamEncoder] = lambda asked: client.stream_encoder(
            asked, response_id, now
        )
        self._recorded = bytearray()
        self._tail = b""  # the last bytes that went to the client
        self._sniffed = False
        self._json: bytearray | None = None
        self._over = False  # our own terminal has been sent

    def feed(self, data: bytes) -> bytes:
        """See `Relay`. What follows the upstream's own terminal still passes."""
        if self._over:
            return b""
        self._record(data)
        if not self._sniffed and (streamed := is_stream(data)) is not None:
            self._sniffed = True
            self._json = None if streamed else bytearray()
        if self._json is None:
            self._watcher.feed(data)
            self._tail = data[-4:] if len(data) > 3 else (self._tail + data)[-4:]
            return data
        self._json += data
        return self.fail(_TOO_LARGE) if len(self._json) > MAX_BODY else b""

    def close(self) -> bytes:
        """See `Relay`."""
        if self._done():
            return b""
        if self._json is not None:
            return self._restream(bytes(self._json))
        return self.fail(self.watch.error or _CUT)

    def fail(self, error: APIError) -> bytes:
        """See `Relay`. Ends an event that was cut before it adds its own."""
        if self._done():
            return b""
        self._over = True
        before = b""
        if not self._between_events():
            before = b"\n\n"
            self._watcher.feed(before)
            if self._said_all():  # only the terminal's blank line was missing
                return before
        self.watch.error = self.watch.error or error
        return before + self._encoder().encode([StreamError(error, self.watch.usage)])

    def keepalive(self) -> bytes:
        """See `Relay`. Never inside an event."""
        quiet = self._over or self.watch.ended or not self._between_events()
        return b"" if quiet else self._new_encoder(self._request).keepalive()

    def body(self) -> Body | None:
        """See `Relay`. At most RECORDED bytes; `truncated` tells."""
        return Body("stream", bytes(self._recorded)) if self._recorded else None

    def counted(self) -> Usage | None:
        """See `Relay`."""
        return self.watch.usage

    def _encoder(self) -> StreamEncoder:
        """One that does not begin the answer a second time where the upstream's own beginning has passed."""
        encoder = self._new_encoder(self._request)
        if self._tail:
            encoder.encode([ResponseStart("", self._request.model)])
        return encoder

    def _done(self) -> bool:
        return self._over or self._said_all()

    def _said_all(self) -> bool:
        """Whether nothing of the answer is missing, though a closing event may be: Chat's [DONE] (pitfall 37)."""
        self.watch.ended = self.watch.ended or self.watch.finish is not None
        return self.watch.ended

    def _between_events(self) -> bool:
        return not self._tail or self._tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r"))

    def _record(self, data: bytes) -> None:
        room = RECORDED - len(self._recorded)
        if room >= len(data):
            self._recorded += data
        elif not self.truncated:
            self._recorded += data[:room]
            self.truncated = True

    def _restream(self, body: bytes) -> bytes:
        self._over = True
        watch, request = self.watch, self._request
        try:
            response = decode_body(self._codec, body, self._quirks)
        except Failure as failure:
            watch.error = failure.error
            return self._new_encoder(request).encode([StreamError(failure.error)])
        watch.output = watch.ended = True
        watch.model, watch.usage = response.model or None, response.usage
        watch.finish = response.finish_reason.raw or response.finish_reason.kind.value
        return self._new_encoder(declaring(request, response)).encode(unfold(response))


def _events(upstream: UpstreamCodec, body: bytes, quirks: Quirks) -> list[StreamEvent]:
    """A whole answer as a stream."""
    try:
        return list(unfold(decode_body(upstream, body, quirks)))
    except Failure as failure:
        return [StreamError(failure.error)]
