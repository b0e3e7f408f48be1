"""AWS's binary event stream, between bytes and frames, and as the server-sent events that decoders read.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html (framing): a prelude of two lengths and
its CRC, headers, a payload, the CRC of it all; numbers are big-endian.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any
from zlib import crc32

import msgspec
from msgspec import Struct

from axonhub_cli.protocols.sse import MAX_EVENT, frame

MEDIA = "application/vnd.amazon.eventstream"
_PRELUDE = 12
_TRAILER = 4
_STRING = 7  # the type of every header that Bedrock sends
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # bytes of a header's value, by its type; 6 and 7 say theirs

# An exception's name -> Anthropic's word, which every decoder of ours reads as well as its clients do.
_WORDS = {
    "throttlingexception": "rate_limit_error",
    "serviceunavailableexception": "overloaded_error",
    "modelnotreadyexception": "overloaded_error",
    "modeltimeoutexception": "timeout_error",
    "validationexception": "invalid_request_error",
}


class FrameError(ValueError):
    """The stream cannot be read on: a checksum or a length is wrong."""


class Frame(Struct, frozen=True):
    """One message; headers that are no text are left out."""

    headers: dict[str, str]
    payload: bytes


class FrameParser:
    """Bytes cut anywhere -> frames. Raises FrameError, nothing else."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete."""
        held = self._held
        held += data
        frames: list[Frame] = []
        start = 0
        while len(held) - start >= _PRELUDE:
            total = int.from_bytes(held[start : start + 4])
            _check_prelude(held[start : start + _PRELUDE], total)
            if len(held) - start < total:
                break
            frames.append(_frame(bytes(held[start : start + total])))
            start += total
        del held[:start]
        return frames


def to_sse(message: Frame) -> bytes:
    """A frame as one server-sent event; nothing for one without anything to say.

    What a model said in its own protocol comes inside a `chunk`, in base64, and is named by its own type. Exceptions
    become Anthropic's `error` event.
    """
    kind = message.headers.get(":message-type", "event")
    if kind != "event":
        return _error(message)
    name = message.headers.get(":event-type", "")
    if name != "chunk":
        return frame(message.payload, name) if message.payload else b""
    try:
        data = base64.b64decode(msgspec.json.decode(message.payload, type=_Chunk).bytes, validate=True)
    except (msgspec.MsgspecError, UnicodeError, binascii.Error):
        raise FrameError("a chunk without bytes") from None
    return frame(data, _type(data))


class _Chunk(Struct):
    bytes: str


class _Typed(Struct):
    type: Any = None


def _check_prelude(prelude: bytearray, total: int) -> None:
    if crc32(prelude[:8]) != int.from_bytes(prelude[8:]):
        raise FrameError("the checksum of a prelude is wrong")
    headers = int.from_bytes(prelude[4:8])
    if total > MAX_EVENT or _PRELUDE + headers + _TRAILER > total:
        raise FrameError("a length is wrong")


def _frame(data: bytes) -> Frame:
    if crc32(data[:-_TRAILER]) != int.from_bytes(data[-_TRAILER:]):
        raise FrameError("the checksum of a message is wrong")
    end = _PRELUDE + int.from_bytes(data[4:8])
    return Frame(_headers(data[_PRELUDE:end]), data[end:-_TRAILER])


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            name_end = at + 1 + data[at]
            name, kind = data[at + 1 : name_end].decode(), data[name_end]
            at = name_end + 1
            if kind in _SIZES:
                at += _SIZES[kind]
                continue
            size = int.from_bytes(data[at : at + 2])
            if kind == _STRING:
                found[name] = data[at + 2 : at + 2 + size].decode()
            at += 2 + size
    except (IndexError, UnicodeDecodeError):
        raise FrameError("headers cannot be read") from None
    return found


def _error(message: Frame) -> bytes:
    headers = message.headers
    name = headers.get(":exception-type") or headers.get(":error-code") or "error"
    try:
        payload = msgspec.json.decode(message.payload or b"{}", type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError):
        payload = {}
    said = payload.get("message") or payload.get("Message") or headers.get(":error-message")
    words = said if isinstance(said, str) else f"The upstream broke off with {name}."
    error = {"type": _WORDS.get(name.lower(), "api_error"), "message": words}
    return frame(msgspec.json.encode({"type": "error", "error": error}), "error")


def _type(data: bytes) -> str | None:
    try:
        name = msgspec.json.decode(data, type=_Typed).type
    except (msgspec.MsgspecError, UnicodeError):
        return None
    return name if isinstance(name, str) else None
