"""Images, sound and files as Gemini's `inlineData` and `fileData`, both ways.

https://ai.google.dev/api/caching#Part
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.content import AudioPart, FilePart, ImagePart, OpaquePart, Part
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.gemini.signatures import NAME

_MIME = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "mp4": "video/mp4",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
}
_SOUND = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav"}
_OWN_FILES = "generativelanguage.googleapis.com/"  # only Google can open these addresses


def decode_blob(mime: str, data: str, name: str | None) -> Part:
    """The part for bytes of some media type."""
    kind, _, subtype = mime.partition("/")
    if kind == "image":
        return ImagePart(f"data:{mime};base64,{data}")
    if kind == "audio":
        return AudioPart(data, _SOUND.get(subtype, subtype))
    return FilePart(f"data:{mime};base64,{data}", filename=name)


def decode_file(raw: Mapping[str, Any]) -> Part:
    """The part for an address. What only Google can open, or what an address alone does not tell, stays as it is."""
    uri, mime = str(raw.get("fileUri") or ""), str(raw.get("mimeType") or "")
    if uri.startswith(("http://", "https://")) and _OWN_FILES not in uri:
        if mime.startswith("image/"):
            return ImagePart(uri)
        if mime and mime == guess(uri, ""):
            return FilePart(url=uri)
    return OpaquePart(NAME, "fileData", {"fileData": dict(raw)})


def guess(name: str, default: str) -> str:
    """The media type that a name or an address ends in."""
    ending = name.partition("?")[0].rsplit("/", 1)[-1].rpartition(".")[2].lower()
    return _MIME.get(ending, default)


def encode_url(url: str, default: str) -> JSON:
    """A data: URL as its bytes, any other as an address."""
    if url.startswith("data:"):
        head, _, data = url[5:].partition(",")
        return {"inlineData": {"mimeType": head.split(";")[0] or default, "data": data}}
    return {"fileData": {"mimeType": guess(url, default), "fileUri": url}}


def encode_audio(part: AudioPart) -> JSON:
    """Sound as bytes."""
    return {"inlineData": {"mimeType": f"audio/{part.format}", "data": part.data}}


def encode_file(part: FilePart) -> JSON | None:
    """A file's bytes or its address; None for one that only its vendor holds."""
    if part.data is not None:
        if part.data.startswith("data:"):
            return encode_url(part.data, "application/pdf")
        mime = guess(part.filename or "", "application/pdf")
        return {"inlineData": {"mimeType": mime, "data": part.data}}
    return encode_url(part.url, "application/pdf") if part.url is not None else None
