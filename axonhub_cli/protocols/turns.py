"""Conversations whose messages are lists of blocks: user and assistant in turn, calls answered in the next message.

What Anthropic Messages and Bedrock's Converse have in common; pitfalls 7-10, 20, 68-70, 76 and 126.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from axonhub_cli.llm.content import OpaquePart, Part, ToolCallPart
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.call_ids import CallIds
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.media import left_out
from axonhub_cli.protocols.results import NO_RESULT, Answered, pair_results

BEGINNING = "[The conversation began earlier.]"
CONTINUE = "Continue."


class Turns(ABC):
    """Gathers an assistant's turn until somebody else speaks, then writes it with the results of its calls. How a block
    looks is up to whoever derives from it."""

    def __init__(self, request: Request, losses: Losses) -> None:
        self.system: list[JSON] = []
        self.messages: list[JSON] = []
        self.losses = losses
        self._results = pair_results(request.messages, losses)
        self._ids = CallIds()
        self._count = 0  # calls met so far
        self._turn: list[JSON] = []  # of the assistant
        self._calls: list[tuple[int, str]] = []  # ordinal and id
        self._answered = False  # a result has been seen since the calls

    @abstractmethod
    def text(self, text: str) -> JSON:
        """A block of our own words."""

    @abstractmethod
    def block(self, part: Part) -> JSON | None:
        """Any part but a call or a result; None where there is no block for it."""

    @abstractmethod
    def thought(self, block: JSON) -> bool:
        """Whether a block is reasoning."""

    @abstractmethod
    def call(self, part: ToolCallPart, call_id: str) -> JSON:
        """A call, under the id that it has here."""

    @abstractmethod
    def result(self, found: Answered, call_id: str) -> JSON | None:
        """What a call returned."""

    @abstractmethod
    def failed(self, call_id: str, words: JSON) -> JSON:
        """A result that says in `words`, a block of text, that there is none."""

    @abstractmethod
    def instruct(self, message: Message) -> None:
        """Puts the system's or the developer's words where they belong."""

    def restored(self, block: JSON | None, message: Message, place: int) -> JSON | None:
        """The block with what the part at `place` had beside its own fields, in protocols that keep it."""
        return block

    def add(self, message: Message) -> None:
        """The next message of the conversation."""
        self.losses.foreign(message.extras, "messages.")
        if message.name is not None:
            self.losses.add("messages.name")
        match message.role:
            case Role.ASSISTANT:
                if self._answered:
                    self.close()
                self._turn += self._written(message)
            case Role.TOOL:
                self._answered = self._answered or bool(self._calls)
                for part in message.parts:
                    if isinstance(part, OpaquePart):  # what answers nothing that we know
                        self.block(part)
            case Role.SYSTEM | Role.DEVELOPER:
                self.instruct(message)
            case Role.USER:
                self.close()
                self.append("user", self._written(message))

    def close(self) -> None:
        """The assistant's turn is over; the results of its calls are the next message, in the order of the calls, a
        note where there is none (pitfalls 8, 69). Claude refuses a turn that ends with reasoning, as one does that was
        interrupted (126)."""
        turn, calls = self._turn, self._calls
        while turn and self.thought(turn[-1]):
            self.losses.add("messages.reasoning", "nothing followed it")
            turn.pop()
        self._turn, self._calls, self._answered = [], [], False
        self.append("assistant", turn)
        results = [self._result(ordinal, call_id) for ordinal, call_id in calls]
        self.append("user", [block for block in results if block is not None])

    def begin(self) -> None:
        """Has the first message be a user's (pitfall 76)."""
        if not self.messages or self.messages[0]["role"] != "user":
            self.messages.insert(0, {"role": "user", "content": [self.text(BEGINNING)]})

    def append(self, role: str, blocks: list[JSON]) -> None:
        """Neighbours of one role become one message."""
        if not blocks:
            return
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += blocks
        else:
            self.messages.append({"role": role, "content": blocks})

    def _written(self, message: Message) -> list[JSON]:
        blocks: list[JSON] = []
        for place, part in enumerate(message.parts):
            block = self._called(part) if isinstance(part, ToolCallPart) else self.block(part)
            if block is None and message.role is Role.USER and isinstance(part, OpaquePart):
                block = self.text(left_out(part).text)
            block = self.restored(block, message, place)
            blocks += [block] if block is not None else []
        return blocks

    def _called(self, part: ToolCallPart) -> JSON:
        call_id = self._ids.allocate(part.call_id)
        self._calls.append((self._count, call_id))
        self._count += 1
        return self.call(part, call_id)

    def _result(self, ordinal: int, call_id: str) -> JSON | None:
        found = self._results.get(ordinal)
        if found is not None:
            return self.result(found, call_id)
        self.losses.add("messages.tool_call", f"no result for {call_id!r}; a note stands in for it")
        return self.failed(call_id, self.text(NO_RESULT))
