"""Token counts as Gemini words them.

https://ai.google.dev/api/generate-content#UsageMetadata; pitfalls 98, 176. `candidatesTokenCount` is without thoughts,
`promptTokenCount` includes what was cached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.response import Usage
from axonhub_cli.protocols.base import JSON


class UsageReader:
    """The counts of one answer: of each field the last that is not zero (some chunks carry placeholders)."""

    def __init__(self) -> None:
        self._counts: dict[str, Any] = {}

    def read(self, raw: object) -> None:
        """The next `usageMetadata`, whatever it is."""
        if isinstance(raw, Mapping):
            self._counts.update({name: value for name, value in raw.items() if value or name not in self._counts})

    def usage(self) -> Usage | None:
        """What is known."""
        return decode_usage(self._counts)


def decode_usage(raw: object) -> Usage | None:
    """None where nothing was counted: absent, no object, or all zero."""
    usage = raw if isinstance(raw, Mapping) else {}
    prompt, searched = _count(usage, "promptTokenCount"), _count(usage, "toolUsePromptTokenCount")
    answer, thoughts = _count(usage, "candidatesTokenCount"), _count(usage, "thoughtsTokenCount")
    if not prompt and not answer and not thoughts:
        return None
    # Vertex leaves the count of an empty answer out, its total gives it away.
    output = None if answer is None and thoughts is None else (answer or 0) + (thoughts or 0)
    cached = _count(usage, "cachedContentTokenCount")
    told = None if prompt is None else prompt + (searched or 0)
    if cached is not None and told is not None:
        cached = min(cached, told)
    return Usage(told, cached, None, output, thoughts, raw=raw)


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    value = usage.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e15:
        return int(value)
    return None


def encode_usage(usage: Usage | None) -> JSON | None:
    """None where nothing is known."""
    if usage is None:
        return None
    told, output, thoughts = usage.input or 0, usage.output or 0, min(usage.reasoning or 0, usage.output or 0)
    written: JSON = {"promptTokenCount": told, "candidatesTokenCount": output - thoughts}
    if thoughts:
        written["thoughtsTokenCount"] = thoughts
    if usage.cached:
        written["cachedContentTokenCount"] = usage.cached
    return {**written, "totalTokenCount": told + output}
