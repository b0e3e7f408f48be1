"""One part of a message as Gemini's, and a call's arguments as the object that Gemini wants.

https://ai.google.dev/api/caching#Part; pitfalls 11, 27, 46, 102.
"""

from __future__ import annotations

from typing import Any

import msgspec

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
    ToolCallPart,
    ToolKind,
    ToolResultPart,
    ToolsPart,
)
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.compaction import SUMMARY
from axonhub_cli.protocols.gemini.media import encode_audio, encode_file, encode_url
from axonhub_cli.protocols.gemini.signatures import NAME
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.media import NO_AUDIO, NO_IMAGE, no_file
from axonhub_cli.vendors import Quirks

Written = dict[str, Any] | None


def encode_part(part: Part, quirks: Quirks, losses: Losses) -> Written:
    """One part; None for what is no content. What the upstream cannot take becomes a note in words."""
    match part:
        case TextPart(text=text):
            if part.annotations:
                losses.add("messages.annotations", "Gemini takes no citations back")
            return {"text": text}
        case RefusalPart(text=text):
            return {"text": text}
        case ImagePart():
            if part.detail is not None:
                losses.add("messages.image.detail", "Gemini takes no wish for one image's resolution")
            if quirks.vision:
                return encode_url(part.url, "image/jpeg")
            losses.add("messages.image", "this upstream reads text only")
            return {"text": NO_IMAGE}
        case AudioPart():
            if quirks.audio:
                return encode_audio(part)
            losses.add("messages.audio", "this upstream takes no sound")
            return {"text": NO_AUDIO}
        case FilePart():
            return _file(part, quirks, losses)
        case CompactionPart():
            if part.summary is not None:
                return {"text": SUMMARY + part.summary}
            losses.add("messages.compaction", "the summary is sealed by another upstream")
            return None
        case OpaquePart():
            if part.protocol == NAME:
                return dict(part.raw)
            losses.add(
                f"messages.{part.kind}", f"Gemini has no word for it ({len(msgspec.json.encode(part.raw))} bytes)"
            )
            return None
        case ReasoningPart() | ToolCallPart() | ToolResultPart() | ToolsPart():
            return None


def _file(part: FilePart, quirks: Quirks, losses: Losses) -> JSON:
    if part.filename is not None:
        losses.add("messages.file.filename", "Gemini takes no names of files")
    written = encode_file(part) if quirks.files else None
    if written is not None:
        if part.file_id is not None:
            losses.add("messages.file.file_id", "only the vendor that holds the file knows it")
        return written
    losses.add("messages.file", "this upstream takes no such files")
    return {"text": no_file(part)}


def call_arguments(part: ToolCallPart) -> tuple[JSON, bool]:
    """A call's `args`, and whether its input was such an object: anything else is wrapped (pitfall 102)."""
    if part.kind is ToolKind.CUSTOM:
        return {"input": part.input}, True
    text = part.input
    for _ in range(2):  # an object that is written in a string once more is meant as the object
        if not text.strip():
            return {}, True
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return {"broken_json": part.input.encode("utf-8", "replace").decode()}, False
        if isinstance(value, dict):
            return value, text is part.input
        if not isinstance(value, str) or not value.lstrip().startswith("{"):
            break
        text = value
    return {"value": value}, False
