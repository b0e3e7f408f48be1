"""A payload without the signed reasoning that an upstream could not read (pitfall 67)."""

from __future__ import annotations

from typing import Any

from axonhub_cli.protocols.base import JSON, Edited, Loss
from axonhub_cli.protocols.omissions import UNREADABLE
from axonhub_cli.protocols.openai_chat.details import FIELD

# Google's, for calls that lack a signature: https://ai.google.dev/gemini-api/docs/thought-signatures
_STAND_IN = "skip_thought_signature_validator"


def without_state(payload: JSON) -> Edited:
    """See `base.UpstreamCodec`. Reasoning in plain words stays."""
    messages = payload.get("messages")
    if not isinstance(messages, list):
        return payload, ()
    kept = [_message(message) for message in messages]
    if all(new is old for new, old in zip(kept, messages, strict=True)):
        return payload, ()
    return {**payload, "messages": kept}, (Loss("messages.reasoning", UNREADABLE),)


def _message(message: Any) -> Any:
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return message
    changed = {name: value for name, value in message.items() if name != FIELD}
    if isinstance(calls := message.get("tool_calls"), list):
        changed["tool_calls"] = [_call(call) for call in calls]
    return message if changed == message else changed


def _call(call: Any) -> Any:
    """Google's signature on a call of Chat Completions.
    https://ai.google.dev/gemini-api/docs/thought-signatures (OpenAI compatibility)"""
    if not isinstance(call, dict) or "extra_content" not in call:
        return call
    return {**call, "extra_content": {"google": {"thought_signature": _STAND_IN}}}
