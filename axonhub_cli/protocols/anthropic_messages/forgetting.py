"""A payload without the thinking whose signature an upstream refused (pitfall 67)."""

from __future__ import annotations

from typing import Any

from axonhub_cli.protocols.anthropic_messages.thinking import budgeted, switched_off, unsigned_loop
from axonhub_cli.protocols.base import JSON, Edited, Loss
from axonhub_cli.protocols.claude import UNSIGNED
from axonhub_cli.protocols.omissions import UNREADABLE, kind_of

_THINKING = frozenset({"thinking", "redacted_thinking"})


def without_state(payload: JSON) -> Edited:
    """See `base.UpstreamCodec`. Thinking is off where the turn it would go on with has lost its own (pitfall 66)."""
    messages = payload.get("messages")
    if not isinstance(messages, list):
        return payload, ()
    kept = [_message(message) for message in messages]
    losses: list[Loss] = []
    if any(new is not old for new, old in zip(kept, messages, strict=True)):
        payload = {**payload, "messages": [message for message in kept if message.get("content") != []]}
        losses.append(Loss("messages.reasoning", UNREADABLE))
    if budgeted(payload) and unsigned_loop(payload["messages"]):
        payload = switched_off(payload)
        losses.append(Loss("thinking", UNSIGNED))
    return payload, tuple(losses)


def _message(message: Any) -> Any:
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list) or message.get("role") != "assistant":
        return message
    kept = [block for block in content if kind_of(block) not in _THINKING]
    return message if len(kept) == len(content) else {**message, "content": kept}
