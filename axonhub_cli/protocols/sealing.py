"""Seals the parts of an answer on their way to the client."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from axonhub_cli.llm.content import Part, ReasoningPart, ToolCallPart
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, StreamEvent

SealPart = Callable[[Part], Part]


def sealed_parts(parts: Iterable[Part], seal_part: SealPart) -> tuple[Part, ...]:
    """The parts sealed; a part that carries a call's state goes before the call."""
    result: list[Part] = []
    for part in parts:
        sealed = seal_part(part)
        if isinstance(part, ToolCallPart) and sealed is not part:
            result += (sealed, part)
        else:
            result.append(sealed)
    return tuple(result)


class Sealer:
    """The same for a stream. A part that carries a call's state leaves before the call where the state is known
    when the call begins, else after it; the indexes of what follows grow."""

    def __init__(self, seal_part: SealPart) -> None:
        self._seal_part = seal_part
        self._shift = 0
        self._carried = False  # the state of the open call has left

    def feed(self, events: Iterable[StreamEvent]) -> list[StreamEvent]:
        """The events for the client's encoder."""
        out: list[StreamEvent] = []
        for event in events:
            if type(event) is PartDelta:
                out.append(replace(event, index=event.index + self._shift) if self._shift else event)
            elif type(event) is PartStart:
                if isinstance(event.part, ToolCallPart) and event.part.opaque:
                    self._carry(event.part, event.index, out)
                out.append(PartStart(event.index + self._shift, event.part))
            elif type(event) is PartEnd:
                self._end(event, out)
            else:
                out.append(event)
        return out

    def _end(self, event: PartEnd, out: list[StreamEvent]) -> None:
        part = event.part
        if not isinstance(part, ToolCallPart):
            out.append(PartEnd(event.index + self._shift, self._seal_part(part)))
            return
        out.append(PartEnd(event.index + self._shift, part))
        if part.opaque and not self._carried:
            self._carry(part, event.index + 1, out)
        self._carried = False

    def _carry(self, call: ToolCallPart, index: int, out: list[StreamEvent]) -> None:
        carrier = self._seal_part(call)
        if carrier is not call:
            out += (PartStart(index + self._shift, ReasoningPart()), PartEnd(index + self._shift, carrier))
            self._shift += 1
            self._carried = True
