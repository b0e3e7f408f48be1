"""Token counts of Anthropic Messages, both ways.

`input_tokens` leaves cached and written tokens out there; ours includes them (pitfalls 176, 178, 80).
https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from axonhub_cli.llm.response import Usage
from axonhub_cli.protocols.base import JSON

_READ, _WRITTEN = "cache_read_input_tokens", "cache_creation_input_tokens"
TIERS = {"standard": "default", "priority": "priority"}  # in usage.service_tier; batch is none of ours
TIER_WORDS = {neutral: word for word, neutral in TIERS.items()}
_TTLS = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


def _count(value: Any) -> int | None:
    whole = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 2**53
    return int(value) if whole else None


def decode_usage(raw: object) -> Usage | None:
    """None where nothing was counted. `raw` keeps the two lifetimes of written tokens apart (pitfall 178)."""
    if not isinstance(raw, Mapping):
        return None
    fresh, output = _count(raw.get("input_tokens")), _count(raw.get("output_tokens"))
    cached, written = _count(raw.get(_READ)), _count(raw.get(_WRITTEN))
    lifetimes = raw.get("cache_creation")
    parts = [_count(lifetimes.get(ttl)) for ttl in _TTLS] if isinstance(lifetimes, Mapping) else [None, None]
    if written is None:
        written = sum(part or 0 for part in parts) if any(part is not None for part in parts) else None
    if not any((fresh, output, cached, written)):
        return None
    details = raw.get("output_tokens_details")
    reasoning = _count(details.get("thinking_tokens")) if isinstance(details, Mapping) else None
    if reasoning is not None and output is not None:
        reasoning = min(reasoning, output)
    total = None if fresh is None else fresh + (cached or 0) + (written or 0)
    hour = min(parts[1], written or 0) if parts[1] else UNSET
    return Usage(total, cached, written, output, reasoning, raw=dict(raw), cache_written_1h=hour)


def opening_usage(raw: object) -> JSON:
    """The counts of message_start. Its output is a placeholder, which an answer that breaks off would leave behind as
    if somebody had counted it (pitfall 179)."""
    return {name: value for name, value in raw.items() if name != "output_tokens"} if isinstance(raw, Mapping) else {}


def merge_usage(start: Mapping[str, Any] | None, more: object) -> JSON:
    """Counts of message_start under those of message_delta: the last that is not null wins (pitfall 80).

    A zero does not undo an earlier count of input, unless the event states the cache as well; an input that repeats
    fresh and cached tokens as one sum is not taken for fresh ones.
    """
    merged = dict(start or {})
    if not isinstance(more, Mapping):
        return merged
    whole = bool(_count(more.get(_READ)) or _count(more.get(_WRITTEN)))
    for name, value in more.items():
        known = _count(merged.get(name))
        if value is None or (known and name != "output_tokens" and value == 0 and not whole):
            continue
        if name == "input_tokens" and known is not None and _repeats_cache(merged, known, value):
            continue
        merged[name] = value
    return merged


def _repeats_cache(start: Mapping[str, Any], fresh: int, value: Any) -> bool:
    held = (_count(start.get(_READ)) or 0) + (_count(start.get(_WRITTEN)) or 0)
    return held > 0 and value == fresh + held


def encode_usage(usage: Usage, *, input_guess: int = 0, output_guess: int = 0) -> JSON:
    """The wire's usage; what is unknown is the guess. Never below zero, and the three inputs add up to ours."""
    total = input_guess if usage.input is None else usage.input
    cached = min(usage.cached or 0, total)
    written = min(usage.cache_written or 0, total - cached)
    output = output_guess if usage.output is None else usage.output
    wire: JSON = {"input_tokens": total - cached - written, _WRITTEN: written, _READ: cached, "output_tokens": output}
    if usage.reasoning is not None:
        wire["output_tokens_details"] = {"thinking_tokens": min(usage.reasoning, output)}
    raw = usage.raw
    if isinstance(raw, Mapping):
        own = ((name, raw.get(name)) for name in ("cache_creation", "server_tool_use"))
        wire |= {name: dict(value) for name, value in own if isinstance(value, Mapping)}
    return wire
