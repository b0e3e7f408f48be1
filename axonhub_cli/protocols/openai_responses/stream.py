"""An upstream's Responses stream -> events. Fast on deltas, tolerant of what real servers leave out.

Some send no `added`, no `done`, no `output_index` (llama.cpp), arguments only at the end (pitfall 44), or nothing
but `response.completed`. https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.llm.events import ResponseEnd, ResponseStart, StreamError, StreamEvent
from axonhub_cli.llm.response import FinishKind, FinishReason, Usage
from axonhub_cli.protocols import loose
from axonhub_cli.protocols.failures import error_in
from axonhub_cli.protocols.openai_responses.assembler import Assembler
from axonhub_cli.protocols.openai_responses.response import finish_reason
from axonhub_cli.protocols.openai_responses.usage import decode_usage
from axonhub_cli.protocols.sse import SSEParser, SSETooLarge

_DELTAS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "summary",
    "response.reasoning_text.delta": "raw",
    "response.reasoning.delta": "raw",  # LM Studio, early vLLM
    "response.function_call_arguments.delta": "input",
    "response.custom_tool_call_input.delta": "input",
}
_INPUT_DONE = {
    "response.function_call_arguments.done": "arguments",
    "response.custom_tool_call_input.done": "input",
}
_TERMINALS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.done"})


class _Event(Struct, gc=False):
    """The fields of the frequent events; `msgspec` skips the others unread."""

    type: str = ""
    delta: str | None = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None


_decode_event = msgspec.json.Decoder(_Event).decode


class StreamDecoder:
    """See `protocols.base.StreamDecoder`."""

    def __init__(self) -> None:
        self._sse = SSEParser()
        self._parts = Assembler()
        self._events: list[StreamEvent] = []
        self._started = self._ended = False
        self._usage: Usage | None = None

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Never raises."""
        if self._ended:
            return []
        try:
            events = self._sse.feed(data)
        except SSETooLarge:
            self._broken("an event of more than 16 MiB")
            return self._take()
        for event in events:
            self._event(event.event, event.data)
            if self._ended:
                break
        return self._take()

    def close(self) -> list[StreamEvent]:
        """Without a terminal event the answer counts as cut (pitfalls 29, 38)."""
        if not self._ended:
            try:
                for event in self._sse.close():
                    self._event(event.event, event.data)
            except SSETooLarge:
                self._broken("an event of more than 16 MiB")
        if not self._ended:
            self._fail(
                APIError(
                    ErrorKind.BAD_GATEWAY, "The upstream's stream ended before response.completed.", 502, upstream=True
                )
            )
        return self._take()

    def _take(self) -> list[StreamEvent]:
        self._parts.drain(self._events)
        events, self._events = self._events, []
        return events

    def _event(self, name: str | None, data: bytes) -> None:
        if self._ended:
            return
        try:
            event = _decode_event(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if (mended := _mended(data)) is None:
                self._odd(name, data)
                return
            data = mended
            event = _decode_event(data)
        if kind := _DELTAS.get(event.type):
            if event.delta and self._start():
                index = event.summary_index if kind == "summary" else event.content_index
                self._parts.delta(kind, event.output_index, event.item_id, index or 0, event.delta)
        elif event.type not in _IGNORED:
            self._other(event.type or name or "", data)

    def _odd(self, name: str | None, data: bytes) -> None:
        """No event of the usual types: the end mark, a field of an odd type, or broken JSON."""
        if data.strip() == b"[DONE]":
            self._done_mark()
            return
        try:
            value = loose.decode(data)
        except (ValueError, RecursionError):
            self._broken("an event that is not JSON")
            return
        if isinstance(value, dict):
            self._dispatch(value, value["type"] if isinstance(value.get("type"), str) else name or "")

    def _other(self, kind: str, data: bytes) -> None:
        try:
            value = loose.decode(data)
        except (ValueError, RecursionError):
            self._broken("an event that is not JSON")
            return
        if isinstance(value, dict):
            self._dispatch(value, kind)

    def _dispatch(self, value: dict[str, Any], kind: str) -> None:
        if kind in {"response.created", "response.in_progress", "response.queued"}:
            self._start(_table(value, "response"))
        elif kind in _TERMINALS:
            self._terminal(kind, _table(value, "response"))
        elif kind == "error" or (not kind and "error" in value):
            self._fail(error_in(value))
        elif kind in _PARTS and self._start():
            self._part(kind, value)

    def _part(self, kind: str, value: dict[str, Any]) -> None:
        index, item_id = _integer(value, "output_index"), _text(value, "item_id")
        parts = self._parts
        if kind == "response.output_item.added":
            parts.added(index, _table(value, "item"))
        elif kind == "response.output_item.done":
            parts.done(index, _table(value, "item"))
        elif kind == "response.content_part.added":
            parts.content_added(index, item_id, _integer(value, "content_index") or 0, _table(value, "part"))
        elif kind == "response.content_part.done":
            parts.content_done(index, item_id, _integer(value, "content_index") or 0, _table(value, "part"))
        elif name := _INPUT_DONE.get(kind):
            parts.input_done(index, item_id, _text(value, name))

    def _start(self, response: Mapping[str, Any] | None = None) -> bool:
        if not self._started:
            self._started = True
            response = response or {}
            created = response.get("created_at")
            whole = int(created) if isinstance(created, (int, float)) and not isinstance(created, bool) else None
            self._events.append(ResponseStart(_text(response, "id") or "", _text(response, "model") or "", whole))
        return True

    def _terminal(self, kind: str, response: dict[str, Any]) -> None:
        self._start(response)
        self._usage = decode_usage(response.get("usage"))
        if kind == "response.failed" or response.get("error") or response.get("status") == "failed":
            self._fail(error_in(response))
            return
        output = response.get("output")
        self._parts.finish(output if isinstance(output, list) else [])
        if kind == "response.incomplete":
            response = {**response, "status": "incomplete"}
        self._end(finish_reason(response, self._parts.called), _text(response, "service_tier"))

    def _done_mark(self) -> None:
        """`[DONE]` in place of a terminal event ends an answer whose items are all complete."""
        if self._parts.complete:
            kind = FinishKind.TOOL_CALLS if self._parts.called else FinishKind.STOP
            self._end(FinishReason(kind), None)

    def _end(self, reason: FinishReason, tier: str | None) -> None:
        self._parts.drain(self._events)
        self._events.append(ResponseEnd(reason, self._usage, tier))
        self._ended = True

    def _broken(self, what: str) -> None:
        message = f"The upstream's stream broke: {what}."
        self._fail(APIError(ErrorKind.BAD_GATEWAY, message, 502, upstream=True))

    def _fail(self, error: APIError) -> None:
        self._parts.drain(self._events)
        self._events.append(StreamError(error, self._usage))
        self._ended = True


_PARTS = frozenset(
    {
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.content_part.done",
        *_INPUT_DONE,
    }
)
# What these say, the item's own end says again.
_IGNORED = frozenset(
    {
        "response.output_text.done",
        "response.refusal.done",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
        "response.reasoning_text.done",
        "response.output_text.annotation.added",
        "keepalive",
    }
)


def _mended(data: bytes) -> bytes | None:
    """An event whose characters were broken; None where that was not all."""
    try:
        mended = loose.mended(data)
        _decode_event(mended)
    except (ValueError, RecursionError):
        return None
    return mended


def _table(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: Mapping[str, Any], name: str) -> str | None:
    found = value.get(name)
    return found if isinstance(found, str) else None


def _integer(value: Mapping[str, Any], name: str) -> int | None:
    found = value.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
