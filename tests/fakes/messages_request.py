"""A Messages request as a test wants to look at it."""

from __future__ import annotations

import itertools
import json

from tests.fakes.messages_thinking import JSON, Minted, content_blocks


class MessagesRequest:
    """`minted`: what the fake has given away, to read what came back of it."""

    def __init__(self, body: JSON, headers: dict[str, str], minted: Minted) -> None:
        self.body, self.headers, self.at = body, headers, 0.0
        self.counts: tuple[int, int, int] | None = None  # tokens: fresh, read from the cache, written to it
        self._minted = minted

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def flags(self) -> list[str]:
        """The beta features it asks for."""
        return [flag.strip() for flag in self.headers.get("anthropic-beta", "").split(",") if flag.strip()]

    @property
    def messages(self) -> list[JSON]:
        return list(self.body["messages"])

    @property
    def blocks(self) -> list[JSON]:
        """Those of all messages."""
        return list(itertools.chain(*(content_blocks(message["content"]) for message in self.messages)))

    def of(self, kind: str) -> list[JSON]:
        return [block for block in self.blocks if block["type"] == kind]

    @property
    def tools(self) -> list[str]:
        return [tool["name"] for tool in self.body.get("tools") or ()]

    def tool(self, name: str) -> JSON:
        return next(tool for tool in self.body["tools"] if tool["name"] == name)

    @property
    def system(self) -> str:
        return content_text(self.body.get("system") or "")

    @property
    def text(self) -> str:
        """All there is to read, in order."""
        return "\n".join([self.system, *(content_text(message["content"]) for message in self.messages)])

    @property
    def last_user(self) -> str:
        users = [content_text(m["content"]) for m in self.messages if m["role"] == "user"]
        return users[-1] if users else ""

    @property
    def calls(self) -> list[str]:
        """The names of the calls in the history."""
        return [block["name"] for block in self.of("tool_use")]

    @property
    def outputs(self) -> list[str]:
        """What tools returned, in order."""
        return [content_text(block.get("content") or "") for block in self.of("tool_result")]

    @property
    def images(self) -> list[str]:
        inside = itertools.chain(*(content_blocks(block.get("content") or "") for block in self.of("tool_result")))
        sources = [block["source"] for block in [*self.blocks, *inside] if block["type"] == "image"]
        return [source.get("url") or f"data:{source['media_type']};base64,{source['data']}" for source in sources]

    @property
    def thoughts(self) -> list[str]:
        """What was thought, out of the signatures that came back."""
        seals = [block.get("signature") or block.get("data") for block in self.blocks]
        return [self._minted.thoughts[seal] for seal in seals if seal in self._minted.thoughts]

    @property
    def marks(self) -> int:
        """How many places are marked for caching."""
        return json.dumps(self.body).count('"cache_control": {')


def content_text(content: str | list[JSON]) -> str:
    """Texts, and those inside of tool results."""
    texts = [
        content_text(block["content"]) if block["type"] == "tool_result" and block.get("content") else block.get("text")
        for block in content_blocks(content)
    ]
    return "\n".join(text for text in texts if text)
