"""The parts of messages and tool results as Chat content.

https://platform.openai.com/docs/api-reference/chat/create (messages); pitfalls 10, 11, 27, 113, 115.
"""

from __future__ import annotations

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
    ToolResultPart,
    ToolsPart,
)
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.compaction import SUMMARY
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.media import NO_AUDIO, NO_IMAGE, file_name, no_file
from axonhub_cli.protocols.openai_chat.fields import NAME
from axonhub_cli.protocols.results import found_tools, opened
from axonhub_cli.vendors import Quirks

HOLDER = "openai"  # of files that have an id here
NO_OUTPUT = "[no output]"
IMAGE_BELOW = "[image: shown in the user message below]"


def text_part(text: str) -> JSON:
    """A text as a content part."""
    return {"type": "text", "text": text}


def content_part(part: Part, quirks: Quirks, losses: Losses) -> JSON | None:
    """One part of a message; None for what is no content. What the upstream cannot take becomes a note in words."""
    match part:
        case TextPart(text=text):
            if part.annotations:
                losses.add("messages.annotations", "Chat Completions takes no citations back")
            return text_part(text)
        case RefusalPart(text=text):
            return text_part(text)
        case ImagePart():
            return _image(part, quirks, losses)
        case AudioPart():
            if quirks.audio:
                return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
            losses.add("messages.audio", "this upstream takes no sound")
            return text_part(NO_AUDIO)
        case FilePart():
            return _file(part, quirks, losses)
        case CompactionPart():
            if part.summary is not None:
                return text_part(SUMMARY + part.summary)
            losses.add("messages.compaction", "the summary is sealed by another upstream")
            return None
        case OpaquePart():
            if part.protocol == NAME:
                return dict(part.raw)
            losses.add(f"messages.{part.kind}")
            return None
        case ReasoningPart() | ToolCallPart() | ToolResultPart() | ToolsPart():
            return None


def content(parts: list[JSON], quirks: Quirks) -> str | list[JSON]:
    """A plain string where there is only text and the list form is not needed: some upstreams know no lists."""
    if all(part.get("type") == "text" for part in parts) and (len(parts) == 1 or not quirks.vision):
        return "\n\n".join(part["text"] for part in parts)
    return parts


def result_content(part: ToolResultPart, quirks: Quirks, losses: Losses) -> tuple[str, list[JSON]]:
    """A tool's result as text, and its images apart, since most upstreams take only text there (pitfall 10). OpenAI
    takes a result without words; others want some."""
    texts: list[str] = []
    media: list[JSON] = []
    for piece in opened(part.content):
        encoded = content_part(piece, quirks, losses)
        if encoded is None:
            continue
        if encoded["type"] == "text":
            texts.append(encoded["text"])
        else:
            texts.append(IMAGE_BELOW if encoded["type"] == "image_url" else f"[{encoded['type']}: shown below]")
            media.append(encoded)
    if part.tools:
        texts.append(found_tools(part))
    text = "\n".join(texts)
    return text or (NO_OUTPUT if quirks.fields and not media else ""), media


def _image(part: ImagePart, quirks: Quirks, losses: Losses) -> JSON:
    if not quirks.vision:
        losses.add("messages.image", "this upstream reads text only")
        return text_part(NO_IMAGE)
    image: JSON = {"url": part.url}
    if part.detail in {"auto", "low", "high"}:
        image["detail"] = part.detail
    elif part.detail is not None:
        losses.add("messages.image.detail", f"Chat Completions has no detail {part.detail!r}")
    return {"type": "image_url", "image_url": image}


def _file(part: FilePart, quirks: Quirks, losses: Losses) -> JSON:
    held = part.file_id if part.holder == HOLDER else None
    if quirks.files and (part.data is not None or held is not None):
        fields = (("file_data", part.data), ("file_id", held), ("filename", file_name(part)))
        if part.url is not None:
            losses.add("messages.file.url", "Chat Completions takes no address of a file")
        return {"type": "file", "file": {name: value for name, value in fields if value is not None}}
    losses.add("messages.file", "this upstream takes no such files")
    return text_part(no_file(part))
