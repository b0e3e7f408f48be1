"""Where a conversation may be cached, for clients whose protocol has no word for it (pitfall 77).

https://platform.claude.com/docs/en/build-with-claude/prompt-caching: at most four places; what is before one is cached.
"""

from __future__ import annotations

from typing import Any

from axonhub_cli.protocols.base import JSON

_MARK = {"type": "ephemeral"}
_TURNS = 2
_UNMARKED = frozenset({"thinking", "redacted_thinking"})


def mark(system: list[JSON], tools: list[JSON], messages: list[JSON]) -> None:
    """Marks the last tool, the last of the system and the end of the last two user turns, in place."""
    _mark_last([tool for tool in tools if not tool.get("defer_loading")])
    _mark_last(system)
    turns = [message for message in messages if message["role"] == "user"]
    for message in turns[-_TURNS:]:
        _mark_last([block for block in message["content"] if block.get("type") not in _UNMARKED])


def _mark_last(blocks: list[JSON]) -> None:
    if blocks:
        last: dict[str, Any] = blocks[-1]
        last["cache_control"] = dict(_MARK)
