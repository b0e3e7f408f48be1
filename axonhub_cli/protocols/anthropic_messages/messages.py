"""The conversation as Anthropic wants it: user and assistant in turn, every call answered in the next message.

https://platform.claude.com/docs/en/api/messages (messages); pitfalls 7-10, 66, 68-70, 75, 76.
"""

from __future__ import annotations

from axonhub_cli.llm.content import OpaquePart, TextPart, ToolCallPart, ToolsPart
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.protocols.anthropic_messages.content import BlockWriter, kept_fields, restored, text_block
from axonhub_cli.protocols.anthropic_messages.fields import NAME
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.call_ids import CallIds
from axonhub_cli.protocols.claude import model_of
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.media import left_out
from axonhub_cli.protocols.results import NO_RESULT, pair_results
from axonhub_cli.vendors import Quirks

BEGINNING = "[The conversation began earlier.]"
CONTINUE = "Continue."


def encode_messages(request: Request, quirks: Quirks, losses: Losses) -> tuple[list[JSON], list[JSON]]:
    """(system blocks, messages), fit for an upstream that remembers nothing."""
    writer = _Writer(request, quirks, losses)
    for message in request.messages:
        writer.add(message)
    return writer.finish()


class _Writer:
    """Gathers an assistant's turn until somebody else speaks, then writes it with the results of its calls."""

    def __init__(self, request: Request, quirks: Quirks, losses: Losses) -> None:
        self._system: list[JSON] = []
        self._messages: list[JSON] = []
        self._blocks = BlockWriter(quirks, losses)
        self._losses = losses
        self._results = pair_results(request.messages, losses)
        self._native = NAME in request.extras
        self._model = model_of(request.model)
        # From Opus 4.8 on a system message may follow a user's, before the assistant's or at the end (pitfall 75).
        self._mid_system = quirks.mid_system == "always" or (quirks.mid_system == "auto" and self._model.since(4, 8))
        self._ids = CallIds()
        self._count = 0  # calls met so far
        self._turn: list[JSON] = []  # of the assistant
        self._calls: list[tuple[int, str]] = []  # ordinal and id
        self._answered = False  # a result has been seen since the calls
        self._spoken = False  # somebody other than the system has
        self._notes: list[JSON] = []  # of the system, in the middle of the conversation

    def add(self, message: Message) -> None:
        """The next message of the conversation."""
        self._losses.foreign(message.extras, "messages.")
        if message.name is not None:
            self._losses.add("messages.name")
        match message.role:
            case Role.ASSISTANT:
                self._assistant(message)
            case Role.TOOL:
                self._answered = self._answered or bool(self._calls)
                for part in message.parts:
                    if isinstance(part, OpaquePart):  # what answers nothing that we know
                        self._blocks.block(part)
            case Role.SYSTEM | Role.DEVELOPER:
                self._instruct(message)
            case Role.USER:
                self._close()
                self._append("user", self._written(message))

    def finish(self) -> tuple[list[JSON], list[JSON]]:
        """The conversation is over: it begins with a user and ends so that the model may speak (pitfall 76)."""
        self._close()
        self._place_notes()
        if not self._messages or self._messages[0]["role"] != "user":
            self._messages.insert(0, {"role": "user", "content": [text_block(BEGINNING)]})
        last = self._messages[-1]
        if last["role"] == "assistant":
            self._prefill(last)
        return self._system, self._messages

    def _prefill(self, last: JSON) -> None:
        """An answer begun by the client: without space at its end, and not at all for models that refuse one."""
        if self._model.since(4, 6) and not self._native:
            self._append("user", [text_block(CONTINUE)])
        elif last["content"][-1].get("type") == "text":
            block = last["content"][-1]
            last["content"][-1] = {**block, "text": block["text"].rstrip()}

    def _assistant(self, message: Message) -> None:
        if self._answered:
            self._close()
        self._spoken = True
        self._turn += self._written(message)

    def _written(self, message: Message) -> list[JSON]:
        blocks: list[JSON] = []
        for place, part in enumerate(message.parts):
            block = self._call(part) if isinstance(part, ToolCallPart) else self._blocks.block(part)
            if block is None and message.role is Role.USER and isinstance(part, OpaquePart):
                block = text_block(left_out(part).text)
            block = restored(block, kept_fields(message, place))
            if block is not None:
                blocks.append(block)
        return blocks

    def _call(self, part: ToolCallPart) -> JSON:
        call_id = self._ids.allocate(part.call_id)
        self._calls.append((self._count, call_id))
        self._count += 1
        return self._blocks.call(part, call_id)

    def _instruct(self, message: Message) -> None:
        """Instructions lead; later ones stay where they were for models that take them there (pitfall 75)."""
        if message.parts and all(isinstance(part, ToolsPart) for part in message.parts):
            return
        blocks: list[JSON] = []
        for place, part in enumerate(message.parts):
            if isinstance(part, TextPart):
                block = restored(self._blocks.block(part), kept_fields(message, place))
                blocks += [block] if block is not None else []
            elif not isinstance(part, ToolsPart):
                self._losses.add(
                    f"messages.{type(part).__name__.removesuffix('Part').lower()}", "instructions are text"
                )
        if self._mid_system and (self._spoken or self._messages):
            self._close()
            self._notes += blocks
        else:
            self._system += blocks

    def _close(self) -> None:
        """The assistant's turn is over; the results of its calls are the next message, in the order of the calls
        (pitfalls 20, 68), a note where there is none (pitfalls 8, 69)."""
        turn, calls = self._turn, self._calls
        self._turn, self._calls, self._answered = [], [], False
        if turn:
            self._place_notes()
            self._append("assistant", turn)
        if not calls:
            return
        blocks: list[JSON] = []
        for ordinal, call_id in calls:
            found = self._results.get(ordinal)
            if found is None:
                self._losses.add("messages.tool_call", f"no result for {call_id!r}; a note stands in for it")
                content = [text_block(NO_RESULT)]
                blocks.append({"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": True})
                continue
            part, message = found
            place = next(at for at, other in enumerate(message.parts) if other is part)
            block = self._blocks.result(part, call_id, kept_fields(message, place))
            blocks += [block] if block is not None else []
        self._append("user", blocks)

    def _append(self, role: str, blocks: list[JSON]) -> None:
        """Neighbours of one role become one message."""
        if not blocks:
            return
        self._spoken = True
        if self._messages and self._messages[-1]["role"] == role:
            self._messages[-1]["content"] += blocks
        else:
            self._messages.append({"role": role, "content": blocks})

    def _place_notes(self) -> None:
        """What the system said since the last turn; in front of everything where its place is not allowed."""
        notes, self._notes = self._notes, []
        if notes and self._messages and self._messages[-1]["role"] == "user":
            self._messages.append({"role": "system", "content": notes})
        else:
            self._system += notes
