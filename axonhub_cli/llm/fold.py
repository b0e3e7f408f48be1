"""Between an answer as it arrives and an answer whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from axonhub_cli.llm.content import (
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
)
from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.llm.events import (
    PartDelta,
    PartEnd,
    PartStart,
    ResponseEnd,
    ResponseStart,
    StreamError,
    StreamEvent,
)
from axonhub_cli.llm.response import Response

__all__ = ["fold", "so_far", "unfold"]


def fold(events: Iterable[StreamEvent]) -> Response:
    """The whole answer. Raises Failure with the stream's error, or where the stream has no end."""
    start = ResponseStart("", "")
    parts: list[Part] = []
    for event in events:
        match event:
            case ResponseStart():
                start = event
            case PartEnd(part=part):
                parts.append(part)
            case ResponseEnd(finish_reason=finish_reason, usage=usage, service_tier=tier):
                return Response(start.id, start.model, tuple(parts), finish_reason, usage, start.created, tier)
            case StreamError(error=error):
                raise Failure(error)
            case PartStart() | PartDelta():
                pass
    words = "The upstream's stream ended before its answer did."
    raise Failure(APIError(ErrorKind.BAD_GATEWAY, words, 502, "stream_truncated", upstream=True))


def so_far(part: Part, deltas: Iterable[PartDelta]) -> Part:
    """What has been said of a part that has not ended: `part` as it began, with its deltas."""
    chain, summary = [], dict[int, str]()
    for delta in deltas:
        if delta.summary_index is None:
            chain.append(delta.text)
        else:
            summary[delta.summary_index] = summary.get(delta.summary_index, "") + delta.text
    text = "".join(chain)
    match part:
        case TextPart() | RefusalPart():
            return replace(part, text=text)
        case ToolCallPart():
            return replace(part, input=text)
        case ReasoningPart():
            return replace(part, text=text, summary=tuple(summary.values()))
        case _:
            return part


def unfold(response: Response) -> Iterator[StreamEvent]:
    """The same answer as a stream: each part whole, in one delta."""
    yield ResponseStart(response.id, response.model, response.created)
    for index, part in enumerate(response.parts):
        yield PartStart(index, _empty(part))
        yield from (PartDelta(index, text, paragraph) for text, paragraph in _deltas(part))
        yield PartEnd(index, part)
    yield ResponseEnd(response.finish_reason, response.usage, response.service_tier)


def _empty(part: Part) -> Part:
    match part:
        case TextPart():
            return TextPart()
        case RefusalPart():
            return RefusalPart()
        case ReasoningPart():
            return ReasoningPart(id=part.id)
        case ToolCallPart():
            return ToolCallPart(part.call_id, part.name, "", part.kind, part.namespace, part.id, part.opaque)
        case _:
            return part


def _deltas(part: Part) -> Iterator[tuple[str, int | None]]:
    match part:
        case TextPart(text=text) | RefusalPart(text=text) | ToolCallPart(input=text):
            if text:
                yield text, None
        case ReasoningPart():
            if part.text:
                yield part.text, None
            yield from ((text, index) for index, text in enumerate(part.summary))
        case _:
            pass
