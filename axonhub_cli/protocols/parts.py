"""Puts the pieces of an answer, interleaved as an upstream sends them, into the order of `llm.events`.

At most one part is open. What belongs to another part is held and released in the order in which the
parts first appeared (pitfalls 30, 39-45). Text, refusal and reasoning end when another part begins;
a tool call ends when its input is a complete JSON object and another part waits, or at the end.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.content import Part, ReasoningPart, RefusalPart, TextPart, ToolCallPart, ToolKind
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, StreamEvent
from axonhub_cli.llm.fold import unfold
from axonhub_cli.llm.response import Response

_TEXT, _REFUSAL, _REASONING = "text", "refusal", "reasoning"
_JSON_KINDS = (ToolKind.FUNCTION, ToolKind.SEARCH, ToolKind.SHELL)


class _Slot:
    """A part on its way: what is known of it, the fragments held, and what has been released."""

    def __init__(self, key: Hashable, kind: str) -> None:
        self.key = key
        self.kind = kind
        self.held: list[tuple[str, int | None]] = []
        self.released: list[str] = []  # text, input or the raw chain
        self.summaries: dict[int, list[str]] = {}  # by the upstream's index, in order of appearance
        self.id: str | None = None
        self.call: int = 0  # ordinal among the calls
        self.name: str | None = None
        self.tool_kind = ToolKind.FUNCTION
        self.ended = False
        self.annotations: list[Mapping[str, Any]] = []
        self.logprobs: list[Mapping[str, Any]] = []
        self.opaque: dict[str, dict[str, Any]] = {}
        self.whole: Part | None = None

    def add_state(self, protocol: str, fields: Mapping[str, Any]) -> None:
        state = self.opaque.setdefault(protocol, {})
        for name, value in fields.items():
            known = state.get(name)
            state[name] = [*known, *value] if isinstance(known, list) and isinstance(value, list) else value

    def input(self) -> str:
        return "".join(self.released) + "".join(text for text, _ in self.held)

    def part(self) -> Part:
        text = "".join(self.released)
        match self.kind:
            case "text":
                return TextPart(text, tuple(self.annotations), tuple(self.logprobs))
            case "refusal":
                return RefusalPart(text)
            case "reasoning":
                summary = tuple("".join(pieces) for pieces in self.summaries.values())
                return ReasoningPart(text, summary, self.id, self.opaque)
            case _:
                return ToolCallPart(self.id or "", self.name or "", text, self.tool_kind, opaque=self.opaque)


class PartWriter:
    """Takes pieces, gives events. `prefix` (the answer's id) goes into ids of calls that came without one.

    The deltas of a part always add up to the part that its PartEnd carries. Pieces between two calls of `drain`
    leave as one delta. Nothing may be fed after `finish`.
    """

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.nameless = 0  # calls dropped at the end because no name ever came (pitfall 42)
        self.calls = 0  # calls begun, nameless ones included
        self._events: list[StreamEvent] = []
        self._open: _Slot | None = None
        self._open_key: Hashable = None
        self._channel: int | None = None  # of the pieces: a summary's paragraph, or None
        self._pieces: list[str] = []
        self._waiting: dict[Hashable, _Slot] = {}
        self._calls: dict[Hashable, _Slot] = {}  # every call, closed ones too
        self._last_call: Hashable = None
        self._index = 0

    @property
    def empty(self) -> bool:
        """Whether no part has begun, held ones included."""
        return self._index == 0 and self._open is None and not self._waiting

    @property
    def settled(self) -> bool:
        """Whether no part waits for another: then it does not matter whether pieces come one by one or joined."""
        return not self._waiting

    def text(self, text: str) -> None:
        """A piece of visible text."""
        if self._open_key == _TEXT:
            self._pieces.append(text)
        elif text:
            self._put(self._slot(_TEXT, _TEXT), text)

    def refusal(self, text: str) -> None:
        """A piece of the model's words for declining."""
        if text:
            self._put(self._slot(_REFUSAL, _REFUSAL), text)

    def reasoning(self, text: str, summary_index: int | None = None, id: str | None = None) -> None:
        """A piece of the raw chain, or of a paragraph of its summary. Indexes come out counted from 0."""
        if self._open_key == _REASONING and self._channel == summary_index and summary_index is None:
            self._pieces.append(text)
        elif text:
            slot = self._slot(_REASONING, _REASONING)
            slot.id = slot.id or id
            self._put(slot, text, summary_index)

    def call(
        self,
        key: Hashable,
        id: str | None = None,
        name: str | None = None,
        arguments: str | None = "",
        *,
        kind: ToolKind = ToolKind.FUNCTION,
        opaque: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """A fragment of a tool call.

        `key` is the upstream's index, None where it sends none: then the id, else the last call decides (pitfall 41).
        The first id and name that are not empty stand (pitfall 40); fragments for a call that has ended are ignored,
        and those that say nothing: some servers pad every chunk with one (pitfall 43).
        """
        if not (id or name or arguments or opaque):
            return
        slot = self._call_slot(key, id, name, arguments)
        if slot.id is None and id:
            slot.id = id
            self._calls.setdefault(("id", id), slot)
        if slot.name is None and name:
            slot.name, slot.tool_kind = name, kind
        for protocol, fields in (opaque or {}).items():
            slot.add_state(protocol, fields)
        if slot is self._open:
            if arguments:
                self._pieces.append(arguments)
                if self._waiting and arguments.rstrip().endswith("}"):
                    self._advance()
        elif slot.key in self._waiting:
            if arguments:
                slot.held.append((arguments, None))
            self._advance()

    def end_call(self, key: Hashable) -> None:
        """The upstream said that this call is complete."""
        if slot := self._calls.get(key):
            slot.ended = True
            self._advance()

    def whole(self, part: Part) -> None:
        """A part that came in one piece."""
        slot = _Slot(object(), "whole")
        slot.whole = part
        self._waiting[slot.key] = slot
        self._advance()

    def annotate(self, annotations: Iterable[Mapping[str, Any]] = (), logprobs: Iterable[Any] = ()) -> None:
        """Citations and log probabilities of the text that is being written."""
        slot = self._slot(_TEXT, _TEXT)
        slot.annotations += annotations
        slot.logprobs += probabilities(logprobs)
        self._advance()

    def state(self, protocol: str, fields: Mapping[str, Any]) -> None:
        """Native state of the reasoning, for `ReasoningPart.opaque`: lists grow, other values are replaced.
        It does not interrupt a text that is open."""
        self._slot(_REASONING, _REASONING).add_state(protocol, fields)
        self._advance()

    def drain(self) -> list[StreamEvent]:
        """The events since the last call."""
        if self._pieces:
            self._flush()
        events, self._events = self._events, []
        return events

    def finish(self) -> list[StreamEvent]:
        """The upstream is done: ends every part, those still held included."""
        while self._open or self._waiting:
            if self._open:
                self._close()
            if self._waiting:
                slot = self._waiting.pop(next(iter(self._waiting)))
                if slot.kind == "call" and not slot.name:
                    self.nameless += 1
                else:
                    self._start(slot)
        return self.drain()

    def _slot(self, key: Hashable, kind: str) -> _Slot:
        if self._open is not None and self._open_key == key:
            return self._open
        return self._waiting.get(key) or self._waiting.setdefault(key, _Slot(key, kind))

    def _put(self, slot: _Slot, text: str, channel: int | None = None) -> None:
        if slot is self._open:
            if channel != self._channel:
                self._flush()
                self._channel = channel
            self._pieces.append(text)
        else:
            slot.held.append((text, channel))
            self._advance()

    def _call_slot(self, key: Hashable, call_id: str | None, name: str | None, arguments: str | None) -> _Slot:
        known = slot = self._calls.get(("id", call_id)) if call_id else None
        if known is None:
            slot = self._calls.get(self._last_call if key is None else key)
        elif not name or key is None or self._calls.get(key) is known or not self._complete(known):
            return known
        if slot is not None and slot is not known:
            other = bool(call_id) and slot.id is not None and slot.id != call_id
            again = bool(name and arguments) and slot.name is not None and not call_id and self._complete(slot)
            if not other and not again:
                return slot
        fresh = key is None or slot is not None
        slot = _Slot(("call", self.calls) if fresh else key, "call")
        slot.call = self.calls
        self.calls += 1
        if known is not None:  # another call under the same id, which no result could tell apart
            slot.id = self._made_up_id(slot.call)
            self._calls["id", call_id] = slot
        self._last_call = slot.key
        self._calls[slot.key] = slot
        if key is not None:
            self._calls[key] = slot  # later fragments with this index belong to the newest
        self._waiting[slot.key] = slot
        return slot

    def _complete(self, slot: _Slot) -> bool:
        """Whether nothing can follow that would make sense."""
        if slot.kind != "call" or slot.ended:
            return True
        pieces = "".join(self._pieces) if slot is self._open else ""
        text = (slot.input() + pieces).strip()
        if slot.tool_kind not in _JSON_KINDS or not (text.startswith("{") and text.endswith("}")):
            return False
        try:
            msgspec.json.decode(text, type=msgspec.Raw)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return False
        return True

    def _ready(self, slot: _Slot) -> bool:
        """Whether a waiting slot may open now; state alone waits for more of its part, or for the end."""
        if slot.kind == "call":
            return bool(slot.name and slot.id)
        return bool(slot.held) or slot.whole is not None or len(self._waiting) > 1

    def _advance(self) -> None:
        while self._waiting:
            key = next(iter(self._waiting))
            if not self._ready(self._waiting[key]):
                return
            if self._open is not None:
                if not self._complete(self._open):
                    return
                self._close()
            self._start(self._waiting.pop(key))

    def _start(self, slot: _Slot) -> None:
        if slot.whole is not None:
            self._emit_whole(slot.whole)
            return
        self._open, self._open_key, self._channel = slot, slot.key, None
        slot.id = slot.id or (self._made_up_id(slot.call) if slot.kind == "call" else None)
        self._events.append(PartStart(self._index, _begun(slot)))
        held, slot.held = slot.held, []
        for text, channel in held:
            self._put(slot, text, channel)

    def _emit_whole(self, part: Part) -> None:
        for event in unfold(Response("", "", (part,))):
            if isinstance(event, (PartStart, PartDelta, PartEnd)):
                self._events.append(msgspec.structs.replace(event, index=self._index))
        self._index += 1

    def _flush(self) -> None:
        slot = self._open
        text = "".join(self._pieces)
        self._pieces.clear()
        if slot is None or not text:
            return
        channel = self._channel
        if channel is None:
            slot.released.append(text)
        else:
            slot.summaries.setdefault(channel, []).append(text)
            channel = list(slot.summaries).index(channel)
        self._events.append(PartDelta(self._index, text, channel))

    def _close(self) -> None:
        slot = self._open
        if slot is None:
            return
        self._flush()
        if slot.kind == "call" and slot.tool_kind in _JSON_KINDS and not "".join(slot.released).strip():
            self._pieces.append("{}")  # pitfall 6
            self._flush()
        self._events.append(PartEnd(self._index, slot.part()))
        self._index += 1
        self._open = self._open_key = None

    def _made_up_id(self, number: int) -> str:
        """Deterministic, unlike those of other answers, in letters every vendor takes (pitfall 39)."""
        plain = re.sub(r"[^a-zA-Z0-9_-]", "_", self.prefix)
        if plain != self.prefix or len(plain) > 48:
            plain = hashlib.sha256(self.prefix.encode()).hexdigest()[:24]
        return f"call_{plain}_{number}"


def probabilities(found: Iterable[Any]) -> tuple[Mapping[str, Any], ...]:
    """Log probabilities in OpenAI's wording as an upstream sent them: what is no entry is none, also inside of one."""
    entries = [entry for entry in found if isinstance(entry, Mapping)]
    return tuple(
        {**entry, "top_logprobs": [*probabilities(top if isinstance(top, list) else ())]}
        if (top := entry.get("top_logprobs")) is not None
        else entry
        for entry in entries
    )


def _begun(slot: _Slot) -> Part:
    match slot.kind:
        case "text":
            return TextPart()
        case "refusal":
            return RefusalPart()
        case "reasoning":
            return ReasoningPart(id=slot.id)
        case _:
            return ToolCallPart(slot.id or "", slot.name or "", "", slot.tool_kind, opaque=dict(slot.opaque))
