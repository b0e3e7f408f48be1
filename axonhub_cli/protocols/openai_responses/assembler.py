"""Pieces of output items, in whatever order an upstream sends them -> parts in the order of `llm.events`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from axonhub_cli.llm.content import CompactionPart, OpaquePart, Part, ReasoningPart, RefusalPart, TextPart, ToolCallPart
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, StreamEvent
from axonhub_cli.protocols.openai_responses.answer import decode_content_part, decode_output_item

_MESSAGE = "message"


class _Slot:
    """A part on its way. `begun` is None until its kind (a call's name too) is known."""

    def __init__(self, begun: Part | None) -> None:
        self.begun = begun
        self.waiting: list[tuple[str, int | None]] = []  # deltas not released yet
        self.text: list[str] = []  # all of the text, input or raw chain
        self.summary: dict[int, list[str]] = {}
        self.whole: Part | None = None  # as the upstream gave it at the end
        self.over = False

    def add(self, text: str, channel: int | None) -> None:
        self.waiting.append((text, channel))
        if channel is None:
            self.text.append(text)
        else:
            self.summary.setdefault(channel, []).append(text)

    def part(self) -> Part:
        """The whole part; what the upstream left out at the end is taken from the deltas."""
        part, text = self.whole or self.begun or TextPart(), "".join(self.text)
        match part:
            case TextPart() | RefusalPart():
                return part if part.text or not text else replace(part, text=text)
            case ReasoningPart():
                summary = part.summary or tuple("".join(self.summary[index]) for index in sorted(self.summary))
                return replace(part, text=part.text or text, summary=summary)
            case ToolCallPart():
                return part if part.input or not text else replace(part, input=text)
            case _:
                return part

    def missing(self, part: Part) -> list[tuple[str, int | None]]:
        """Deltas for what of the whole part never came as deltas (pitfall 44)."""
        text = "".join(self.text)
        match part:
            case TextPart(text=whole) | RefusalPart(text=whole) | ToolCallPart(input=whole):
                return [(whole[len(text) :], None)] if whole.startswith(text) and whole != text else []
            case ReasoningPart():
                rest: list[tuple[str, int | None]] = [(part.text, None)] if part.text and not text else []
                return rest + [(words, index) for index, words in enumerate(part.summary) if words and not self.summary]
            case _:
                return []


class _Item:
    """An output item on its way: its slots by content index."""

    def __init__(self, kind: str, item_id: str | None) -> None:
        self.kind = kind
        self.id = item_id
        self.slots: dict[int, _Slot] = {}
        self.done = False


class Assembler:
    """Takes pieces by item; `drain` gives the events. The first part that began is the one that is open."""

    def __init__(self) -> None:
        self.called = False  # a tool call has been seen
        self._items: dict[int | str, _Item] = {}
        self._by_id: dict[str, _Item] = {}
        self._last: _Item | None = None
        self._queue: list[_Slot] = []
        self._open = False  # whether the first of the queue has been started
        self._index = 0
        self._any = False

    @property
    def complete(self) -> bool:
        """Whether something has come and every item of it was ended by the upstream."""
        return self._any and all(item.done for item in self._items.values())

    def delta(self, kind: str, index: int | None, item_id: str | None, number: int, text: str) -> None:
        """A delta; `number` is the content or summary index, as `kind` has it."""
        item = self._find(index, item_id)
        if item is None or (item.done and item.kind != _MESSAGE and item.id != item_id):
            item = self._new(index, item_id, _MESSAGE if kind in {"text", "refusal"} else kind)
        if item.done:
            return  # late: the item has been handed over (pitfall 45)
        is_message = kind in {"text", "refusal"}
        slot = item.slots.get(number if is_message else 0)
        if slot is None:
            begun: Part | None = None  # a call: its name comes with its item
            if kind == "text":
                begun = TextPart()
            elif kind == "refusal":
                begun = RefusalPart()
            elif kind != "input":
                begun = ReasoningPart(id=item.id)
            slot = self._slot(item, number if is_message else 0, begun)
        if not slot.over:
            slot.add(text, number if kind == "summary" else None)

    def added(self, index: int | None, raw: Mapping[str, Any]) -> None:
        """An item begins."""
        item_id = _id(raw)
        known = self._find(index, item_id) if index is not None or item_id else None
        if known is not None and not known.done and (item_id is None or known.id in {None, item_id}):
            return
        kind = raw.get("type")
        item = self._new(index, item_id, kind if isinstance(kind, str) else "")
        if item.kind != _MESSAGE:
            for part in decode_output_item(raw):
                self._slot(item, 0, _begun(part))

    def content_added(self, index: int | None, item_id: str | None, number: int, raw: Mapping[str, Any]) -> None:
        """A content part of a message begins; a reasoning item has them too, and they say nothing new."""
        item = self._find(index, item_id) or self._new(index, item_id, _MESSAGE)
        if item.kind == _MESSAGE and not item.done and number not in item.slots:
            self._slot(item, number, _begun(decode_content_part(raw)))

    def content_done(self, index: int | None, item_id: str | None, number: int, raw: Mapping[str, Any]) -> None:
        """A content part of a message is whole; without a word in it, its item's end says more."""
        item = self._find(index, item_id)
        if item is None or item.kind != _MESSAGE or item.done:
            return
        part = decode_content_part(raw)
        if not getattr(part, "text", True):
            return
        slot = item.slots.get(number) or self._slot(item, number, _begun(part))
        self._finish(slot, part)

    def input_done(self, index: int | None, item_id: str | None, text: str | None) -> None:
        """A call's input is whole; its item's end may still say more."""
        item = self._find(index, item_id)
        if item is not None and not item.done and text and (slot := item.slots.get(0)) and not slot.text:
            slot.add(text, None)

    def done(self, index: int | None, raw: Mapping[str, Any]) -> None:
        """An item is whole."""
        item_id = _id(raw)
        item = self._find(index, item_id) if index is not None or item_id else self._last
        if item is None or (item.done and item_id is not None and item.id != item_id):
            item = self._new(index, item_id, str(raw.get("type") or _MESSAGE))
        if item.done:
            return
        for number, part in enumerate(decode_output_item(raw)):
            slot = item.slots.get(number) or self._slot(item, number, _begun(part))
            slot.begun = slot.begun or _begun(part)
            self._finish(slot, part)
        self._close(item)

    def finish(self, output: Iterable[Any]) -> None:
        """The answer is over. Where nothing came before, all of it is in `output`."""
        if not self._any:
            for index, raw in enumerate(output):
                if isinstance(raw, Mapping):
                    self.done(index, raw)
        for item in self._items.values():
            self._close(item)

    def drain(self, events: list[StreamEvent]) -> None:
        """Appends the events that are certain now; deltas of one part leave as one."""
        queue = self._queue
        while queue:
            slot = queue[0]
            if slot.begun is None:
                if not slot.over:
                    return
                slot.begun = ToolCallPart("", "")  # never named: the client's side decides (pitfall 42)
            if not self._open:
                events.append(PartStart(self._index, slot.begun))
                self._open = True
            part = slot.part() if slot.over else None
            if part is not None:
                slot.waiting += slot.missing(part)
            self._release(slot, events)
            if part is None:
                return
            events.append(PartEnd(self._index, part))
            queue.pop(0)
            self._open = False
            self._index += 1

    def _release(self, slot: _Slot, events: list[StreamEvent]) -> None:
        waiting = slot.waiting
        if len(waiting) == 1:
            text, channel = waiting[0]
            events.append(PartDelta(self._index, text, channel))
            waiting.clear()
            return
        pieces: list[str] = []
        for position, (text, channel) in enumerate(waiting):
            pieces.append(text)
            if position + 1 == len(waiting) or waiting[position + 1][1] != channel:
                events.append(PartDelta(self._index, "".join(pieces), channel))
                pieces.clear()
        waiting.clear()

    def _find(self, index: int | None, item_id: str | None) -> _Item | None:
        """By output_index; servers without one (llama.cpp) by item id; without either, the last item."""
        if index is not None:
            return self._items.get(index)
        if item_id and (item := self._by_id.get(item_id)):
            return item
        return None if self._last is not None and self._last.done else self._last

    def _new(self, index: int | None, item_id: str | None, kind: str) -> _Item:
        previous = self._items.pop(index, None) if index is not None else None
        if previous is not None:
            self._close(previous)  # a server that numbers every item 0
        item = _Item(kind, item_id)
        self._items[index if index is not None else f"#{len(self._items)}"] = item
        if item_id:
            self._by_id[item_id] = item
        self._last = item
        self._any = True
        return item

    def _slot(self, item: _Item, number: int, begun: Part | None) -> _Slot:
        slot = item.slots[number] = _Slot(begun)
        self.called = self.called or isinstance(begun, ToolCallPart)
        self._queue.append(slot)
        return slot

    def _finish(self, slot: _Slot, part: Part) -> None:
        """The first end stands: it may have left already."""
        if slot.over:
            return
        slot.whole = part
        slot.over = True
        self.called = self.called or isinstance(part, ToolCallPart)

    def _close(self, item: _Item) -> None:
        item.done = True
        for slot in item.slots.values():
            slot.over = True


def _id(raw: Mapping[str, Any]) -> str | None:
    found = raw.get("id")
    return found if isinstance(found, str) and found else None


def _begun(part: Part) -> Part | None:
    """The part as it begins; None for a call that has no name yet."""
    match part:
        case TextPart():
            return TextPart()
        case RefusalPart():
            return RefusalPart()
        case ReasoningPart():
            return ReasoningPart(id=part.id)
        case ToolCallPart():
            return ToolCallPart(part.call_id, part.name, "", part.kind, part.namespace, part.id) if part.name else None
        case CompactionPart():
            return CompactionPart(id=part.id)
        case OpaquePart():
            return part
        case _:
            return part
