"""`reasoning_details`: reasoning in blocks, some of them signed or encrypted (OpenRouter, MiniMax).

https://openrouter.ai/docs/use-cases/reasoning-tokens; pitfalls 58, 125.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from axonhub_cli.protocols.openai_chat.fields import NAME
from axonhub_cli.protocols.parts import PartWriter

FIELD = "reasoning_details"
_ANSWER = "answer"  # beside the blocks: whose they are
_GROWING = ("text", "summary", "data")
STATE = ("signature", "data", "id")  # what makes a block more than its text


class DetailReader:
    """Puts the fragments of blocks together, by their index; the text comes out as it arrives."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, str], dict[str, Any]] = {}

    @property
    def pending(self) -> bool:
        """Whether there are blocks to release."""
        return bool(self._blocks)

    def read(self, details: list[Any]) -> str:
        """The text that these fragments add. MiniMax repeats a block from its beginning each time."""
        added = ""
        for position, detail in enumerate(details):
            if not isinstance(detail, dict):
                continue
            index = detail.get("index")
            key = (index if isinstance(index, int) else position, str(detail.get("type")))
            block = self._blocks.setdefault(key, {})
            for name, value in detail.items():
                if name not in _GROWING and value is not None:
                    block[name] = value
                elif name in _GROWING and isinstance(value, str):
                    known = block.get(name, "")
                    fresh = value[len(known) :] if known and value.startswith(known) else value
                    block[name] = known + fresh
                    added += fresh if name != "data" else ""
        return added

    def release(self, writer: PartWriter) -> None:
        """Puts the blocks on the reasoning part as its state, if they are more than text."""
        if not self._blocks:
            return
        blocks, self._blocks = list(self._blocks.values()), {}
        if any(block.get(name) for block in blocks for name in STATE):
            writer.state(NAME, {FIELD: blocks, _ANSWER: writer.prefix.removeprefix("chatcmpl-")})


def rebuilt(text: str) -> list[dict[str, Any]]:
    """Blocks for reasoning of which only the text is left."""
    return [{"type": "reasoning.text", "text": text}]


def stored(opaque: object) -> Sequence[dict[str, Any]]:
    """The blocks kept on a reasoning part, as they came."""
    blocks = _state(opaque).get(FIELD)
    return blocks if isinstance(blocks, list) else ()


def answer_of(opaque: object) -> str | None:
    """The answer that such blocks are of, where we were the one to read it."""
    answer = _state(opaque).get(_ANSWER)
    return answer if isinstance(answer, str) else None


def _state(opaque: object) -> dict[str, Any]:
    state = opaque.get(NAME) if isinstance(opaque, dict) else None
    return state if isinstance(state, dict) else {}
