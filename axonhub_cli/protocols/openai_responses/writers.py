"""How each kind of part is streamed as an output item: added, deltas, done.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from axonhub_cli.llm.content import OpaquePart, Part, ReasoningPart, RefusalPart, TextPart, ToolCallPart, ToolKind
from axonhub_cli.llm.events import PartDelta
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.openai_responses.content import annotations_of
from axonhub_cli.protocols.openai_responses.output import (
    Call,
    Names,
    call_input,
    call_item,
    content_part,
    logprobs_of,
    message_item,
    reasoning_item,
    whole_item,
)
from axonhub_cli.protocols.patch import InputStream

_encode = msgspec.json.Encoder().encode
_UNSEEN = -1


def encode_text(text: str) -> bytes:
    """JSON of a string; a lone surrogate, which UTF-8 cannot carry, becomes U+FFFD."""
    try:
        return _encode(text)
    except UnicodeEncodeError:
        return _encode(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def encode_json(value: Any) -> bytes:
    """JSON of any value, its strings as `encode_text` writes them."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_clean(value))


class Sink:
    """Collects events as bytes and counts them."""

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.sequence = 0

    def emit(self, kind: str, **values: Any) -> None:
        """One event of any kind."""
        body = encode_json({"type": kind, **values, "sequence_number": self.sequence})
        self.sequence += 1
        self.out.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), body))

    def delta(self, head: bytes, text: str, tail: bytes) -> None:
        """One delta between the bytes of a template made once per part."""
        self.out.append(b"%b%b%b%d}\n\n" % (head, encode_text(text), tail, self.sequence))
        self.sequence += 1


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return msgspec.Raw(encode_text(value))
    if isinstance(value, dict):
        return {name: _clean(item) for name, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, (list, tuple)) else value


def template(kind: str, tail: JSON, **values: Any) -> tuple[bytes, bytes]:
    """Head and tail of a delta event: `head + text + tail + sequence_number + "}"`."""
    head = _encode({"type": kind, **values})[:-1]
    after = b"".join(b',"%b":%b' % (name.encode(), _encode(value)) for name, value in tail.items())
    return b'event: %b\ndata: %b,"delta":' % (kind.encode(), head), after + b',"sequence_number":'


class Writer(Protocol):
    """Streams one part. `head` and `tail` are the template for plain deltas; no head: `delta` is asked."""

    head: bytes
    tail: bytes

    def delta(self, event: PartDelta) -> None: ...

    def end(self, part: Part) -> JSON | None:
        """Writes the rest; returns the item for the final list, None to have the call held (see CallWriter)."""
        ...


class MessageWriter:
    """A message with one content part, text or refusal."""

    def __init__(self, sink: Sink, names: Names, index: int, part: TextPart | RefusalPart) -> None:
        self._sink, self._index, self._start = sink, index, sink.sequence
        self._id = names.item_id("msg", index)
        refusal = isinstance(part, RefusalPart)
        self._kind = "response.refusal" if refusal else "response.output_text"
        self._at: JSON = {"item_id": self._id, "output_index": index, "content_index": 0}
        self.head, self.tail = template(f"{self._kind}.delta", {} if refusal else {"logprobs": []}, **self._at)
        item = message_item(self._id, part, "in_progress")
        sink.emit("response.output_item.added", output_index=index, item=item)
        sink.emit("response.content_part.added", **self._at, part=content_part(type(part)()))
        self._start = sink.sequence

    def delta(self, event: PartDelta) -> None:
        self._sink.delta(self.head, event.text, self.tail)

    def end(self, part: Part) -> JSON | None:
        assert isinstance(part, (TextPart, RefusalPart))
        sink = self._sink
        if sink.sequence == self._start and part.text:
            sink.delta(self.head, part.text, self.tail)
        text = msgspec.Raw(encode_text(part.text))
        if isinstance(part, TextPart):
            for number, annotation in enumerate(annotations_of(part.annotations)):
                added = {"annotation_index": number, "annotation": annotation}
                sink.emit("response.output_text.annotation.added", **self._at, **added)
            sink.emit(f"{self._kind}.done", **self._at, text=text, logprobs=logprobs_of(part.logprobs))
        else:
            sink.emit(f"{self._kind}.done", **self._at, refusal=text)
        sink.emit("response.content_part.done", **self._at, part=content_part(part, text))
        item = message_item(self._id, part, "completed", text)
        sink.emit("response.output_item.done", output_index=self._index, item=item)
        return item


class ReasoningWriter:
    """A reasoning item. A raw chain is shown on the summary channel unless a summary came first (pitfall 32)."""

    head = tail = b""

    def __init__(self, sink: Sink, names: Names, index: int, part: ReasoningPart) -> None:
        self._sink, self._index = sink, index
        self._id = names.item_id("rs", index, part.id)
        self._at: JSON = {"item_id": self._id, "output_index": index}
        self._summary: list[str] = []  # of paragraphs that are complete
        self._pieces: list[str] = []  # of the paragraph that is open
        self._raw: list[str] = []
        self._channel: int | None = None  # the paragraph that is open
        self._source: int | None = None  # its number in the upstream's count
        self._first: int | None = _UNSEEN  # what the first delta was part of
        self._template = self._raw_template = (b"", b"")
        item = {"id": self._id, "type": "reasoning", "summary": []}
        sink.emit("response.output_item.added", output_index=index, item=item)

    def delta(self, event: PartDelta) -> None:
        source = event.summary_index
        if self._first == _UNSEEN:
            self._first = source
        if source is None and self._first is not None:
            self._raw_delta(event.text)
            return
        if self._channel is None or source != self._source:
            self._open_paragraph(source)
        self._pieces.append(event.text)
        head, tail = self._template
        self._sink.delta(head, event.text, tail)

    def _open_paragraph(self, source: int | None) -> None:
        self._close_paragraph()
        self._channel, self._source = len(self._summary), source
        at = {**self._at, "summary_index": self._channel}
        self._template = template("response.reasoning_summary_text.delta", {}, **at)
        self._sink.emit("response.reasoning_summary_part.added", **at, part={"type": "summary_text", "text": ""})

    def _close_paragraph(self) -> None:
        if self._channel is None:
            return
        text = "".join(self._pieces)
        at = {**self._at, "summary_index": self._channel}
        self._sink.emit("response.reasoning_summary_text.done", **at, text=text)
        self._sink.emit("response.reasoning_summary_part.done", **at, part={"type": "summary_text", "text": text})
        self._summary.append(text)
        self._pieces.clear()
        self._channel = self._source = None

    def _raw_delta(self, text: str) -> None:
        at = {**self._at, "content_index": 0}
        if not self._raw:
            self._raw_template = template("response.reasoning_text.delta", {}, **at)
        self._raw.append(text)
        self._sink.delta(self._raw_template[0], text, self._raw_template[1])

    def end(self, part: Part) -> JSON | None:
        assert isinstance(part, ReasoningPart)
        if not self._raw and self._channel is None and not self._summary:
            for number, paragraph in enumerate(part.summary or ((part.text,) if part.text else ())):
                self.delta(PartDelta(0, paragraph, number))
        self._close_paragraph()
        raw = "".join(self._raw)
        if raw:
            self._sink.emit("response.reasoning_text.done", **self._at, content_index=0, text=raw)
        item = reasoning_item(self._id, part, self._summary, raw)
        self._sink.emit("response.output_item.done", output_index=self._index, item=item)
        return item


class CallWriter:
    """A tool call under the client's own names. Its item is done only when the input is whole: clients run it then."""

    head = tail = b""

    def __init__(self, sink: Sink, index: int, call: Call) -> None:
        self._sink, self._index, self._call = sink, index, call
        self._at: JSON = {"item_id": call.id, "output_index": index}
        self._unwrap = InputStream(call.name) if call.wrapped else None
        self._text = self._shown = ""
        sink.emit("response.output_item.added", output_index=index, item=call_item(call, "", "in_progress"))
        self._first = sink.sequence
        names = {ToolKind.FUNCTION: "function_call_arguments", ToolKind.CUSTOM: "custom_tool_call_input"}
        self._kind = names.get(call.kind)
        self._head, self._tail = template(f"response.{self._kind}.delta", {}, **self._at)
        if self._kind and self._unwrap is None:
            self.head, self.tail = self._head, self._tail

    def delta(self, event: PartDelta) -> None:
        if self._unwrap is not None and (text := self._unwrap.feed(event.text)):
            self._shown += text
            self._sink.delta(self._head, text, self._tail)

    def end(self, part: Part) -> JSON | None:
        assert isinstance(part, ToolCallPart)
        self._text, whole = call_input(self._call, part.input)
        if self._unwrap is not None and whole:
            self._text = self._unwrap.close(part.input) or self._text
        return self.finish() if whole else None

    def finish(self) -> JSON:
        """The call as it is, broken or not; it was the model's own doing (wire.md M, against pitfall 46)."""
        sink = self._sink
        if self._kind:
            rest = self._text if sink.sequence == self._first else ""
            if self._unwrap is not None and self._text.startswith(self._shown):
                rest = self._text[len(self._shown) :]
            if rest:
                sink.delta(self._head, rest, self._tail)
            name = "input" if self._call.kind is ToolKind.CUSTOM else "arguments"
            sink.emit(f"response.{self._kind}.done", **self._at, **{name: self._text})
        item = call_item(self._call, self._text, "completed")
        sink.emit("response.output_item.done", output_index=self._index, item=item)
        return item

    def cut(self) -> JSON:
        """The call was cut off: never done, so that nobody runs half of it (pitfall 46)."""
        return call_item(self._call, self._text, "incomplete")


class WholeWriter:
    """A part without deltas. Its item is written at the end, when it is known."""

    head = tail = b""

    def __init__(self, sink: Sink, names: Names, index: int) -> None:
        self._sink, self._names, self._index = sink, names, index

    def delta(self, event: PartDelta) -> None:
        """Such parts have none."""

    def end(self, part: Part) -> JSON | None:
        item = whole_item(part, self._names, self._index)
        if item is None:
            return None
        if not isinstance(part, OpaquePart) and item["type"] == "compaction":
            self._sink.emit(
                "response.output_item.added", output_index=self._index, item={**item, "encrypted_content": ""}
            )
        else:
            self._sink.emit("response.output_item.added", output_index=self._index, item=item)
        self._sink.emit("response.output_item.done", output_index=self._index, item=item)
        return item


def open_writer(part: Part, sink: Sink, names: Names, index: int) -> Writer:
    """The writer for a part that begins."""
    match part:
        case TextPart() | RefusalPart():
            return MessageWriter(sink, names, index, part)
        case ReasoningPart():
            return ReasoningWriter(sink, names, index, part)
        case ToolCallPart():
            return CallWriter(sink, index, names.call(part, index))
        case _:
            return WholeWriter(sink, names, index)
