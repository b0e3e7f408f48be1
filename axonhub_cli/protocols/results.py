"""What is inside a tool's result, whichever wire it is to go on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from axonhub_cli.llm.content import HostedTool, ImagePart, Part, TextPart, ToolResultPart
from axonhub_cli.protocols.tools import declared_name, flat_name


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
