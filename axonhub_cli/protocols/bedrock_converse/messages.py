"""The conversation as Converse wants it: user and assistant in turn, every call answered in the next message.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html; pitfalls 7-10, 68-70, 76.
"""

from __future__ import annotations

from axonhub_cli.llm.content import Part, TextPart, ToolCallPart, ToolsPart
from axonhub_cli.llm.request import Message, Request
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.bedrock_converse.content import BlockWriter, result_block
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.results import Answered
from axonhub_cli.protocols.turns import CONTINUE, Turns
from axonhub_cli.vendors import Quirks

SEE = "See the document."


def encode_messages(request: Request, quirks: Quirks, losses: Losses) -> tuple[list[JSON], list[JSON]]:
    """(system blocks, messages), fit for an upstream that remembers nothing."""
    writer = _Writer(request, quirks, losses)
    for message in request.messages:
        writer.add(message)
    return writer.finish()


class _Writer(Turns):
    def __init__(self, request: Request, quirks: Quirks, losses: Losses) -> None:
        super().__init__(request, losses)
        self._blocks = BlockWriter(quirks, losses)

    def finish(self) -> tuple[list[JSON], list[JSON]]:
        """The conversation is over: it begins and ends with a user (pitfall 76), and no document is without words."""
        self.close()
        self.begin()
        if self.messages[-1]["role"] == "assistant":
            self.append("user", [self.text(CONTINUE)])
        for message in self.messages:
            content = message["content"]
            if any("document" in block for block in content) and not any("text" in block for block in content):
                content.append(self.text(SEE))
        return self.system, self.messages

    def text(self, text: str) -> JSON:
        return {"text": text}

    def block(self, part: Part) -> JSON | None:
        return self._blocks.block(part)

    def thought(self, block: JSON) -> bool:
        return "reasoningContent" in block

    def call(self, part: ToolCallPart, call_id: str) -> JSON:
        return self._blocks.call(part, call_id)

    def result(self, found: Answered, call_id: str) -> JSON:
        return self._blocks.result(found.part, call_id)

    def failed(self, call_id: str, words: JSON) -> JSON:
        return result_block(call_id, [words], failed=True)

    def instruct(self, message: Message) -> None:
        for part in message.parts:
            if isinstance(part, TextPart):
                block = self.block(part)
                self.system += [block] if block is not None else []
            elif not isinstance(part, ToolsPart):
                kind = type(part).__name__.removesuffix("Part").lower()
                self.losses.add(f"messages.{kind}", "instructions are text")
