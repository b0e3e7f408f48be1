"""Reads a ConverseStream, as server-sent events named after Bedrock's own.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html; pitfalls 29, 36-38.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.llm.events import ResponseEnd, ResponseStart, StreamError, StreamEvent
from axonhub_cli.llm.response import FinishKind, Usage
from axonhub_cli.protocols import loose
from axonhub_cli.protocols.bedrock_converse.response import (
    decode_usage,
    finish_reason,
    gave_up,
    reasoning,
    service_tier,
)
from axonhub_cli.protocols.failures import error_in
from axonhub_cli.protocols.parts import PartWriter
from axonhub_cli.protocols.sse import Event, SSEParser, SSETooLarge


def _broken(message: str, code: str | None = None) -> APIError:
    return APIError(ErrorKind.BAD_GATEWAY, message, 502, code=code, upstream=True)


class StreamDecoder:
    """One stream. Never raises; exactly one ResponseEnd or StreamError leaves it.

    `metadata` with the counts comes after `messageStop`, and ends it.
    """

    def __init__(self) -> None:
        self._sse = SSEParser()
        self._writer = PartWriter()
        self._out: list[StreamEvent] = []
        self._started = self._ended = False
        self._stop: str | None = None
        self._usage: Usage | None = None
        self._tier: str | None = None

    def feed(self, data: bytes) -> list[StreamEvent]:
        """See `base.StreamDecoder`."""
        return self._read(data, last=False)

    def close(self) -> list[StreamEvent]:
        """See `base.StreamDecoder`. An answer whose stop reason has come is whole (pitfall 37)."""
        out = self._read(b"", last=True)
        if not self._ended and self._stop is not None:
            self._end()
        elif not self._ended:
            self._fail(_broken("The upstream's stream ended before its answer did.", "stream_truncated"))
        return out + self._drain()

    def _read(self, data: bytes, *, last: bool) -> list[StreamEvent]:
        if self._ended:
            return []
        try:
            events = self._sse.close() if last else self._sse.feed(data)
        except SSETooLarge:
            self._fail(_broken("The upstream sent an event that is too large."))
            return self._drain()
        for event in events:
            if not self._ended:
                self._event(event, last=last)
        return self._drain()

    def _event(self, event: Event, *, last: bool) -> None:
        try:
            payload = msgspec.convert(loose.decode(event.data), dict[str, Any])
        except (ValueError, RecursionError):
            if not last and self._stop is None:
                self._fail(_broken("The upstream sent an event that cannot be read."))
            return
        index = payload.get("contentBlockIndex")
        index = index if isinstance(index, int) else None
        match event.event:
            case "messageStart":
                self._begin()
            case "contentBlockStart":
                self._begin()
                self._start(index, payload.get("start"))
            case "contentBlockDelta":
                self._begin()
                self._delta(index, payload.get("delta"))
            case "contentBlockStop":
                self._writer.end_call(index)
            case "messageStop":
                self._begin()
                word = payload.get("stopReason")
                self._stop = word if isinstance(word, str) and word else "end_turn"
            case "metadata":
                self._usage, self._tier = decode_usage(payload.get("usage")), service_tier(payload)
                if self._stop is not None:
                    self._end()
            case "error" if self._stop is None:
                self._fail(error_in(event.data))
            case _:
                pass  # what is not invented yet

    def _begin(self) -> None:
        if not self._started:
            self._started = True
            self._out.append(ResponseStart("", ""))

    def _start(self, index: int | None, start: Any) -> None:
        call = start.get("toolUse") if isinstance(start, Mapping) else None
        if isinstance(call, Mapping):
            self._writer.call(index, str(call.get("toolUseId") or ""), str(call.get("name") or ""))

    def _delta(self, index: int | None, delta: Any) -> None:
        if not isinstance(delta, Mapping):
            return
        if isinstance(text := delta.get("text"), str):
            self._writer.text(text)
        elif isinstance(call := delta.get("toolUse"), Mapping):
            self._writer.call(index, arguments=str(call.get("input") or ""))
        elif isinstance(thought := delta.get("reasoningContent"), Mapping):
            reasoning(self._writer, thought)

    def _end(self) -> None:
        self._out += self._writer.finish()
        reason = finish_reason(self._stop, self._writer.calls > self._writer.nameless)
        self._ended = True
        if reason.kind is FinishKind.ERROR:
            self._out.append(StreamError(gave_up(self._stop), self._usage))
        else:
            self._out.append(ResponseEnd(reason, self._usage, self._tier))

    def _fail(self, error: APIError) -> None:
        """What was counted so far is kept (pitfall 180)."""
        self._out += self._writer.drain()
        self._out.append(StreamError(error, self._usage))
        self._ended = True

    def _drain(self) -> list[StreamEvent]:
        if not self._ended:
            self._out += self._writer.drain()
        events, self._out = self._out, []
        return events
