"""An answer to a request for compaction: whatever the model wrote becomes one CompactionPart (pitfall 131).

Applied to the upstream's events before they are sealed, and harmless where it has been applied already.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from axonhub_cli.llm.content import CompactionPart, Part, TextPart
from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.llm.events import PartEnd, PartStart, ResponseEnd, ResponseStart, StreamError, StreamEvent
from axonhub_cli.llm.response import FinishKind, FinishReason, Response

SUMMARY = "Summary of the conversation so far:\n\n"  # before one that is told to a model
_EMPTY = APIError(ErrorKind.BAD_GATEWAY, "The model wrote no summary of the conversation.", 502)
_CUT = APIError(ErrorKind.BAD_GATEWAY, "The model's summary of the conversation was cut off.", 502)


def compact_parts(parts: Iterable[Part]) -> CompactionPart:
    """The summary out of a whole answer. Raises Failure where there is none."""
    found = tuple(parts)
    for part in found:
        if isinstance(part, CompactionPart):
            return part
    text = "\n\n".join(part.text for part in found if isinstance(part, TextPart)).strip()
    if not text:
        raise Failure(_EMPTY)
    return CompactionPart(text)


def compact_response(response: Response) -> Response:
    """The same answer with nothing but the summary. Raises Failure where it is empty or was cut."""
    if response.finish_reason.kind in {FinishKind.LENGTH, FinishKind.ERROR, FinishKind.CONTENT_FILTER}:
        raise Failure(_CUT)
    part = compact_parts(response.parts)
    return replace(response, parts=(part,), finish_reason=FinishReason(FinishKind.STOP, response.finish_reason.raw))


class Compactor:
    """The same for a stream: keeps every part back until the end. A summary that was cut is an error."""

    def __init__(self) -> None:
        self._parts: list[Part] = []

    def feed(self, events: Iterable[StreamEvent]) -> list[StreamEvent]:
        """The events for the client."""
        passed: list[StreamEvent] = []
        for event in events:
            match event:
                case ResponseStart() | StreamError():
                    passed.append(event)
                case PartEnd(part=part):
                    self._parts.append(part)
                case ResponseEnd():
                    passed += self._end(event)
                case _:
                    pass
        return passed

    def _end(self, end: ResponseEnd) -> list[StreamEvent]:
        response = Response("", "", tuple(self._parts), end.finish_reason)
        try:
            (part,) = compact_response(response).parts
        except Failure as failure:
            return [StreamError(failure.error, end.usage)]
        finish = FinishReason(FinishKind.STOP, end.finish_reason.raw)
        return [PartStart(0, part), PartEnd(0, part), ResponseEnd(finish, end.usage, end.service_tier)]
