"""What was said in a request, read out of its stored bodies: entries for JSON and for the tree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, assert_never

import msgspec
from msgspec import Struct

from axonhub_cli.entities import Body, RequestRecord
from axonhub_cli.errors import ConfigError
from axonhub_cli.llm.content import (
    AudioPart,
    CompactionPart,
    FilePart,
    ImagePart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    ToolsPart,
)
from axonhub_cli.llm.errors import Failure
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart
from axonhub_cli.llm.fold import so_far
from axonhub_cli.llm.request import Message, Request
from axonhub_cli.llm.response import Response
from axonhub_cli.protocols.base import Codec
from axonhub_cli.protocols.registry import codec
from axonhub_cli.vendors import Quirks

_QUIRKS = Quirks()
_EMBEDDINGS = "embeddings"
_MOST_LEFT_OUT = 100
_PLACE = re.compile(r"(\w+)(?:\[(\d+)\])?")  # how the name of a field at fault begins
_TALK = ("input", "messages", "contents")
_MADE_UP = re.compile(r"call_(?:[0-9a-f]{16}_)?\d+|no_call_.*", re.DOTALL)


class Entry(Struct, frozen=True, omit_defaults=True):
    """One thing said. `kind` is text, reasoning, tool_call, tool_result, tools, image, audio, file, compaction,
    refusal or a protocol's own word."""

    role: str
    kind: str
    text: str = ""
    name: str | None = None
    call_id: str | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """What makes a repetition of it the same thing: histories come back with other ids and cut reasoning."""
        return (self.kind, self.call_id or f"{self.role}\0{self.name}\0{self.text}")


class Said(Struct, frozen=True):
    """`heard` is what the client sent but for the `repeated` entries that were shown before, `answered` what it
    got. `problems` says what could not be read, and why."""

    heard: tuple[Entry, ...] = ()
    answered: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()
    repeated: int = 0


def read_said(record: RequestRecord, bodies: Iterable[Body]) -> Said:
    """Decodes what is stored of a request. Never raises for what it holds."""
    heard: tuple[Entry, ...] = ()
    answered: tuple[Entry, ...] = ()
    problems: list[str] = []
    for body in bodies:
        try:
            if body.kind == "request" and record.operation == _EMBEDDINGS:
                heard = tuple(_texts(msgspec.json.decode(body.data)))
            elif body.kind == "request":
                payload = msgspec.json.decode(body.data, type=dict[str, Any])
                heard = _heard(_request(codec(record.client_protocol), payload, problems))
            elif body.kind == "response":
                answered = tuple(_entries("assistant", msgspec.json.decode(body.data, type=Response).parts))
            elif body.kind == "stream":
                answered = tuple(_entries("assistant", _stream_parts(codec(record.client_protocol), body.data)))
        except (Failure, ConfigError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problems.append(f"the stored {body.kind} cannot be read: {error}")
    if record.client_protocol == "gemini":
        heard, answered = tuple(map(_unnamed, heard)), tuple(map(_unnamed, answered))
    return Said(heard, answered, tuple(problems))


def _unnamed(entry: Entry) -> Entry:
    """Most of Gemini's calls have no id: those we read into an answer are others than those of the history after it."""
    made_up = entry.call_id is not None and _MADE_UP.fullmatch(entry.call_id) is not None
    return msgspec.structs.replace(entry, call_id=None) if made_up else entry


class Once:
    """Filters what was said already: each turn of an agent repeats the whole conversation before it."""

    def __init__(self) -> None:
        self._told: dict[str, Counter[tuple[str, str]]] = {}

    def news(self, thread: str | None, said: Said) -> Said:
        """`said` without what earlier requests of the thread showed. Words really said twice stay twice."""
        told = self._told.setdefault(thread or "", Counter())
        seen: Counter[tuple[str, str]] = Counter()
        fresh = []
        for entry in said.heard:
            seen[entry.identity] += 1
            if seen[entry.identity] > told[entry.identity]:
                fresh.append(entry)
        told |= seen
        told.update(entry.identity for entry in said.answered)
        self._told[thread or ""] = told
        return msgspec.structs.replace(said, heard=tuple(fresh), repeated=len(said.heard) - len(fresh))


def _texts(payload: Any) -> Iterator[Entry]:
    """What was to be embedded. https://platform.openai.com/docs/api-reference/embeddings/create (input)"""
    given = payload.get("input") if isinstance(payload, dict) else None
    for text in given if isinstance(given, list) else [given]:
        if isinstance(text, str):
            yield Entry("user", "text", text)


def _request(client: Codec, payload: dict[str, Any], problems: list[str]) -> Request:
    """What passed as it came may hold what nobody but its vendor understands: the rest is shown, and that is told."""
    for _ in range(_MOST_LEFT_OUT):
        try:
            return client.decode_request(payload)
        except Failure as failure:
            found = _PLACE.match(failure.error.param or "")
            name, index = found.groups() if found else ("", None)
            if name not in payload or (index is None and name in _TALK):
                raise
            if index is None:
                payload = {other: value for other, value in payload.items() if other != name}
            else:
                payload = {**payload, name: [item for at, item in enumerate(payload[name]) if at != int(index)]}
            problems.append(f"left out here of the stored request: {name if index is None else f'an item of {name}'}")
    return client.decode_request(payload)


def _heard(request: Request) -> tuple[Entry, ...]:
    tools = [Entry("client", "tools", name=", ".join(map(tool_name, request.tools)))] if request.tools else []
    return (*tools, *(entry for message in request.messages for entry in _message(message)))


def _message(message: Message) -> Iterator[Entry]:
    # Reasoning that comes back sealed was shown when it was said.
    return (
        entry
        for entry in _entries(str(message.role), message.parts)
        if entry.kind != "reasoning" or (entry.text and entry.text != SEALED)
    )


def _stream_parts(client: Codec, data: bytes) -> Sequence[Part]:
    if data.lstrip()[:1] == b"{":
        return client.decode_response(msgspec.json.decode(data), _QUIRKS).parts
    decoder = client.stream_decoder(_QUIRKS)
    parts: dict[int, Part] = {}
    said: dict[int, list[PartDelta]] = {}
    for event in [*decoder.feed(data), *decoder.close()]:
        if isinstance(event, PartDelta):
            said.setdefault(event.index, []).append(event)
        elif isinstance(event, (PartStart, PartEnd)):
            parts[event.index] = event.part
            said.pop(event.index, None)
    # What is left was cut off before its end.
    return [so_far(part, said[index]) if index in said else part for index, part in parts.items()]


SEALED = "(sealed: only its maker can read it)"


def _entries(role: str, parts: Iterable[Part]) -> Iterator[Entry]:
    for part in parts:
        yield _entry(role, part)


def _entry(role: str, part: Part) -> Entry:
    match part:
        case TextPart(text=text):
            return Entry(role, "text", text)
        case RefusalPart(text=text):
            return Entry(role, "refusal", text)
        case ReasoningPart():
            return Entry(role, "reasoning", part.text or "\n\n".join(part.summary) or SEALED)
        case ToolCallPart():
            return Entry(role, "tool_call", part.input, _full(part.namespace, part.name), part.call_id)
        case ToolResultPart():
            return Entry("tool", "tool_result", _result(part), part.name, part.call_id)
        case ToolsPart(tools=tools):
            return Entry("client", "tools", name=", ".join(map(tool_name, tools)))
        case CompactionPart(summary=summary):
            return Entry(role, "compaction", summary or SEALED)
        case ImagePart() | AudioPart() | FilePart():
            return _attachment(role, part)
        case OpaquePart(kind=kind, raw=raw):
            return Entry(role, kind, msgspec.json.encode(raw).decode())
        case _:
            assert_never(part)


def _attachment(role: str, part: ImagePart | AudioPart | FilePart) -> Entry:
    match part:
        case ImagePart(url=url):
            return Entry(role, "image", _place(url))
        case AudioPart():
            return Entry(role, "audio", f"{part.format}, {len(part.data)} characters of base64")
        case FilePart():
            return Entry(role, "file", _place(part.url or part.data or part.file_id or ""), part.filename)


def _place(url: str) -> str:
    """A URL, or what is in a data: URL instead of all its characters."""
    head, comma, data = url.partition(",")
    return f"{head.removeprefix('data:')}, {len(data)} characters" if url.startswith("data:") and comma else url[:500]


def _result(part: ToolResultPart) -> str:
    entries = _entries("tool", part.content)
    texts = [entry.text if entry.kind == "text" else f"({entry.kind}: {entry.text})" for entry in entries]
    if part.tools:
        texts.append(f"(tools found: {', '.join(map(tool_name, part.tools))})")
    return "\n".join(texts)


def tool_name(tool: Tool) -> str:
    """How people call a tool."""
    kind: str = getattr(tool, "kind", "") or str(tool.__struct_config__.tag)
    name: Any = getattr(tool, "name", None)
    return _full(getattr(tool, "namespace", None), name) if name else kind


def _full(namespace: str | None, name: str) -> str:
    return f"{namespace}.{name}" if namespace else name
