"""Reasoning on its way back to the vendors that want it (pitfalls 117-126)."""

from __future__ import annotations

from typing import Any

from axonhub_cli.llm.content import ReasoningPart
from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.efforts import OFF
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.openai_chat.details import FIELD, STATE, answer_of, rebuilt, stored
from axonhub_cli.protocols.openai_chat.fields import NAME
from axonhub_cli.vendors import Quirks


class Thoughts:
    """Holds reasoning until the message it led to is written (pitfall 118)."""

    def __init__(self, request: Request, quirks: Quirks, losses: Losses) -> None:
        self._quirks = quirks
        self._losses = losses
        self._texts: list[str] = []
        self._blocks: list[JSON] = []
        self._answer: str | None = None  # that the blocks are of
        self._thinks = request.reasoning is None or request.reasoning.effort != OFF
        self._last: JSON | None = None  # the last assistant message since a user spoke

    def add(self, part: ReasoningPart) -> None:
        """The next piece. Of a summary without its chain the summary is all there is."""
        if self._quirks.reasoning_echo == "never":
            self._losses.add("messages.reasoning", "this upstream takes no reasoning back")
            return
        blocks = stored(part.opaque)
        text = part.text or "\n\n".join(part.summary)
        if not blocks and not text:
            self._losses.add("messages.reasoning", "it is sealed by another upstream")
            return
        for protocol in sorted(part.opaque.keys() - {NAME}):
            self._losses.add("messages.reasoning.state", f"only {protocol} knows it")
        if blocks:
            self._of(answer_of(part.opaque))
        self._blocks += blocks
        if text:
            self._texts.append(text)

    def _of(self, answer: str | None) -> None:
        """Blocks of an answer that broke off are left out where the client's next question brought another: nobody
        signed the two together."""
        if self._blocks and None not in (answer, self._answer) and answer != self._answer:
            self._losses.add("messages.reasoning", "its answer broke off, and another one followed")
            self._texts, self._blocks = [], []
        self._answer = answer

    def attach(self, message: JSON) -> None:
        """Puts what is held on the message, as the vendor wants it."""
        self._write(message)
        self._last = message

    def forget(self) -> None:
        """A user speaks: what no message followed goes to the one before, never across the user's turn (126)."""
        if (self._texts or self._blocks) and self._last is not None:
            self._write(self._last)
        elif self._texts or self._blocks:
            self._losses.add("messages.reasoning", "no answer followed it")
        self._texts, self._blocks, self._last = [], [], None

    def _write(self, message: JSON) -> None:
        quirks = self._quirks
        texts, blocks, self._texts, self._blocks = self._texts, self._blocks, [], []
        if quirks.reasoning_echo == "never":
            return
        wanted = quirks.reasoning_echo == "always" or "tool_calls" in message
        if not wanted:
            if texts or blocks:
                self._losses.add("messages.reasoning", "this upstream wants it back only beside tool calls")
            return
        text = "\n\n".join(texts)
        if quirks.reasoning_field == FIELD:
            self._details(message, text, blocks)
            return
        if any(block.get(name) for block in blocks for name in STATE):
            self._losses.add("messages.reasoning.state", "this upstream takes the text alone")
        if not text and self._thinks and "tool_calls" in message and quirks.reasoning_field not in message:
            text = quirks.reasoning_placeholder
        if text:
            known = message.get(quirks.reasoning_field)
            message[quirks.reasoning_field] = f"{known}\n\n{text}" if known else text

    def _details(self, message: JSON, text: str, blocks: list[JSON]) -> None:
        """Blocks go back as they came; from the text alone only where the vendor checks no signature."""
        if not blocks and text and self._quirks.reasoning_unsigned:
            blocks = rebuilt(text)
        if blocks and FIELD in message:
            self._losses.add("messages.reasoning", "no answer followed it")
        elif blocks:
            message[FIELD] = blocks
        elif text:
            self._losses.add("messages.reasoning", "this upstream wants its own state, which is not there")


def with_placeholders(payload: JSON, quirks: Quirks) -> JSON:
    """A client's own payload for a vendor that refuses calls without the reasoning that led to them: what another
    vendor said in this conversation has none (pitfall 117). The same object where nothing is missing."""
    messages = payload.get("messages")
    if not quirks.reasoning_placeholder or not isinstance(messages, list):
        return payload
    filled = [_filled(message, quirks) for message in messages]
    changed = any(new is not old for new, old in zip(filled, messages, strict=True))
    return {**payload, "messages": filled} if changed else payload


def _filled(message: Any, quirks: Quirks) -> Any:
    if not isinstance(message, dict) or not message.get("tool_calls") or message.get(quirks.reasoning_field):
        return message
    return {**message, quirks.reasoning_field: quirks.reasoning_placeholder}
