"""What tools returned, whichever wire it is to go on: which call a result answers, and what is inside of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from axonhub_cli.llm.content import HostedTool, ImagePart, Part, TextPart, ToolCallPart, ToolResultPart
from axonhub_cli.llm.request import Message
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.tools import declared_name, flat_name

NO_RESULT = "[no result: the call was interrupted]"


class Answered(NamedTuple):
    """A result, and the message it came in."""

    part: ToolResultPart
    message: Message


def pair_results(messages: Iterable[Message], losses: Losses) -> dict[int, Answered]:
    """The result of each call, by the call's ordinal: the last one for it, which must come after it (pitfalls 8, 9)."""
    latest: dict[str, int] = {}
    found: dict[int, Answered] = {}
    count = 0
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                latest[part.call_id] = count
                count += 1
            elif isinstance(part, ToolResultPart):
                ordinal = latest.get(part.call_id)
                if ordinal is None:
                    losses.add("messages.tool_result", f"no call has the id {part.call_id!r}")
                    continue
                if ordinal in found:
                    losses.add("messages.tool_result", f"a later result for {part.call_id!r} replaces it")
                found[ordinal] = Answered(part, message)
    return found


def opened(parts: Iterable[Part]) -> Iterable[Part]:
    """A text that is really a list of content items is taken apart, where there are images among them (pitfall 113)."""
    for part in parts:
        if isinstance(part, TextPart) and (inner := _items(part.text)):
            yield from inner
        else:
            yield part


def found_tools(part: ToolResultPart) -> str:
    """What a tool search found, under the names by which it can be called from now on (pitfall 108)."""
    names = [flat_name(*declared_name(tool)) for tool in part.tools if not isinstance(tool, HostedTool)]
    return msgspec.json.encode({"tools": names}).decode()


def _items(text: str) -> list[Part]:
    if not text.lstrip().startswith("[") or "image" not in text:
        return []
    try:
        items = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) and "type" in item for item in items):
        return []
    parts = [_item(item) for item in items]
    return parts if any(isinstance(part, ImagePart) for part in parts) else []


def _item(item: dict[str, Any]) -> Part:
    url = item.get("image_url")
    if isinstance(url, dict):
        url = url.get("url")
    if isinstance(url, str):
        return ImagePart(url)
    if item["type"] == "image" and isinstance(item.get("data"), str):  # MCP
        return ImagePart(f"data:{item.get('mimeType') or 'image/png'};base64,{item['data']}")
    text = item.get("text")
    return TextPart(text if isinstance(text, str) else msgspec.json.encode(item).decode())
