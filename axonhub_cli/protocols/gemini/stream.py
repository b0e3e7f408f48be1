"""Reads a stream of generateContent chunks: server-sent events, or the pieces of one JSON array.

https://ai.google.dev/api/generate-content#v1beta.models.streamGenerateContent; pitfalls 29-51, 88-98.
"""

from __future__ import annotations

import hashlib

import msgspec

from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.events import ResponseEnd, ResponseStart, StreamError, StreamEvent
from axonhub_cli.llm.response import FinishKind
from axonhub_cli.protocols.gemini.errors import broken, error_inside
from axonhub_cli.protocols.gemini.finish import blocked, finish_reason, gave_up
from axonhub_cli.protocols.gemini.hot import TextTemplate
from axonhub_cli.protocols.gemini.pieces import PieceReader
from axonhub_cli.protocols.gemini.usage import UsageReader
from axonhub_cli.protocols.gemini.wire import (
    WireCandidate,
    WireChunk,
    convert,
    created,
    decode_lenient,
    decode_strict,
)
from axonhub_cli.protocols.parts import PartWriter
from axonhub_cli.protocols.sse import Event, SSEParser, SSETooLarge

MAX_BODY = 64 * 1024 * 1024  # of a whole answer sent where a stream was asked for
_CUT = broken("The upstream's stream ended before its answer did.", code="stream_truncated")


class GeminiStreamDecoder:
    """One stream. Never raises; exactly one ResponseEnd or StreamError leaves it."""

    def __init__(self) -> None:
        self._sse = SSEParser()
        self._writer = PartWriter()
        self._pieces = PieceReader(self._writer)
        self._out: list[StreamEvent] = []
        self._started = self._ended = False
        self._finish: str | None = None
        self._message: str | None = None
        self._blocked: APIError | None = None
        self._usage = UsageReader()
        self._hot = TextTemplate()
        self._body: bytearray | None = None  # an answer that is no stream of events
        self._sniffed = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        """See `base.StreamDecoder`."""
        if self._ended:
            return []
        if self._sse.idle and (text := self._hot.framed(data)) is not None:
            self._more(text)
            return self._writer.drain()
        if not self._sniffed and (head := data.lstrip()):
            self._sniffed = True
            self._body = bytearray() if head[:1] in (b"{", b"[", b"<") else None
        if self._body is not None:
            self._body += data
            if len(self._body) > MAX_BODY:
                self._fail(broken("The upstream's answer is too large."))
            return self._drain()
        try:
            events = self._sse.feed(data)
        except SSETooLarge:
            self._fail(broken("The upstream sent an event that is too large."))
            return self._drain()
        for event in events:
            self._event(event)
            if self._ended:
                break
        return self._drain()

    def close(self) -> list[StreamEvent]:
        """See `base.StreamDecoder`."""
        if self._ended:
            return []
        if self._body is not None:
            self._whole(bytes(self._body))
            return self._drain()
        try:
            rest = self._sse.close()
        except SSETooLarge:
            self._fail(broken("The upstream sent an event that is too large."))
            return self._drain()
        for event in rest:
            if not self._ended:
                self._event(event, last=True)
        if not self._ended:
            self._end()
        return self._drain()

    def whole(self, payload: object) -> list[StreamEvent]:
        """Events of an answer that came in one piece, or of the pieces of an array."""
        for piece in payload if isinstance(payload, list) else [payload]:
            try:
                chunk = convert(piece)
            except msgspec.ValidationError as problem:
                self._fail(broken(f"The upstream's answer cannot be read: {problem}."))
                break
            self._chunk(chunk, msgspec.json.encode(piece))
            if self._ended:
                break
        if not self._ended:
            if not self._started and self._blocked is None:
                self._fail(error_inside(payload))
            else:
                if self._blocked is None and not isinstance(payload, list):
                    self._finish = self._finish or "STOP"
                self._end()
        return self._drain()

    def _whole(self, body: bytes) -> None:
        try:
            payload = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._fail(_CUT if body.lstrip().startswith(b"[") else error_inside(body))
            return
        self._out = self.whole(payload)

    def _event(self, event: Event, *, last: bool = False) -> None:
        data = event.data
        if (text := self._hot.text(data)) is not None:
            self._more(text)
            return
        try:
            chunk = decode_strict(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            plain = data.strip()
            if not plain or plain == b"[DONE]" or last:  # a stream that was cut is judged without its last line
                return
            try:
                chunk = decode_lenient(data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
                if not self._finish:
                    self._fail(broken(f"The upstream sent an event that cannot be read: {problem}."))
                return
        self._chunk(chunk, data)
        if not self._ended and self._hot.wanted:
            self._learn(chunk, data)

    def _more(self, text: str) -> None:
        if self._hot.thought:
            self._writer.reasoning(text, 0)
        else:
            self._writer.text(text)

    def _chunk(self, chunk: WireChunk, data: bytes) -> None:
        candidates = chunk.candidates
        if chunk.error is not None:
            if not self._finish:
                self._fail(error_inside(data))
            return
        self._count(chunk)
        if isinstance(chunk.promptFeedback, dict) and chunk.promptFeedback.get("blockReason") and not candidates:
            feedback = chunk.promptFeedback
            message = feedback.get("blockReasonMessage")
            self._blocked = blocked(str(feedback["blockReason"]), message if isinstance(message, str) else None)
        if candidates is not None:
            if not self._started:
                self._start(chunk, data)
            for candidate in candidates:
                if not candidate.index:  # only the first of several answers
                    self._candidate(candidate)
        if self._finish and chunk.usageMetadata is not None and self._usage.usage() is not None:
            self._end()

    def _start(self, chunk: WireChunk, data: bytes) -> None:
        self._started = True
        self._writer.prefix = chunk.responseId or hashlib.sha256(data).hexdigest()[:16]
        self._out.append(ResponseStart(chunk.responseId or "", chunk.modelVersion or "", created(chunk.createTime)))

    def _candidate(self, candidate: WireCandidate) -> None:
        self._pieces.read(candidate)
        if candidate.finishReason and candidate.finishReason != "FINISH_REASON_UNSPECIFIED":
            self._finish = self._finish or candidate.finishReason
        if isinstance(candidate.finishMessage, str):
            self._message = candidate.finishMessage

    def _count(self, chunk: WireChunk) -> None:
        """Counts of the chunks that took the short way are read now (pitfall 98)."""
        self._catch_up()
        self._usage.read(chunk.usageMetadata)

    def _catch_up(self) -> None:
        if last := self._hot.last:
            self._hot.last = b""
            self._usage.read(decode_strict(last.removeprefix(b"data: ")).usageMetadata)

    def _learn(self, chunk: WireChunk, data: bytes) -> None:
        """See `hot`: nothing but one text may be in the chunk."""
        candidates = chunk.candidates
        if self._finish or chunk.promptFeedback is not None or not candidates or len(candidates) != 1:
            return
        candidate = candidates[0]
        content = candidate.content
        if content is None or candidate != WireCandidate(content, None, candidate.index) or candidate.index:
            return
        if content.parts is None or len(content.parts) != 1:
            return
        part = content.parts[0]
        thought = part.get("thought") is True
        if part.get("text") and isinstance(part["text"], str) and len(part) == 1 + thought:
            self._hot.learn(data, thought)

    def _end(self) -> None:
        """The answer is complete, or the stream is."""
        self._catch_up()
        if self._blocked is not None and not self._finish:
            self._fail(self._blocked)
            return
        if not self._finish:
            started = self._started
            self._fail(_CUT if started else broken("The upstream's stream has no answer in it.", code="stream_empty"))
            return
        self._pieces.finish()
        self._out += self._writer.drain()
        self._out += self._writer.finish()
        calls = self._writer.calls - self._writer.nameless
        if self._writer.nameless and not calls:  # pitfall 42
            self._fail(broken("The upstream called a tool without naming it.", code="invalid_tool_call"))
            return
        reason = finish_reason(self._finish, calls > 0)
        if reason.kind is FinishKind.ERROR:
            self._fail(gave_up(reason.raw, self._message))
            return
        self._ended = True
        self._out.append(ResponseEnd(reason, self._usage.usage()))

    def _fail(self, error: APIError) -> None:
        self._catch_up()
        if self._started:
            self._out += self._writer.drain()
        self._out.append(StreamError(error, self._usage.usage()))
        self._ended = True

    def _drain(self) -> list[StreamEvent]:
        if not self._ended and self._started:
            if self._out:
                self._out += self._writer.drain()
            else:
                return self._writer.drain()
        events, self._out = self._out, []
        return events
