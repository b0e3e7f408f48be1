"""What a strict vendor insists on in a conversation: ids of calls that it could have made itself, and words of the
assistant between a tool's result and a user's."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.call_ids import is_short
from axonhub_cli.vendors import Quirks

READ = "[The results have been read.]"


def answered(messages: list[JSON]) -> list[JSON]:
    """The messages with the assistant's words where a user speaks right after a tool."""
    found = messages[:1]
    for before, message in pairwise(messages):
        if _unanswered(before, message):
            found.append({"role": "assistant", "content": READ})
        found.append(message)
    return found


def in_order(payload: JSON, quirks: Quirks) -> bool:
    """Whether the vendor takes a client's own conversation as it stands."""
    given = payload.get("messages")
    messages = [message for message in given if isinstance(message, dict)] if isinstance(given, list) else []
    if quirks.answered_results and any(_unanswered(before, message) for before, message in pairwise(messages)):
        return False
    return not quirks.short_call_ids or all(map(is_short, _ids(messages)))


def _unanswered(before: JSON, message: JSON) -> bool:
    return before.get("role") == "tool" and message.get("role") == "user"


def _ids(messages: Iterable[JSON]) -> Iterable[Any]:
    for message in messages:
        calls = message.get("tool_calls")
        yield from (call.get("id") for call in (calls if isinstance(calls, list) else ()) if isinstance(call, dict))
