"""A payload without the reasoning whose signature Bedrock refused (pitfall 67)."""

from __future__ import annotations

from axonhub_cli.protocols.base import JSON, Edited, Loss
from axonhub_cli.protocols.bedrock_converse.thinking import unsigned_loop
from axonhub_cli.protocols.claude import UNSIGNED
from axonhub_cli.protocols.omissions import UNREADABLE

_NOTHING = {"text": "[nothing was said]"}  # a message has content, and users and assistants take turns


def without_state(payload: JSON) -> Edited:
    """See `base.UpstreamCodec`. Thinking is off where the turn it would go on with has lost its own (pitfall 66)."""
    messages = payload["messages"]
    kept = [_message(message) for message in messages]
    if all(new is old for new, old in zip(kept, messages, strict=True)):
        return payload, ()
    payload = {**payload, "messages": kept}
    losses = [Loss("messages.reasoning", UNREADABLE)]
    fields = payload.get("additionalModelRequestFields", {})
    if fields.get("thinking", {}).get("type") == "enabled" and unsigned_loop(kept):
        payload["additionalModelRequestFields"] = {**fields, "thinking": {"type": "disabled"}}
        losses.append(Loss("thinking", UNSIGNED))
    return payload, tuple(losses)


def _message(message: JSON) -> JSON:
    kept = [block for block in message["content"] if "reasoningContent" not in block]
    return message if len(kept) == len(message["content"]) else {**message, "content": kept or [_NOTHING]}
