"""Fixtures, the SDK's own types taken strictly, and short ways to run the codec."""

from __future__ import annotations

import functools
import inspect
import itertools
import json
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import anthropic.types
from pydantic import ConfigDict, TypeAdapter
from typing_extensions import is_typeddict

from axonhub_cli.llm.content import FunctionTool, Part, TextPart, ToolCallPart, ToolResultPart
from axonhub_cli.llm.events import StreamEvent, check
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.protocols.anthropic_messages import CODEC
from axonhub_cli.protocols.base import Encoded
from axonhub_cli.vendors import Quirks

NAME = "anthropic_messages"
TESTS = Path(__file__).parents[2]
FIXTURES = TESTS / "fixtures" / NAME
NATIVE = Quirks()
SONNET, OPUS = "claude-sonnet-4-5", "claude-opus-4-8"
PNG = "data:image/png;base64,iVBORw0KGgo="
SAMPLING = ("temperature", "top_p", "top_k")  # real, but no longer typed
RUN = FunctionTool("run", "Runs", {"type": "object", "properties": {}})


@functools.cache
def types() -> tuple[TypeAdapter[Any], TypeAdapter[Any]]:
    """MessageCreateParams and one block of a request, with every field that they do not list refused (pitfall 82)."""
    for module in pkgutil.iter_modules(anthropic.types.__path__):
        if module.name.endswith("_param") or module.name == "message_create_params":
            for _, item in inspect.getmembers(import_module(f"anthropic.types.{module.name}"), is_typeddict):
                if not hasattr(item, "__pydantic_config__"):
                    item.__pydantic_config__ = ConfigDict(extra="forbid")
    params = anthropic.types.message_create_params.MessageCreateParams
    return TypeAdapter(params), TypeAdapter(anthropic.types.content_block_param.ContentBlockParam)


def validate(payload: dict[str, Any]) -> None:
    """Raises for a payload that is not as the SDK's types want it, and for one the API's prose refuses."""
    params, block_param = types()
    consume(params.validate_python({name: item for name, item in payload.items() if name not in SAMPLING}))
    for message in payload["messages"]:
        for block in message["content"]:  # the types of whole messages also take an answer's blocks, which are loose
            consume(block_param.validate_python(block))
    roles = [message["role"] for message in payload["messages"]]
    assert roles[0] == "user"
    spoken = [role for role in roles if role != "system"]
    assert all(a != b for a, b in itertools.pairwise(spoken)), roles
    for at, role in enumerate(roles):
        if role == "system":
            assert roles[at - 1] == "user" and roles[at + 1 :][:1] in ([], ["assistant"])
    pairs(payload["messages"])
    assert json.dumps(payload).count('"cache_control"') <= 4
    budget = payload.get("thinking", {}).get("budget_tokens")
    assert budget is None or 1024 <= budget < payload["max_tokens"]
    assert payload.get("tools") or "tool_choice" not in payload


def pairs(messages: list[dict[str, Any]]) -> None:
    """Every call is answered at the beginning of the next message, and nothing else is (pitfalls 68, 69)."""
    seen: set[str] = set()
    waiting: list[str] = []
    for message in messages:
        blocks = message["content"]
        assert blocks, "an empty message"
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        assert results == waiting
        assert all(block["type"] == "tool_result" for block in blocks[: len(results)])
        waiting = [block["id"] for block in blocks if block["type"] == "tool_use"]
        assert not seen.intersection(waiting) and len(set(waiting)) == len(waiting)
        seen.update(waiting)
        assert message["role"] != "assistant" or blocks[-1]["type"] not in {"thinking", "redacted_thinking"}
        assert all(block["text"].strip() for block in blocks if block["type"] == "text")
    assert not waiting


def consume(value: Any) -> None:
    """Pydantic checks iterables only as they are read."""
    if isinstance(value, dict):
        for item in value.values():
            consume(item)
    elif not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        for item in value:
            consume(item)


def encode(*messages: Message, quirks: Quirks = NATIVE, model: str = SONNET, **more: Any) -> Encoded:
    """The payload for a conversation that comes from another protocol, checked."""
    encoded = CODEC.encode_request(Request(model, messages, **more), quirks)
    validate(encoded.payload)
    return encoded


def losses(encoded: Encoded) -> set[str]:
    return {loss.field for loss in encoded.losses}


def message(role: Role, *parts: Part | str) -> Message:
    return Message(role, tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


user = functools.partial(message, Role.USER)
assistant = functools.partial(message, Role.ASSISTANT)
developer = functools.partial(message, Role.DEVELOPER)


def called(*call_ids: str) -> Message:
    return assistant(*(ToolCallPart(call_id, "run", "{}") for call_id in call_ids))


def result(call_id: str, *parts: Part | str) -> Message:
    content = tuple(TextPart(part) if isinstance(part, str) else part for part in parts)
    return Message(Role.TOOL, (ToolResultPart(call_id, content),))


def kinds(payload: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Role and kinds of blocks of each message."""
    return [(message["role"], [block["type"] for block in message["content"]]) for message in payload["messages"]]


def load(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


def decode(data: bytes, step: int | None = None) -> list[StreamEvent]:
    """The events of a stream that arrives in pieces of `step` bytes; grammar checked."""
    decoder = CODEC.stream_decoder(NATIVE)
    step = step or max(len(data), 1)
    events = [event for at in range(0, len(data), step) for event in decoder.feed(data[at : at + step])]
    return list(check(events + decoder.close()))


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events)


def start(**usage: int) -> dict[str, Any]:
    return {"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], "usage": usage}}


def begin(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def ending(reason: str | None, **usage: int) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


STOP: dict[str, Any] = {"type": "message_stop"}


def told(data: bytes) -> Iterator[dict[str, Any]]:
    """The events a client reads, each under its own name."""
    for frame in data.decode().split("\n\n"):
        if frame:
            name, line = frame.split("\n")
            event = json.loads(line.removeprefix("data: "))
            assert name == f"event: {event['type']}"
            yield event
