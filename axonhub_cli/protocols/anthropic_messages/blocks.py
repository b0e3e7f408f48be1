"""Content blocks -> neutral parts, for a client's history and an upstream's answer alike.

https://platform.claude.com/docs/en/api/messages (content)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.content import (
    FilePart,
    ImagePart,
    OpaquePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from axonhub_cli.protocols.anthropic_messages import fields as read
from axonhub_cli.protocols.anthropic_messages.fields import NAME, JSONObject

SEALED = "axh1."
HOLDER = "anthropic"  # of files that have an id here
_KNOWN = {
    "text": frozenset({"type", "text", "citations"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "tool_use": frozenset({"type", "id", "name", "input"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error"}),
    "image": frozenset({"type", "source"}),
    "document": frozenset({"type", "source", "title"}),
}
Extras = dict[str, Any]


def decode_content(value: Any, path: str) -> tuple[list[Part], Extras]:
    """The parts of a message's or a tool result's content, and what they have no place for, by dotted path below
    the message: `content[0].cache_control`, or `content[0]` alone where the block must go back as it came."""
    if value is None:
        return [], {}
    if isinstance(value, str):
        return [TextPart(value)], {}
    if not isinstance(value, list):
        raise read.wrong(path, "a string or a list of blocks")
    parts: list[Part] = []
    extras: Extras = {}
    for at, raw in enumerate(value):
        block = read.as_object(raw, f"{path}[{at}]")
        part, more = decode_block(block, f"{path}[{at}].")
        parts.append(part)
        extras |= {f"content[{at}]{key}": item for key, item in more.items()}
    return parts, extras


def decode_block(block: JSONObject, path: str) -> tuple[Part, Extras]:
    """One block. Keys of the extras begin with a dot; the empty key holds the block itself."""
    kind = read.required(block, "type", path)
    if kind not in _KNOWN:
        return _unknown(block, kind)
    extras: Extras = {f".{name}": value for name, value in read.rest(block, _KNOWN[kind]).items()}
    match kind:
        case "text":
            notes = (
                citation(read.as_object(note, f"{path}citations")) for note in read.items(block, "citations", path)
            )
            return TextPart(read.required(block, "text", path), tuple(notes)), extras
        case "thinking":
            return _thinking(block, path), extras
        case "redacted_thinking":
            return _redacted(read.required(block, "data", path)), extras
        case "tool_use":
            given = read.mapping(block, "input", path) or {}
            return ToolCallPart(
                read.required(block, "id", path), read.required(block, "name", path), dump(given)
            ), extras
        case "tool_result":
            return _result(block, path, extras), extras
        case "image":
            return _image(block, path)
        case _:
            return _document(block, path)


def citation(raw: JSONObject) -> dict[str, Any]:
    """A citation in the form OpenAI's protocols show, with Anthropic's own beside it for the way back."""
    note: dict[str, Any] = {NAME: dict(raw)}
    url, title = raw.get("url"), raw.get("title")
    if isinstance(url, str):
        place = {"url": url, "title": title if isinstance(title, str) else url, "start_index": 0, "end_index": 0}
        return {"type": "url_citation", "url_citation": place, **note}
    named = raw.get("document_title") or title or raw.get("source") or ""
    index = raw.get("document_index", raw.get("search_result_index", 0))
    place = {
        "file_id": str(raw.get("file_id") or ""),
        "filename": str(named),
        "index": index if isinstance(index, int) else 0,
    }
    return {"type": "file_citation", "file_citation": place, **note}


def dump(value: Any) -> str:
    """Compact JSON; also of text with lone surrogates, which msgspec refuses."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))


def _thinking(block: JSONObject, path: str) -> ReasoningPart:
    """Ours is known by its beginning (pitfalls 63, 64); an unsigned block has nothing to give back."""
    text, signature = read.text(block, "thinking", path) or "", read.text(block, "signature", path)
    if signature and signature.startswith(SEALED):
        return ReasoningPart(summary=(text,) if text else (), sealed=signature)
    return ReasoningPart(text, opaque={NAME: {"signature": signature}} if signature else {})


def _redacted(data: str) -> ReasoningPart:
    if data.startswith(SEALED):
        return ReasoningPart(sealed=data)
    return ReasoningPart(opaque={NAME: {"data": data}})


def _result(block: JSONObject, path: str, extras: Extras) -> ToolResultPart:
    parts, inner = decode_content(block.get("content"), path + "content")
    extras |= {f".{key}": value for key, value in inner.items()}
    call_id = read.required(block, "tool_use_id", path)
    return ToolResultPart(call_id, tuple(parts), failed=read.flag(block, "is_error", path))


def _image(block: JSONObject, path: str) -> tuple[Part, Extras]:
    source = read.as_object(block.get("source"), path + "source")
    kind, path = read.text(source, "type", path + "source."), path + "source."
    extras: Extras = {f".{name}": value for name, value in read.rest(block, _KNOWN["image"]).items()}
    if kind == "base64":
        media = read.required(source, "media_type", path)
        return ImagePart(f"data:{media};base64,{read.required(source, 'data', path)}"), extras
    if kind == "url":
        return ImagePart(read.required(source, "url", path)), extras
    if kind == "file":
        return FilePart(file_id=read.required(source, "file_id", path), holder=HOLDER), {"": dict(block)}
    return OpaquePart(NAME, "image", dict(block)), {}


def _document(block: JSONObject, path: str) -> tuple[Part, Extras]:
    source = read.as_object(block.get("source"), path + "source")
    title, kind = read.text(block, "title", path), read.text(source, "type", path + "source.")
    extras: Extras = {f".{name}": value for name, value in read.rest(block, _KNOWN["document"]).items()}
    path += "source."
    match kind:
        case "base64":
            media = read.required(source, "media_type", path)
            return FilePart(f"data:{media};base64,{read.required(source, 'data', path)}", filename=title), extras
        case "url":
            return FilePart(url=read.required(source, "url", path), filename=title), extras
        case "file":
            return FilePart(file_id=read.required(source, "file_id", path), filename=title, holder=HOLDER), extras
        case "text":
            return TextPart(_titled(title, read.required(source, "data", path))), {"": dict(block)}
        case "content":
            return TextPart(_titled(title, _texts(source.get("content")))), {"": dict(block)}
        case _:
            return OpaquePart(NAME, "document", dict(block)), {}


def _unknown(block: JSONObject, kind: str) -> tuple[Part, Extras]:
    """A block that only Anthropic has. What is text in it is text for everybody."""
    if kind == "search_result":
        title, source = block.get("title"), block.get("source")
        head = f"{title} ({source})" if title and source else str(title or source or "")
        return TextPart(_titled(head, _texts(block.get("content")))), {"": dict(block)}
    if kind == "tool_reference":
        return TextPart(f"The tool {block.get('tool_name')} can be called now."), {"": dict(block)}
    return OpaquePart(NAME, kind, dict(block)), {}


def _titled(title: str | None, text: str) -> str:
    return f"{title}\n\n{text}" if title else text


def _texts(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    found = (block.get("text") for block in blocks if isinstance(block, Mapping))
    return "\n\n".join(text for text in found if isinstance(text, str))
