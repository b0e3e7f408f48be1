"""Guesses how many tokens a text or a request is, where nobody can be asked. Always marked as estimated."""

from __future__ import annotations

import re

import msgspec

from axonhub_cli.llm.content import (
    CompactionPart,
    FunctionTool,
    ImagePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    ToolsPart,
)
from axonhub_cli.llm.request import Message, Request

MESSAGE_TOKENS = 4  # roles and separators
IMAGE_TOKENS = 1000  # vendors count 85 to 1,600 for one screen
# Within a third of o200k_base on prose, code, JSON, logs, uuids and Chinese, more often above than below.
_PIECES = re.compile(r" ?[A-Za-z]{1,8}|\d{1,3}|\s+|[ ]?[^\w\s]{1,3}|[^\W\dA-Za-z_]{1,2}|_+")


def estimate_text(text: str) -> int:
    """How many tokens `text` may be; 0 for none."""
    return sum(1 for _ in _PIECES.finditer(text))


def estimate_messages(messages: tuple[Message, ...]) -> int:
    """The same for a conversation or a part of one."""
    return sum(MESSAGE_TOKENS + estimate_parts(message.parts) for message in messages)


def estimate_parts(parts: tuple[Part, ...]) -> int:
    """The same for what a message or an answer is made of."""
    return sum(_part(part) for part in parts)


def estimate_request(request: Request) -> int:
    """The input tokens of a whole request: conversation and tools."""
    return estimate_messages(request.messages) + sum(_tool(tool) for tool in request.tools)


def _part(part: Part) -> int:
    match part:
        case TextPart(text=text) | RefusalPart(text=text):
            return estimate_text(text)
        case ReasoningPart():
            return estimate_text(part.text or "".join(part.summary))
        case ToolCallPart():
            return estimate_text(part.name) + estimate_text(part.input)
        case ToolResultPart():
            return estimate_parts(part.content) + sum(_tool(tool) for tool in part.tools)
        case ToolsPart(tools=tools):
            return sum(_tool(tool) for tool in tools)
        case CompactionPart():
            return estimate_text(part.summary or "")
        case ImagePart():
            return IMAGE_TOKENS
        case _:
            return len(msgspec.json.encode(part)) // 4


def _tool(tool: Tool) -> int:
    if isinstance(tool, FunctionTool):
        schema = msgspec.json.encode(tool.parameters or {}).decode()
        return MESSAGE_TOKENS + estimate_text(tool.name) + estimate_text(tool.description or "") + estimate_text(schema)
    return estimate_text(msgspec.json.encode(tool).decode())
