"""Reads a stream of Messages events, from Anthropic and from those who say they send the same.

https://platform.claude.com/docs/en/build-with-claude/streaming; pitfalls 29, 36-38, 51, 79, 80.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.events import PartDelta, ResponseEnd, ResponseStart, StreamError, StreamEvent
from axonhub_cli.llm.response import FinishKind
from axonhub_cli.protocols import loose
from axonhub_cli.protocols.anthropic_messages.assembler import TEXT_FIELDS, Assembler
from axonhub_cli.protocols.anthropic_messages.errors import broken, error_inside
from axonhub_cli.protocols.anthropic_messages.finish import finish_reason, gave_up
from axonhub_cli.protocols.anthropic_messages.hot import DeltaTemplate
from axonhub_cli.protocols.anthropic_messages.usage import TIERS, decode_usage, merge_usage, opening_usage
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.sse import Event, SSEParser, SSETooLarge

_TOO_LARGE = broken("The upstream sent an event that is too large.")


class StreamDecoder:
    """One stream. Never raises; exactly one ResponseEnd or StreamError leaves it."""

    def __init__(self) -> None:
        self._sse = SSEParser()
        self._parts = Assembler()
        self._hot = DeltaTemplate()
        self._out: list[StreamEvent] = []
        self._started = self._ended = False
        self._stop: str | None = None
        self._usage: JSON = {}

    def feed(self, data: bytes) -> list[StreamEvent]:
        """See `base.StreamDecoder`."""
        if self._ended:
            return []
        if self._hot.known and (text := self._hot.framed(data)) is not None and self._sse.idle:
            if not text:
                return []
            self._parts.told(text)
            return [PartDelta(self._parts.index, text)]
        try:
            events = self._sse.feed(data)
        except SSETooLarge:
            self._fail(_TOO_LARGE)
            return self._drain()
        for event in events:
            self._event(event)
            if self._ended:
                break
        return self._drain()

    def close(self) -> list[StreamEvent]:
        """See `base.StreamDecoder`. An answer whose stop reason has come is whole (pitfall 37)."""
        if self._ended:
            return []
        try:
            rest = self._sse.close()
        except SSETooLarge:
            rest = []
        for event in rest:
            if not self._ended:
                self._event(event, last=True)
        if not self._ended and self._stop is not None:
            self._end()
        elif not self._ended:
            self._fail(broken("The upstream's stream ended before its answer did.", code="stream_truncated"))
        return self._drain()

    def _event(self, event: Event, *, last: bool = False) -> None:
        data = event.data
        if self._hot.known and (text := self._hot.text(data)) is not None:
            self._parts.more(text)
            return
        payload = _read(data)
        if not isinstance(payload, dict):
            if payload is None and not last and data.strip() not in (b"", b"[DONE]") and self._stop is None:
                self._fail(broken("The upstream sent an event that cannot be read."))
            return
        kind = payload.get("type")
        if not isinstance(kind, str):
            kind = event.event or ("error" if "error" in payload else "")
        self._typed(kind, payload, event)

    def _typed(self, kind: str, payload: JSON, event: Event) -> None:
        match kind:
            case "content_block_delta":
                self._delta(payload, event)
            case "content_block_start":
                self._hot.forget()
                self._begin({})
                self._parts.start(_index(payload), _mapping(payload, "content_block"))
            case "content_block_stop":
                self._hot.forget()
                self._parts.stop()
            case "message_start":
                self._begin(_mapping(payload, "message"))
            case "message_delta":
                self._message_delta(payload)
            case "message_stop":
                self._end()
            case "error" if self._stop is None:
                self._fail(error_inside(event.data))
            case "message":  # a whole answer as one event
                self._whole(payload)
            case _:
                pass  # ping, and what is not invented yet

    def _begin(self, message: Mapping[str, Any]) -> None:
        if message:
            self._usage = merge_usage(self._usage, opening_usage(message.get("usage")))
        if self._started:
            return
        self._started = True
        id, model = message.get("id"), message.get("model")
        self._out.append(ResponseStart(id if isinstance(id, str) else "", model if isinstance(model, str) else ""))

    def _delta(self, payload: JSON, event: Event) -> None:
        self._begin({})
        delta = _mapping(payload, "delta")
        if not self._parts.delta(_index(payload), delta):
            self._fail(broken("The upstream sent input for a tool call that is not open.", code="invalid_tool_call"))
            return
        field = TEXT_FIELDS.get(str(delta.get("type")))
        if field is not None and not self._hot.known and self._parts.streaming:
            self._hot.learn(event.event, event.data, field, delta.get(field))

    def _message_delta(self, payload: JSON) -> None:
        self._begin({})
        self._usage = merge_usage(self._usage, payload.get("usage"))
        word = _mapping(payload, "delta").get("stop_reason")
        if isinstance(word, str) and word:
            self._stop = self._stop or word

    def _whole(self, payload: JSON) -> None:
        self._begin(payload)
        content = payload.get("content")
        for at, raw in enumerate(content if isinstance(content, list) else ()):
            if isinstance(raw, dict):
                self._parts.start(at, raw)
        self._parts.stop()
        self._message_delta({"delta": payload})
        self._end()

    def _end(self) -> None:
        """The answer is complete, as far as the upstream says so."""
        if not self._started:
            self._fail(broken("The upstream's stream has no answer in it.", code="stream_empty"))
            return
        self._parts.stop()
        self._out += self._parts.drain()
        usage, tier = decode_usage(self._usage), self._usage.get("service_tier")
        reason = finish_reason(self._stop, self._parts.calls > 0)
        self._ended = True
        if reason.kind is FinishKind.ERROR:
            self._out.append(StreamError(gave_up(self._stop), usage))
        else:
            self._out.append(ResponseEnd(reason, usage, TIERS.get(tier) if isinstance(tier, str) else None))

    def _fail(self, error: APIError) -> None:
        """The usage counted so far is kept (pitfall 180)."""
        self._out += self._parts.drain()
        self._out.append(StreamError(error, decode_usage(self._usage)))
        self._ended = True

    def _drain(self) -> list[StreamEvent]:
        if not self._ended:
            self._out += self._parts.drain()
        events, self._out = self._out, []
        return events


def _read(data: bytes) -> Any:
    """The event; None for what is no JSON."""
    try:
        return loose.decode(data)
    except (ValueError, RecursionError):
        return None


def _index(payload: JSON) -> int:
    value = payload.get("index")
    return value if isinstance(value, int) else 0


def _mapping(payload: JSON, name: str) -> Mapping[str, Any]:
    value = payload.get(name)
    return value if isinstance(value, Mapping) else {}
