"""One answer of a model as it arrives.

The grammar, which `check` enforces in tests:

    ResponseStart (PartStart PartDelta* PartEnd)* ResponseEnd

`StreamError` may end it at any point, even first. At most one part is open; indexes count from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from axonhub_cli.llm.content import Part
from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.response import FinishReason, Usage


class ResponseStart(Struct, frozen=True):
    """The upstream has begun; nothing is promised yet."""

    id: str
    model: str
    created: int | None = None


class PartStart(Struct, frozen=True):
    """`part` is empty but for what is known at once: its kind, a call's id and name."""

    index: int
    part: Part


class PartDelta(Struct, frozen=True):
    """More of the open part: text, a call's input, or reasoning.

    For reasoning, `summary_index` names the paragraph of the summary; None is the raw chain.
    """

    index: int
    text: str
    summary_index: int | None = None


class PartEnd(Struct, frozen=True):
    """`part` is whole: nobody needs to add up deltas."""

    index: int
    part: Part


class ResponseEnd(Struct, frozen=True):
    """The upstream said it is done. `usage` None: it never told."""

    finish_reason: FinishReason
    usage: Usage | None = None
    service_tier: str | None = None


class StreamError(Struct, frozen=True):
    """The stream failed; nothing follows. `usage` is what was counted until then."""

    error: APIError
    usage: Usage | None = None


StreamEvent = ResponseStart | PartStart | PartDelta | PartEnd | ResponseEnd | StreamError


def check(events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
    """Passes events on; raises AssertionError at the first that breaks the grammar or at a missing end."""
    started = ended = False
    opened: int | None = None
    count = 0
    for event in events:
        assert not ended, f"{event} after the end"
        match event:
            case ResponseStart():
                assert not started, "a second ResponseStart"
                started = True
            case PartStart(index=index):
                assert started and opened is None and index == count, f"misplaced {event}"
                opened = index
            case PartDelta(index=index):
                assert index == opened, f"misplaced {event}"
            case PartEnd(index=index):
                assert index == opened, f"misplaced {event}"
                opened, count = None, count + 1
            case ResponseEnd():
                assert started and opened is None, "ResponseEnd with a part open or no start"
                ended = True
            case StreamError():
                ended = True
        yield event
    assert ended, "the stream has no end"
