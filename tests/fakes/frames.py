"""AWS's event stream, written: botocore only reads it."""

from __future__ import annotations

import base64
import json
from typing import Any
from zlib import crc32

MEDIA = "application/vnd.amazon.eventstream"


def frame(payload: bytes, **headers: str) -> bytes:
    """One message; a header is named with dashes for `_`, after a colon."""
    written = b"".join(_header(":" + name.replace("_", "-"), value) for name, value in headers.items())
    prelude = (16 + len(written) + len(payload)).to_bytes(4, "big") + len(written).to_bytes(4, "big")
    message = prelude + crc32(prelude).to_bytes(4, "big") + written + payload
    return message + crc32(message).to_bytes(4, "big")


def event(name: str, payload: dict[str, Any]) -> bytes:
    body = json.dumps({**payload, "p": "abcdefghijk"}).encode()  # the padding that Bedrock adds
    return frame(body, event_type=name, content_type="application/json", message_type="event")


def chunk(said: dict[str, Any]) -> bytes:
    """What a model said in its own protocol."""
    return event("chunk", {"bytes": base64.b64encode(json.dumps(said).encode()).decode()})


def exception(name: str, message: str) -> bytes:
    body = json.dumps({"message": message}).encode()
    return frame(body, exception_type=name, content_type="application/json", message_type="exception")


def _header(name: str, value: str) -> bytes:
    return bytes([len(name)]) + name.encode() + b"\x07" + len(value).to_bytes(2, "big") + value.encode()
