"""One answer of a model, whole."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from axonhub_cli.llm.content import Part


class FinishKind(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    ERROR = "error"


class FinishReason(Struct, frozen=True):
    """The normalised reason beside the upstream's own word."""

    kind: FinishKind
    raw: str | None = None

    def beside(self, *, calls: bool) -> FinishReason:
        """The same, true to whether there are tool calls: some servers say stop beside them, and the reverse."""
        if self.kind is (FinishKind.STOP if calls else FinishKind.TOOL_CALLS):
            return FinishReason(FinishKind.TOOL_CALLS if calls else FinishKind.STOP, self.raw)
        return self


class Usage(Struct, frozen=True):
    """Token counts; None is unknown.

    `input` is all of it, cached and cache-written included; `output` includes `reasoning`.
    `estimated` marks counts of ours. `raw` is what the upstream sent.
    """

    input: int | None = None
    cached: int | None = None
    cache_written: int | None = None
    output: int | None = None
    reasoning: int | None = None
    estimated: bool = False
    raw: Any = None
    cache_written_1h: int | UnsetType = UNSET  # of `cache_written`, what lasts an hour and costs more (pitfall 178)


class Response(Struct, frozen=True):
    """`model` is the one the upstream says it used. `created` is seconds since 1970, None if not told."""

    id: str
    model: str
    parts: tuple[Part, ...] = ()
    finish_reason: FinishReason = FinishReason(FinishKind.STOP)
    usage: Usage | None = None
    created: int | None = None
    service_tier: str | None = None
