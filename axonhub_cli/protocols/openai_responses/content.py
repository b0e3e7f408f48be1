"""The content of messages and tool outputs in Responses, both ways.

https://platform.openai.com/docs/api-reference/responses/create (input)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.content import AudioPart, FilePart, ImagePart, OpaquePart, Part, RefusalPart, TextPart
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.media import file_name
from axonhub_cli.protocols.openai_responses import fields
from axonhub_cli.protocols.openai_responses.fields import NAME, JSONObject

HOLDER = "openai"  # of files that have an id here
_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_KNOWN: dict[str, frozenset[str]] = {
    "refusal": frozenset({"type", "refusal"}),
    "input_image": frozenset({"type", "image_url", "detail"}),
    "input_file": frozenset({"type", "file_data", "file_url", "file_id", "filename"}),
    "input_audio": frozenset({"type", "input_audio"}),
} | {kind: frozenset({"type", "text", "annotations", "logprobs"}) for kind in _TEXTS}


def decode_content(value: Any, path: str) -> tuple[tuple[Part, ...], dict[str, Any]]:
    """Parts of a content that is a string or a list, and by position the fields that the parts have no place for."""
    if value is None:
        return (), {}
    if isinstance(value, str):
        return ((TextPart(value),) if value else ()), {}
    if not isinstance(value, list):
        raise fields.wrong(path, "a string or an array", value)
    parts: list[Part] = []
    extras: dict[str, Any] = {}
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise fields.wrong(f"{path}[{index}]", "an object", item)
        kind, text = item.get("type"), item.get("text")
        if len(item) == 2 and isinstance(kind, str) and kind in _TEXTS and isinstance(text, str):
            parts.append(TextPart(text))  # nearly all there is
            continue
        part = decode_part(item, f"{path}[{index}].")
        known = _KNOWN.get(item["type"])
        if known is not None and not isinstance(part, OpaquePart) and (rest := fields.rest(item, known)):
            extras[str(len(parts))] = rest
        parts.append(part)
    return tuple(parts), extras


def decode_part(item: JSONObject, path: str) -> Part:
    """One part; of a kind we do not know, an OpaquePart."""
    kind = fields.needed(item, "type", path)
    if kind in _TEXTS:
        return _text(item, path)
    match kind:
        case "refusal":
            return RefusalPart(fields.needed(item, "refusal", path))
        case "input_image" if item.get("image_url") is not None:
            url = item["image_url"]
            if isinstance(url, dict):  # Chat's shape
                return ImagePart(fields.needed(url, "url", f"{path}image_url."), fields.text(url, "detail", path))
            return ImagePart(fields.needed(item, "image_url", path), fields.text(item, "detail", path))
        case "input_file":
            names = ("file_data", "file_url", "file_id", "filename")
            data, url, file_id, filename = (fields.text(item, name, path) for name in names)
            return FilePart(data, url, file_id, filename, HOLDER)
        case "input_audio":
            audio = fields.table(item, "input_audio", path)
            if audio is None:
                raise fields.missing(f"{path}input_audio")
            here = f"{path}input_audio."
            return AudioPart(fields.needed(audio, "data", here), fields.needed(audio, "format", here))
        case _:
            return OpaquePart(NAME, kind, item)


def _text(item: JSONObject, path: str) -> TextPart:
    text = fields.needed(item, "text", path)
    annotations = tuple(fields.objects(item, "annotations", path))
    return TextPart(text, annotations, tuple(fields.objects(item, "logprobs", path)))


def encode_part(part: Part, *, output: bool) -> JSON | None:
    """One part of a message; `output` when the model wrote it. None for what is no content."""
    match part:
        case TextPart():
            if not output:
                return {"type": "input_text", "text": part.text}
            item: JSON = {
                "type": "output_text",
                "text": part.text,
                "annotations": list(annotations_of(part.annotations)),
            }
            return item | ({"logprobs": list(part.logprobs)} if part.logprobs else {})
        case RefusalPart():
            return {"type": "refusal", "refusal": part.text}
        case ImagePart():
            item = {"type": "input_image", "image_url": part.url}
            return item | ({"detail": part.detail} if part.detail else {})
        case AudioPart():
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
        case FilePart():
            values = {
                "file_data": part.data,
                "file_url": part.url,
                "file_id": part.file_id,
                "filename": file_name(part),
            }
            return {"type": "input_file"} | {name: value for name, value in values.items() if value is not None}
        case OpaquePart(protocol=protocol) if protocol == NAME:
            return dict(part.raw)
        case _:
            return None


def annotations_of(found: Iterable[Mapping[str, Any]]) -> Iterable[JSON]:
    """Citations; Chat Completions keeps the fields one level down."""
    for annotation in found:
        kind = annotation.get("type")
        inner = annotation.get(kind) if isinstance(kind, str) else None
        yield {"type": kind, **inner} if isinstance(inner, Mapping) else dict(annotation)


def decode_output(value: Any, path: str) -> tuple[tuple[Part, ...], dict[str, Any]]:
    """What a tool returned. A list with images that came as its own JSON text is opened (pitfall 113)."""
    if isinstance(value, str) and value.startswith("[") and '"input_image"' in value:
        opened = _list(value)
        if opened is not None:
            value = opened
    return decode_content(value, path)


def _list(text: str) -> list[Any] | None:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    kinds = {"input_text", "input_image"}
    typed = isinstance(value, list) and all(isinstance(item, dict) and item.get("type") in kinds for item in value)
    complete = typed and all(isinstance(item.get("text", item.get("image_url")), str) for item in value)
    return value if complete else None


def encode_output(parts: Iterable[Part]) -> str | list[JSON]:
    """A tool's output: text alone as a string, anything else as a list."""
    found = tuple(parts)
    match found:
        case ():
            return ""
        case (TextPart(text=text),):
            return text
        case _:
            return [item for part in found if (item := encode_part(part, output=False)) is not None]
