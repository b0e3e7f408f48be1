"""A payload without the reasoning that an upstream could not decrypt (pitfall 67)."""

from __future__ import annotations

from typing import Any

from axonhub_cli.protocols.base import JSON, Edited, Loss
from axonhub_cli.protocols.omissions import UNREADABLE, kind_of

_MADE_BY_MODEL = frozenset({"message", "function_call", "custom_tool_call", "local_shell_call", "tool_search_call"})


def without_state(payload: JSON) -> Edited:
    """See `base.UpstreamCodec`. Ids of what the model made go too, since each names the reasoning it came from."""
    items = payload.get("input")
    if not isinstance(items, list) or not any(kind_of(item) == "reasoning" for item in items):
        return payload, ()
    kept = [_without_id(item) for item in items if kind_of(item) != "reasoning"]
    return {**payload, "input": kept}, (Loss("input.reasoning", UNREADABLE),)


def _without_id(item: Any) -> Any:
    if isinstance(item, dict) and "id" in item and item.get("type", "message") in _MADE_BY_MODEL:
        return {name: value for name, value in item.items() if name != "id"}
    return item
