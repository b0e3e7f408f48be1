"""Short ways to say what a client asks, and to see what an upstream is sent."""

from __future__ import annotations

from typing import Any

from openai.types.chat import CompletionCreateParams
from pydantic import TypeAdapter

from axonhub_cli.llm.content import (
    FunctionTool,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.protocols.base import Encoded
from axonhub_cli.protocols.openai_chat import CODEC
from axonhub_cli.vendors import CHANNEL_TYPES, Quirks

PARAMS: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams)
DEEPSEEK = CHANNEL_TYPES["deepseek"].quirks
PNG = "data:image/png;base64,iVBORw0KGgo="
RUN = FunctionTool("run", "Runs", {"type": "object", "properties": {}})


def message(role: Role, *parts: Part | str) -> Message:
    return Message(role, tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


def user(*parts: Part | str) -> Message:
    return message(Role.USER, *parts)


def assistant(*parts: Part | str) -> Message:
    return message(Role.ASSISTANT, *parts)


def called(call_id: str, arguments: str = "{}") -> Message:
    return assistant(ToolCallPart(call_id, "run", arguments))


def result(call_id: str, *parts: Part | str) -> Message:
    content = tuple(TextPart(part) if isinstance(part, str) else part for part in parts)
    return Message(Role.TOOL, (ToolResultPart(call_id, content),))


def encode(*messages: Message, quirks: Quirks | None = None, **fields: Any) -> Encoded:
    return CODEC.encode_request(Request("m", messages, **fields), quirks or Quirks())


def sent(*messages: Message, quirks: Quirks | None = None, **fields: Any) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = encode(*messages, quirks=quirks, **fields).payload["messages"]
    return written


def lost(encoded: Encoded) -> set[str]:
    return {loss.field for loss in encoded.losses}
