"""The conversation as Anthropic wants it: user and assistant in turn, every call answered in the next message.

https://platform.claude.com/docs/en/api/messages (messages); pitfalls 7-10, 66, 68-70, 75, 76.
"""

from __future__ import annotations

from axonhub_cli.llm.content import Part, TextPart, ToolCallPart, ToolsPart
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.protocols.anthropic_messages.content import BlockWriter, kept_fields, restored, text_block
from axonhub_cli.protocols.anthropic_messages.fields import NAME
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.claude import model_of
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.results import Answered
from axonhub_cli.protocols.turns import CONTINUE, Turns
from axonhub_cli.vendors import Quirks


def encode_messages(request: Request, quirks: Quirks, losses: Losses) -> tuple[list[JSON], list[JSON]]:
    """(system blocks, messages), fit for an upstream that remembers nothing."""
    writer = _Writer(request, quirks, losses)
    for message in request.messages:
        writer.add(message)
    return writer.finish()


class _Writer(Turns):
    """Puts the system's words where the model takes them, besides."""

    def __init__(self, request: Request, quirks: Quirks, losses: Losses) -> None:
        super().__init__(request, losses)
        self._blocks = BlockWriter(quirks, losses)
        self._native = NAME in request.extras
        self._model = model_of(request.model)
        # From Opus 4.8 on a system message may follow a user's, before the assistant's or at the end (pitfall 75).
        self._mid_system = quirks.mid_system == "always" or (quirks.mid_system == "auto" and self._model.since(4, 8))
        self._spoken = False  # somebody other than the system has
        self._notes: list[JSON] = []  # of the system, in the middle of the conversation

    def finish(self) -> tuple[list[JSON], list[JSON]]:
        """The conversation is over: it begins with a user and ends so that the model may speak (pitfall 76)."""
        self.close()
        self._place_notes()
        self.begin()
        last = self.messages[-1]
        if last["role"] == "assistant":
            self._prefill(last)
        return self.system, self.messages

    def _prefill(self, last: JSON) -> None:
        """An answer begun by the client: without space at its end, and not at all for models that refuse one."""
        if self._model.since(4, 6) and not self._native:
            self.append("user", [self.text(CONTINUE)])
        elif last["content"][-1].get("type") == "text":
            block = last["content"][-1]
            last["content"][-1] = {**block, "text": block["text"].rstrip()}

    def add(self, message: Message) -> None:
        super().add(message)
        self._spoken = self._spoken or message.role is Role.ASSISTANT

    def append(self, role: str, blocks: list[JSON]) -> None:
        if blocks:
            self._spoken = True
            if role == "assistant":
                self._place_notes()
        super().append(role, blocks)

    def text(self, text: str) -> JSON:
        return text_block(text)

    def block(self, part: Part) -> JSON | None:
        return self._blocks.block(part)

    def thought(self, block: JSON) -> bool:
        return block["type"] in {"thinking", "redacted_thinking"}

    def call(self, part: ToolCallPart, call_id: str) -> JSON:
        return self._blocks.call(part, call_id)

    def result(self, found: Answered, call_id: str) -> JSON | None:
        part, message = found
        place = next(at for at, other in enumerate(message.parts) if other is part)
        return self._blocks.result(part, call_id, kept_fields(message, place))

    def failed(self, call_id: str, words: JSON) -> JSON:
        return {"type": "tool_result", "tool_use_id": call_id, "content": [words], "is_error": True}

    def restored(self, block: JSON | None, message: Message, place: int) -> JSON | None:
        return restored(block, kept_fields(message, place))

    def instruct(self, message: Message) -> None:
        """Instructions lead; later ones stay where they were for models that take them there (pitfall 75)."""
        if message.parts and all(isinstance(part, ToolsPart) for part in message.parts):
            return
        blocks: list[JSON] = []
        for place, part in enumerate(message.parts):
            if isinstance(part, TextPart):
                block = self.restored(self.block(part), message, place)
                blocks += [block] if block is not None else []
            elif not isinstance(part, ToolsPart):
                kind = type(part).__name__.removesuffix("Part").lower()
                self.losses.add(f"messages.{kind}", "instructions are text")
        if self._mid_system and (self._spoken or self.messages):
            self.close()
            self._notes += blocks
        else:
            self.system += blocks

    def _place_notes(self) -> None:
        """What the system said since the last turn; in front of everything where its place is not allowed."""
        notes, self._notes = self._notes, []
        if notes and self.messages and self.messages[-1]["role"] == "user":
            self.messages.append({"role": "system", "content": notes})
        else:
            self.system += notes
