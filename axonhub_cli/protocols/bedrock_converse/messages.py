"""The conversation as Converse wants it: user and assistant in turn, every call answered in the next message.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html; pitfalls 7-10, 68-70, 76.
"""

from __future__ import annotations

from axonhub_cli.llm.content import OpaquePart, TextPart, ToolCallPart, ToolsPart
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.bedrock_converse.content import BlockWriter, result_block
from axonhub_cli.protocols.call_ids import CallIds
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.media import left_out
from axonhub_cli.protocols.results import NO_RESULT, pair_results
from axonhub_cli.vendors import Quirks

BEGINNING = "[The conversation began earlier.]"
CONTINUE = "Continue."
SEE = "See the document."


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
        self._ids = CallIds()
        self._turn: list[JSON] = []  # of the assistant
        self._calls: list[tuple[int, str]] = []  # ordinal and id
        self._count = 0  # calls met so far
        self._answered = False  # a result has been seen since the calls

    def add(self, message: Message) -> None:
        """The next message of the conversation."""
        self._losses.foreign(message.extras, "messages.")
        if message.name is not None:
            self._losses.add("messages.name")
        match message.role:
            case Role.ASSISTANT:
                if self._answered:
                    self._close()
                self._turn += self._written(message)
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
        """The conversation is over: it begins and ends with a user (pitfall 76), and no document is without words."""
        self._close()
        if not self._messages or self._messages[0]["role"] != "user":
            self._messages.insert(0, {"role": "user", "content": [{"text": BEGINNING}]})
        if self._messages[-1]["role"] == "assistant":
            self._append("user", [{"text": CONTINUE}])
        for message in self._messages:
            content = message["content"]
            if any("document" in block for block in content) and not any("text" in block for block in content):
                content.append({"text": SEE})
        return self._system, self._messages

    def _written(self, message: Message) -> list[JSON]:
        blocks: list[JSON] = []
        for part in message.parts:
            block = self._call(part) if isinstance(part, ToolCallPart) else self._blocks.block(part)
            if block is None and message.role is Role.USER and isinstance(part, OpaquePart):
                block = {"text": left_out(part).text}
            if block is not None:
                blocks.append(block)
        return blocks

    def _call(self, part: ToolCallPart) -> JSON:
        call_id = self._ids.allocate(part.call_id)
        self._calls.append((self._count, call_id))
        self._count += 1
        return self._blocks.call(part, call_id)

    def _instruct(self, message: Message) -> None:
        for part in message.parts:
            if isinstance(part, TextPart):
                block = self._blocks.block(part)
                self._system += [block] if block is not None else []
            elif not isinstance(part, ToolsPart):
                kind = type(part).__name__.removesuffix("Part").lower()
                self._losses.add(f"messages.{kind}", "instructions are text")

    def _close(self) -> None:
        """The assistant's turn is over; the results of its calls are the next message, in the order of the calls
        (pitfalls 20, 68), a note where there is none (pitfalls 8, 69)."""
        turn, calls = self._turn, self._calls
        self._turn, self._calls, self._answered = [], [], False
        self._append("assistant", turn)
        results: list[JSON] = []
        for ordinal, call_id in calls:
            found = self._results.get(ordinal)
            if found is None:
                self._losses.add("messages.tool_call", f"no result for {call_id!r}; a note stands in for it")
                results.append(result_block(call_id, [{"text": NO_RESULT}], failed=True))
            else:
                results.append(self._blocks.result(found.part, call_id))
        self._append("user", results)

    def _append(self, role: str, blocks: list[JSON]) -> None:
        """Neighbours of one role become one message."""
        if not blocks:
            return
        if self._messages and self._messages[-1]["role"] == role:
            self._messages[-1]["content"] += blocks
        else:
            self._messages.append({"role": role, "content": blocks})
