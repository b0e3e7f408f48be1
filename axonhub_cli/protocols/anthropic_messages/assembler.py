"""Puts an upstream's content blocks, as their events arrive, into neutral events; one block is open at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.content import OpaquePart, Part, ReasoningPart, TextPart, ToolCallPart
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, StreamEvent
from axonhub_cli.protocols.anthropic_messages.blocks import citation, dump
from axonhub_cli.protocols.anthropic_messages.fields import NAME

TEXT_FIELDS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
_KIND_OF_DELTA = {"text_delta": "text", "thinking_delta": "thinking", "citations_delta": "text"}


class _Block:
    """The open block: what came with its start and what has been added."""

    def __init__(self, kind: str, index: int, raw: Mapping[str, Any]) -> None:
        self.kind = kind
        self.index = index  # the upstream's
        self.raw = raw
        self.pieces: list[str] = []  # not yet told
        self.told: list[str] = []
        self.signature = _string(raw, "signature")
        self.citations: list[dict[str, Any]] = []
        self.begun = False  # its PartStart has left


class Assembler:
    """Takes blocks and deltas, gives events. The deltas of a part always add up to it; a text without any characters
    is no part. What arrives for one part between two calls of `drain` leaves as one delta."""

    def __init__(self) -> None:
        self.calls = 0
        self.index = 0  # the next part's, or the open one's
        self._events: list[StreamEvent] = []
        self._block: _Block | None = None

    @property
    def streaming(self) -> bool:
        """Whether the open part's deltas are told as they come."""
        return self._block is not None and self._block.begun and self._block.kind in {"text", "thinking", "tool_use"}

    def start(self, index: int, raw: Mapping[str, Any]) -> None:
        """A block begins; one that was never stopped ends here."""
        self.stop()
        kind = _string(raw, "type")
        block = self._block = _Block(kind, index, raw)
        if kind in {"text", "thinking"}:
            self._begin_text(block, raw)
        elif kind == "redacted_thinking":
            self._begin(block, ReasoningPart())
        elif kind == "tool_use":
            self.calls += 1
            self._begin(block, ToolCallPart(_string(raw, "id"), _string(raw, "name")))
        else:
            self._begin(block, OpaquePart(NAME, kind, dict(raw)))

    def delta(self, index: int, delta: Mapping[str, Any]) -> bool:
        """More of a block; False where it cannot be placed: input for a call that is over or never began."""
        kind = delta.get("type")
        block = self._block
        if block is None or block.index != index:
            own = _KIND_OF_DELTA.get(kind) if isinstance(kind, str) else None
            if own is None:
                return kind != "input_json_delta"
            self.start(index, {"type": own})
            block = self._block
        if block is None:
            return False
        field = TEXT_FIELDS.get(kind) if isinstance(kind, str) else None
        if field is not None:
            self.more(_string(delta, field))
        elif kind == "signature_delta":
            block.signature = _string(delta, "signature") or block.signature
        elif kind == "citations_delta" and isinstance(delta.get("citation"), Mapping):
            block.citations.append(citation(delta["citation"]))
        return True

    def more(self, text: str) -> None:
        """A piece of the open block's text or input."""
        block = self._block
        if block is None or not text:
            return
        if not block.begun:
            self._begin(block, TextPart() if block.kind == "text" else ReasoningPart())
        block.pieces.append(text)

    def told(self, text: str) -> None:
        """A piece that the caller has already given away as a delta."""
        if self._block is not None:
            self._block.told.append(text)

    def stop(self) -> None:
        """The open block is whole."""
        block, self._block = self._block, None
        if block is None:
            return
        if block.kind == "thinking" and not block.begun and block.signature:
            self._begin(block, ReasoningPart())
        if not block.begun:
            return
        if block.kind == "tool_use" and not "".join((*block.told, *block.pieces)).strip():
            given = block.raw.get("input")
            block.pieces = [dump(given) if isinstance(given, Mapping) else "{}"]  # pitfalls 6, 44
        self._flush(block)
        self._events.append(PartEnd(self.index, _whole(block)))
        self.index += 1

    def drain(self) -> list[StreamEvent]:
        """The events since the last call."""
        if self._block is not None:
            self._flush(self._block)
        events, self._events = self._events, []
        return events

    def _begin_text(self, block: _Block, raw: Mapping[str, Any]) -> None:
        given = raw.get("citations")
        block.citations += (
            [citation(note) for note in given or () if isinstance(note, Mapping)] if isinstance(given, list) else []
        )
        self.more(_string(raw, block.kind))

    def _begin(self, block: _Block, part: Part) -> None:
        block.begun = True
        self._events.append(PartStart(self.index, part))

    def _flush(self, block: _Block) -> None:
        if not block.pieces:
            return
        text = "".join(block.pieces)
        block.pieces.clear()
        block.told.append(text)
        if block.kind in {"text", "thinking", "tool_use"}:
            self._events.append(PartDelta(self.index, text))


def _whole(block: _Block) -> Part:
    text, raw = "".join(block.told), block.raw
    match block.kind:
        case "text":
            return TextPart(text, tuple(block.citations))
        case "thinking":
            return ReasoningPart(text, opaque={NAME: {"signature": block.signature}} if block.signature else {})
        case "redacted_thinking":
            return ReasoningPart(opaque={NAME: {"data": _string(raw, "data")}})
        case "tool_use":
            return ToolCallPart(_string(raw, "id"), _string(raw, "name"), text)
        case _:
            return OpaquePart(NAME, block.kind, {**raw, "input": _object(text)} if text else dict(raw))


def whole_parts(content: list[Any]) -> list[Part]:
    """The parts of an answer that came in one piece."""
    assembler = Assembler()
    for at, raw in enumerate(content):
        if isinstance(raw, Mapping):
            assembler.start(at, raw)
    assembler.stop()
    return [event.part for event in assembler.drain() if isinstance(event, PartEnd)]


def _string(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _object(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return {"broken_json": text}
