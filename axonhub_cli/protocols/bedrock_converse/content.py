"""Neutral parts -> Converse's content blocks; each thing that cannot be said is a Loss.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html; pitfalls 6, 10, 46, 63, 76, 78.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

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
from axonhub_cli.protocols.bedrock_converse.response import NAME
from axonhub_cli.protocols.compaction import SUMMARY
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.media import NO_AUDIO, NO_IMAGE, no_file, shown_type
from axonhub_cli.protocols.results import found_tools, opened
from axonhub_cli.protocols.tools import call_input, call_name
from axonhub_cli.vendors import Quirks

_DOCUMENTS = ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9 ()\[\]-]+")


class BlockWriter:
    """Writes the blocks of one request."""

    def __init__(self, quirks: Quirks, losses: Losses) -> None:
        self._quirks, self._losses = quirks, losses
        self._documents = 0

    def block(self, part: Part) -> JSON | None:
        """The block of a part that is no call and no result; None for what has none."""
        losses = self._losses
        match part:
            case TextPart(text=text):
                for field in ("annotations", "logprobs"):
                    if getattr(part, field):
                        losses.add(f"messages.{field}")
                return {"text": text} if text.strip() else None
            case RefusalPart(text=text):
                return {"text": text} if text.strip() else None
            case ReasoningPart():
                return self._reasoning(part)
            case ImagePart():
                return self._image(part)
            case FilePart():
                return self._file(part)
            case AudioPart():
                losses.add("messages.audio", "these models take no sound")
                return {"text": NO_AUDIO}
            case CompactionPart(summary=str(summary)):
                return {"text": SUMMARY + summary}
            case CompactionPart():
                losses.add("messages.compaction", "the summary is sealed by another upstream")
            case OpaquePart():
                losses.add(f"messages.{part.kind}", f"only {part.protocol} knows it")
            case ToolCallPart() | ToolResultPart() | ToolsPart():
                pass
        return None

    def call(self, part: ToolCallPart, call_id: str) -> JSON:
        """A tool call; its input is an object, whatever the model once wrote (pitfalls 6, 46)."""
        self._losses.state(part.opaque, "tool_call")
        return {"toolUse": {"toolUseId": call_id, "name": call_name(part), "input": call_input(part, self._losses)}}

    def result(self, part: ToolResultPart, call_id: str) -> JSON:
        """A tool's result with its images inside (pitfall 10)."""
        found = [block for piece in opened(part.content) if (block := self.block(piece)) is not None]
        if part.tools:
            found.append({"text": found_tools(part)})
        if part.name is not None:
            self._losses.add("messages.name", "the call says which tool it was")
        return result_block(call_id, found, failed=part.failed)

    def _reasoning(self, part: ReasoningPart) -> JSON | None:
        """What was signed goes back as it came; what is foreign or unsigned is dropped, never forged (pitfall 63)."""
        self._losses.state(part.opaque, "reasoning")
        state = part.opaque.get(NAME)
        state = state if isinstance(state, Mapping) else {}
        if isinstance(state.get("redacted"), str):
            return {"reasoningContent": {"redactedContent": state["redacted"]}}
        if isinstance(state.get("signature"), str):
            return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": state["signature"]}}}
        self._losses.add("messages.reasoning", "only reasoning with its own signature goes back")
        return None

    def _image(self, part: ImagePart) -> JSON:
        if part.detail is not None:
            self._losses.add("messages.image.detail")
        if not self._quirks.vision:
            self._losses.add("messages.image", "this upstream reads text only")
            return {"text": NO_IMAGE}
        data = _data(part.url)
        if data is None:
            self._losses.add("messages.image", "Converse takes an image's bytes, no address")
            return {"text": f"[image left out: {part.url[:200] if not part.url.startswith('data:') else 'unreadable'}]"}
        return {"image": {"format": _image_format(part.url, data), "source": {"bytes": data}}}

    def _file(self, part: FilePart) -> JSON:
        data = _data(part.data) if part.data is not None else None
        if data is None or not self._quirks.files:
            self._losses.add("messages.file", "Converse takes a document's bytes, no address and no id")
            return {"text": no_file(part)}
        stem, _, ending = (part.filename or "").rpartition(".")
        # The name is one Bedrock takes, and no two are alike.
        self._documents += 1
        name = " ".join(_NOT_IN_NAMES.sub(" ", stem or ending).split())[:150]
        form = ending.lower() if ending.lower() in _DOCUMENTS else "pdf"
        named = f"{name or 'document'} {self._documents}"
        if part.filename:
            self._losses.add("messages.file.filename", f"it was sent as {named!r}")
        return {"document": {"format": form, "name": named, "source": {"bytes": data}}}


def result_block(call_id: str, content: list[JSON], *, failed: bool | None = None) -> JSON:
    """A tool's result; only a failure has a status, which some models refuse."""
    written: JSON = {"toolUseId": call_id, "content": content or [{"text": "(no output)"}]}
    return {"toolResult": {**written, "status": "error"} if failed else written}


def _data(text: str) -> str | None:
    """The base64 of a data: URL, or bare; None for an address, or what is no base64."""
    head, comma, data = text.partition(",")
    if not comma:
        head, data = "", text
    if head and not (head.startswith("data:") and "base64" in head.lower()):
        return None
    try:
        base64.b64decode(data, validate=True)
    except ValueError:
        return None
    return data


def _image_format(url: str, data: str) -> str:
    """What its first bytes show (pitfall 78), else what it says of itself."""
    shown = shown_type(data) or ""
    said: Any = re.match(r"data:image/(png|jpeg|gif|webp)\b", url)
    return shown.removeprefix("image/") if shown.startswith("image/") else (said[1] if said else "png")
