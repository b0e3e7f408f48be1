"""Reads a stream of chat.completion.chunk events, in the dialects of those who say they send it.

https://platform.openai.com/docs/api-reference/chat/streaming; pitfalls 29-51 and 57-59.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.events import ResponseEnd, ResponseStart, StreamError, StreamEvent
from axonhub_cli.llm.response import FinishKind, Usage
from axonhub_cli.protocols.openai_chat.deltas import DeltaReader
from axonhub_cli.protocols.openai_chat.errors import broken, error_inside
from axonhub_cli.protocols.openai_chat.finish import finish_reason, gave_up
from axonhub_cli.protocols.openai_chat.hot import ChunkTemplate
from axonhub_cli.protocols.openai_chat.usage import decode_usage
from axonhub_cli.protocols.openai_chat.wire import (
    WireChoice,
    WireChunk,
    convert,
    decode_lenient,
    decode_strict,
    seconds,
)
from axonhub_cli.protocols.parts import PartWriter
from axonhub_cli.protocols.sse import Event, SSEParser, SSETooLarge, split_events
from axonhub_cli.vendors import Quirks

_RUNS = 4  # looked for in one read: after a stream's first chunks, and before its last ones
# What some send so that the connection lives (pitfall 151).
_ALIVE = re.compile(rb'\s*\{\s*(?:"(?:type|event)"\s*:\s*"(?:ping|keep-?alive|heartbeat)"\s*)?\}\s*')
MAX_BODY = 64 * 1024 * 1024  # of a whole answer sent where a stream was asked for


class ChatStreamDecoder:
    """One stream. Never raises; exactly one ResponseEnd or StreamError leaves it."""

    def __init__(self, quirks: Quirks) -> None:
        self._sse = SSEParser()
        self._writer = PartWriter()
        self._deltas = DeltaReader(self._writer, quirks.think_tags)
        self._out: list[StreamEvent] = []
        self._started = self._ended = self._done = False
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._tier: str | None = None
        self._hot = ChunkTemplate()
        self._body: bytearray | None = None  # an answer that is no stream
        self._sniffed = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        """See `base.StreamDecoder`."""
        if self._ended:
            return []
        if not self._sniffed:
            self._sniff(data)
        if self._body is not None:
            self._body += data
            if len(self._body) > MAX_BODY:
                self._fail(broken("The upstream's answer is too large."))
            return self._drain()
        try:
            if raw := self._sse.whole(data):
                self._read(raw)
        except SSETooLarge:
            self._fail(broken("The upstream sent an event that is too large."))
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
            if self._finish or self._done:
                self._end()
            else:
                self._fail(broken("The upstream's stream ended before its answer did.", code="stream_truncated"))
        return self._drain()

    def whole(self, payload: object) -> list[StreamEvent]:
        """Events of an answer that came in one piece."""
        try:
            chunk = convert(payload)
        except msgspec.ValidationError as problem:
            self._fail(broken(f"The upstream's answer cannot be read: {problem}."))
            return self._drain()
        if not chunk.error and not chunk.choices:
            self._fail(error_inside(payload))
            return self._drain()
        self._chunk(chunk, b"")
        if not self._ended:
            self._end()
        return self._drain()

    def _sniff(self, data: bytes) -> None:
        """JSON or HTML where a stream was asked for (pitfall 50)."""
        head = data.lstrip()
        if head:
            self._sniffed = True
            if head[:1] in (b"{", b"[", b"<"):
                self._body = bytearray()

    def _whole(self, body: bytes) -> None:
        try:
            payload = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._fail(error_inside(body))
            return
        self._out = self.whole(payload)

    def _read(self, raw: bytes) -> None:
        """Whole events: a run of ordinary chunks at once, wherever it begins within the first few."""
        for _ in range(_RUNS):
            if (run := self._hot.run(raw)) is not None:
                text, raw = run
                self._more(text)
            if not raw:
                return
            first, _, raw = raw.partition(b"\n\n")
            self._events(first)
        self._events(raw)

    def _events(self, raw: bytes) -> None:
        for event in split_events(raw):
            if not self._ended:
                self._event(event)

    def _event(self, event: Event, *, last: bool = False) -> None:
        data = event.data
        if (text := self._hot.text(data)) is not None:
            self._more(text)
            return
        if data == b"[DONE]":
            self._done = True
            self._end()
            return
        try:
            chunk = decode_strict(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            odd = self._odd(data, last)
            if odd is None:
                return
            chunk = odd
        if event.event == "error" and not self._finish:
            self._fail(error_inside(data))
            return
        self._chunk(chunk, data)
        if not self._deltas.plain or not self._writer.settled:
            self._hot.forget()
        elif self._hot.wanted and not self._finish:
            self._hot.learn(data, chunk)

    def _more(self, text: str) -> None:
        """One string that says all that its chunks do."""
        hot = self._hot
        if hot.field == "content":
            self._writer.text(text)
        elif hot.field == "arguments":
            self._writer.call(hot.call.index, hot.call.id, None, text)
        else:
            self._writer.reasoning(text)

    def _odd(self, data: bytes, last: bool) -> WireChunk | None:
        """A chunk that is not as it should be; None once it has been dealt with."""
        plain = data.strip()
        if plain == b"[DONE]":
            self._done = True
            self._end()
            return None
        if not plain or last:  # the last line of a stream that was cut: the end is judged without it
            return None
        try:
            return decode_lenient(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            if not self._finish:
                self._fail(broken(f"The upstream sent an event that cannot be read: {problem}."))
            return None

    def _chunk(self, chunk: WireChunk, data: bytes) -> None:
        choices = chunk.choices
        if chunk.error or (not choices and self._refused(chunk, data)):
            if not self._finish:
                self._fail(error_inside(data or {"error": chunk.error}))
            return
        if not self._started:
            if not choices and chunk.usage is None:
                return  # a preamble: Azure's prompt filter results
            self._start(chunk, data)
        if choices:
            for choice in choices:
                if not choice.index:  # only the first of several answers
                    self._choice(choice)
        if isinstance(chunk.service_tier, str):
            self._tier = chunk.service_tier
        if chunk.usage is not None or chunk.x_groq is not None or chunk.timings is not None:
            self._count(chunk)  # which may be the end

    def _refused(self, chunk: WireChunk, data: bytes) -> bool:
        if isinstance(chunk.base_resp, dict):
            return bool(chunk.base_resp.get("status_code"))
        nothing = chunk.choices is None and chunk.usage is None and chunk.id is None
        return nothing and _ALIVE.fullmatch(data) is None

    def _start(self, chunk: WireChunk, data: bytes) -> None:
        self._started = True
        id_ = str(chunk.id or "")
        self._writer.prefix = id_ or hashlib.sha256(data).hexdigest()[:16]
        self._out.append(ResponseStart(id_, chunk.model or "", seconds(chunk.created)))

    def _count(self, chunk: WireChunk) -> None:
        usage = decode_usage(chunk.usage, chunk.timings)
        if usage is None and isinstance(chunk.x_groq, dict):
            usage = decode_usage(chunk.x_groq.get("usage"))
        if usage is not None:
            self._usage = usage
            if self._finish:  # nothing that counts can follow (pitfall 36)
                self._end()

    def _choice(self, choice: WireChoice) -> None:
        delta = choice.delta
        if delta is None and choice.message is not None and self._writer.empty:
            delta = choice.message
            for place, call in enumerate(delta.tool_calls or ()):
                call.index = place  # each entry is a call by itself
        if delta is not None:
            self._deltas.read(delta)
        if isinstance(choice.logprobs, dict) and isinstance(choice.logprobs.get("content"), list):
            self._writer.annotate(logprobs=choice.logprobs["content"])
        if choice.finish_reason and not self._finish:
            self._finish = choice.finish_reason
        if choice.usage is not None:
            self._usage = decode_usage(choice.usage) or self._usage

    def _end(self) -> None:
        """The answer is complete, as far as the upstream says so."""
        if not self._started:
            self._fail(broken("The upstream's stream has no answer in it.", code="stream_empty"))
            return
        self._deltas.finish()
        self._out += self._writer.drain()
        self._out += self._writer.finish()
        calls = self._writer.calls - self._writer.nameless
        if self._writer.nameless and not calls:  # pitfall 42
            self._fail(broken("The upstream called a tool without naming it.", code="invalid_tool_call"))
            return
        reason = finish_reason(self._finish, calls > 0)
        if reason.kind is FinishKind.ERROR:
            self._fail(gave_up(reason.raw))
            return
        self._ended = True
        self._out.append(ResponseEnd(reason, self._usage, self._tier))

    def _fail(self, error: APIError) -> None:
        if self._started:
            self._out += self._writer.drain()
        self._out.append(StreamError(error, self._usage))
        self._ended = True

    def _drain(self) -> list[StreamEvent]:
        if not self._ended and self._started:
            if self._out:
                self._out += self._writer.drain()
            else:
                return self._writer.drain()
        events, self._out = self._out, []
        return events
