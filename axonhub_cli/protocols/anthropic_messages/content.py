"""Neutral parts -> content blocks of a request; each thing that cannot be said is a Loss.

https://platform.claude.com/docs/en/api/messages (content); pitfalls 10, 11, 63-66, 78, 124.
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
from axonhub_cli.llm.request import Message
from axonhub_cli.protocols.anthropic_messages.blocks import HOLDER
from axonhub_cli.protocols.anthropic_messages.fields import NAME
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.compaction import SUMMARY
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.media import NO_AUDIO, NO_IMAGE, SHOWN, no_file, shown_type
from axonhub_cli.protocols.results import found_tools, opened
from axonhub_cli.protocols.tools import call_input, call_name
from axonhub_cli.vendors import Quirks

MAX_IMAGE = 32 * 1024 * 1024  # characters of one image; the API takes requests of 32 MB
_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_PLACE = re.compile(r"content\[(\d+)\](\..*)?\Z", re.DOTALL)


def text_block(text: str) -> JSON:
    """A text as a block."""
    return {"type": "text", "text": text}


class BlockWriter:
    """Writes the blocks of one request."""

    def __init__(self, quirks: Quirks, losses: Losses) -> None:
        self._quirks = quirks
        self._losses = losses

    def block(self, part: Part) -> JSON | None:
        """The block of a part that is no call and no result; None for what has none."""
        losses = self._losses
        match part:
            case TextPart():
                return self._text(part)
            case RefusalPart(text=text):
                return text_block(text) if text.strip() else None
            case ReasoningPart():
                return self.thinking(part)
            case ImagePart():
                return self._image(part)
            case FilePart():
                return self._file(part)
            case AudioPart():
                losses.add("messages.audio", "Claude takes no sound")
                return text_block(NO_AUDIO)
            case CompactionPart(summary=str(summary)):
                return text_block(SUMMARY + summary)
            case CompactionPart():
                losses.add("messages.compaction", "the summary is sealed by another upstream")
            case OpaquePart() if part.protocol == NAME:
                return dict(part.raw)
            case OpaquePart():
                losses.add(f"messages.{part.kind}", f"only {part.protocol} knows it")
            case ToolCallPart() | ToolResultPart() | ToolsPart():
                pass
        return None

    def thinking(self, part: ReasoningPart) -> JSON | None:
        """The signed block byte for byte as it came; what is foreign or unsigned is dropped, never forged (pitfalls
        63-65), except for vendors that want the bare text back (124)."""
        self._losses.state(part.opaque, "reasoning")
        state = part.opaque.get(NAME)
        state = state if isinstance(state, Mapping) else {}
        if isinstance(state.get("data"), str):
            return {"type": "redacted_thinking", "data": state["data"]}
        if isinstance(state.get("signature"), str):
            return {"type": "thinking", "thinking": part.text, "signature": state["signature"]}
        text = part.text or "\n\n".join(part.summary)
        if self._quirks.unsigned_thinking and text:
            return {"type": "thinking", "thinking": text, "signature": ""}
        self._losses.add("messages.reasoning", "only a thinking block with its own signature goes back")
        return None

    def call(self, part: ToolCallPart, call_id: str) -> JSON:
        """A tool call; its input is an object, whatever the model once wrote (pitfalls 6, 46)."""
        self._losses.state(part.opaque, "tool_call")
        return {"type": "tool_use", "id": call_id, "name": call_name(part), "input": call_input(part, self._losses)}

    def result(self, part: ToolResultPart, call_id: str, kept: Mapping[str, Any]) -> JSON | None:
        """A tool's result with its images inside (pitfall 10); `kept` as from `kept_fields`."""
        blocks: list[JSON] = []
        for at, piece in enumerate(part.content if kept else opened(part.content)):
            block = restored(self.block(piece), _below(kept, f".content[{at}]"))
            blocks += [block] if block is not None else []
        if part.tools:
            blocks.append(text_block(found_tools(part)))
        if part.name is not None:
            self._losses.add("messages.name", "the call says which tool it was")
        written: JSON = {"type": "tool_result", "tool_use_id": call_id}
        if blocks:
            written["content"] = blocks
        if part.failed is not None:
            written["is_error"] = part.failed
        return restored(written, {path: value for path, value in kept.items() if not path.startswith(".content[")})

    def _text(self, part: TextPart) -> JSON | None:
        if not part.text.strip():
            return None  # refused by the API (pitfall 76)
        block = text_block(part.text)
        notes = [note[NAME] for note in part.annotations if isinstance(note.get(NAME), Mapping)]
        if notes:
            block["citations"] = notes
        if len(notes) < len(part.annotations):
            self._losses.add("messages.annotations")
        if part.logprobs:
            self._losses.add("messages.logprobs")
        return block

    def _image(self, part: ImagePart) -> JSON:
        if not self._quirks.vision:
            self._losses.add("messages.image", "this upstream reads text only")
            return text_block(NO_IMAGE)
        if part.detail is not None:
            self._losses.add("messages.image.detail")
        if not part.url.startswith("data:"):
            return {"type": "image", "source": {"type": "url", "url": part.url}}
        source = _base64(part.url)
        if source is None or len(part.url) > MAX_IMAGE:
            self._losses.add("messages.image", "its data cannot be read, or is too large")
            return text_block("[image left out: it cannot be read]")
        if source["media_type"] not in SHOWN:
            self._losses.add("messages.image", f"Claude takes no {source['media_type']}")
            return text_block("[image left out: it is of an unknown kind]")
        kind = "document" if source["media_type"] == "application/pdf" else "image"
        return {"type": kind, "source": source}

    def _file(self, part: FilePart) -> JSON:
        source: JSON | None = None
        if part.url is not None:
            source = {"type": "url", "url": part.url}
        elif part.file_id is not None and part.holder == HOLDER:
            source = {"type": "file", "file_id": part.file_id}
        elif part.data is not None:
            source = _document(part.data)
        if source is None or not self._quirks.files:
            self._losses.add("messages.file", "this upstream takes no such files")
            return text_block(no_file(part))
        if source.get("media_type", "").startswith("image/"):
            return {"type": "image", "source": source}
        return {"type": "document", "source": source} | ({"title": part.filename} if part.filename else {})


def kept_fields(message: Message, place: int) -> dict[str, Any]:
    """What an Anthropic client's block had beside what its part holds, by path below the block."""
    own = message.extras.get(NAME)
    if not own:
        return {}
    found = ((_PLACE.match(key), value) for key, value in own.items())
    return {match[2] or "": value for match, value in found if match and int(match[1]) == place}


def _below(kept: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Of those fields the ones of a block inside."""
    return {path[len(place) :]: value for path, value in kept.items() if path.startswith(place)}


def restored(block: JSON | None, kept: Mapping[str, Any]) -> JSON | None:
    """The block with those fields put back, or as it came where all of it was kept."""
    if "" in kept:
        return dict(kept[""])
    if block is not None:
        block |= {path.removeprefix("."): value for path, value in kept.items()}
    return block


def _base64(url: str) -> JSON | None:
    """A data: URL as a source, under the type its first bytes show (pitfall 78); None where it is no base64."""
    head = _DATA_URL.match(url)
    if head is None or "base64" not in head[2].lower():
        return None
    data = url[head.end() :]
    try:
        media = shown_type(data)
    except ValueError:
        return None
    return {"type": "base64", "media_type": media or head[1].lower() or "image/png", "data": data}


def _document(data: str) -> JSON | None:
    """Base64 or a data: URL; plain text is decoded, everything that is neither text nor PDF is refused there."""
    source = _base64(data if data.startswith("data:") else f"data:application/pdf;base64,{data}")
    if source is None or source["media_type"] in SHOWN:
        return source
    if source["media_type"].startswith("image/"):
        return None
    try:
        text = base64.b64decode(source["data"], validate=True).decode()
    except ValueError:  # no base64, no text
        return None
    return {"type": "text", "media_type": "text/plain", "data": text}
