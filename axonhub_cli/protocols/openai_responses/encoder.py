"""Events of one answer -> the bytes of a Responses stream, in OpenAI's own order (wire.md 0.1; pitfalls 29-61).

One item is open at a time, exactly one terminal event is sent, and nothing after it.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Raw

from axonhub_cli.llm.content import Part, ReasoningPart, ToolCallPart
from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, ResponseEnd, ResponseStart, StreamError, StreamEvent
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import FinishKind, Usage
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.compaction import Compactor
from axonhub_cli.protocols.openai_responses.errors import failed_error
from axonhub_cli.protocols.openai_responses.output import Names
from axonhub_cli.protocols.openai_responses.response import INCOMPLETE, NAMELESS, skeleton
from axonhub_cli.protocols.openai_responses.usage import encode_usage
from axonhub_cli.protocols.openai_responses.writers import (
    CallWriter,
    Sink,
    Writer,
    encode_json,
    encode_text,
    open_writer,
)

# Names no response, so that it fits into anybody's: Codex and the SDKs skip events they do not know.
_ALIVE = b'event: keepalive\ndata: {"type":"keepalive"}\n\n'


class StreamEncoder:
    """See `protocols.base.StreamEncoder`."""

    def __init__(self, request: Request, response_id: str, now: int) -> None:
        self._request = request
        self._names = Names(request, response_id)
        self._created = now
        self._compactor = Compactor() if request.compaction else None
        self._sink = Sink()
        self._started = self._ended = False
        self._writer: Writer | None = None
        self._head = self._tail = b""  # template of the open part's plain deltas
        self._held: CallWriter | None = None  # a call whose input is broken, until it is known whether it was cut
        self._skeleton: JSON | None = None
        self._items: list[JSON] = []
        self._parts: list[Part] = []
        self._calls = self._nameless = 0

    def encode(self, events: Iterable[StreamEvent]) -> bytes:
        """The bytes for these events."""
        if self._compactor is not None:
            events = self._compactor.feed(events)
        sink = self._sink
        for event in events:
            if type(event) is PartDelta and self._head:
                sink.out.append(b"%b%b%b%d}\n\n" % (self._head, encode_text(event.text), self._tail, sink.sequence))
                sink.sequence += 1
            elif not self._ended:
                self._event(event)
        return self._take()

    def keepalive(self) -> bytes:
        """`response.in_progress` once more: Codex counts typed events only (pitfall 151)."""
        if self._ended:
            return b""
        if not self._started:
            return _ALIVE
        self._sink.emit("response.in_progress", response=self._frame())
        return self._take()

    def _take(self) -> bytes:
        out = self._sink.out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    def _event(self, event: StreamEvent) -> None:
        if not self._started:
            self._start()
        match event:
            case PartStart(part=part):
                self._part_start(part)
            case PartDelta():
                if self._writer is not None:
                    self._writer.delta(event)
            case PartEnd(part=part):
                self._part_end(part)
            case ResponseEnd():
                self._end(event)
            case StreamError(error=error, usage=usage):
                self._fail(error, usage)
            case ResponseStart():
                pass

    def _start(self) -> None:
        self._started = True
        begun = Raw(encode_json(self._frame()))  # the longest words of most streams, said twice
        self._sink.emit("response.created", response=begun)
        self._sink.emit("response.in_progress", response=begun)

    def _frame(self) -> JSON:
        if self._skeleton is None:
            self._skeleton = skeleton(self._request, self._names.response_id, self._created)
        return dict(self._skeleton)

    def _part_start(self, part: Part) -> None:
        self._release()
        if isinstance(part, ToolCallPart) and not part.name:
            return  # the name may come with the end
        writer = open_writer(part, self._sink, self._names, len(self._items))
        self._writer, self._head, self._tail = writer, writer.head, writer.tail

    def _part_end(self, part: Part) -> None:
        if isinstance(part, ToolCallPart):
            if not part.name:
                self._nameless += 1
                return
            self._calls += 1
            if self._writer is None:
                self._part_start(part)
        writer, self._writer, self._head = self._writer, None, b""
        if writer is None:
            return
        self._parts.append(part)
        item = writer.end(part)
        if item is not None:
            self._items.append(item)
        elif isinstance(writer, CallWriter):
            self._held = writer

    def _release(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            self._items.append(held.finish())

    def _end(self, event: ResponseEnd) -> None:
        kind = event.finish_reason.kind
        if kind is FinishKind.ERROR:
            message = f"The model stopped with {event.finish_reason.raw or 'an error'}."
            self._fail(APIError(NAMELESS.kind, message, 502, upstream=True), event.usage)
            return
        if self._nameless and not self._calls:  # pitfall 42
            self._fail(NAMELESS, event.usage)
            return
        reason = INCOMPLETE.get(kind)
        if reason is None:
            self._release()
        elif self._held is not None:
            self._items.append(self._held.cut())
        frame = self._frame()
        frame["status"] = "incomplete" if reason else "completed"
        frame["incomplete_details"] = {"reason": reason} if reason else None
        frame["service_tier"] = event.service_tier or self._request.service_tier
        self._terminal("response.incomplete" if reason else "response.completed", frame, event.usage)

    def _fail(self, error: APIError, usage: Usage | None) -> None:
        frame = self._frame()
        frame["status"] = "failed"
        frame["error"] = failed_error(error)
        self._terminal("response.failed", frame, usage)

    def _terminal(self, kind: str, frame: JSON, usage: Usage | None) -> None:
        """The one last event. A failure without counts has no usage: nothing was measured (pitfall 179)."""
        frame["output"] = self._items
        if usage is not None or kind != "response.failed":
            parts = (part for part in self._parts if not isinstance(part, ReasoningPart) or part.text or part.summary)
            frame["usage"] = encode_usage(usage, self._request, parts)
        self._sink.emit(kind, response=frame)
        self._ended = True
        self._writer, self._head, self._held = None, b"", None
