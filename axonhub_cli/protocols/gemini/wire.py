"""What is read of a chunk or a whole answer, typed, and no more than that.

https://ai.google.dev/api/generate-content#generatecontentresponse
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from axonhub_cli.protocols import loose


class WireContent(Struct):
    """Parts stay plain objects: new kinds of them come up every few months."""

    parts: list[dict[str, Any]] | None = None


class WireCandidate(Struct):
    """One of the answers; only the first is read."""

    content: WireContent | None = None
    finishReason: str | None = None  # noqa: N815 - Google's names
    index: int | None = 0
    finishMessage: Any = None  # noqa: N815
    groundingMetadata: Any = None  # noqa: N815
    citationMetadata: Any = None  # noqa: N815
    urlContextMetadata: Any = None  # noqa: N815
    logprobsResult: Any = None  # noqa: N815


class WireChunk(Struct):
    """One event of a stream, or a whole answer."""

    candidates: list[WireCandidate] | None = None
    usageMetadata: Any = None  # noqa: N815
    modelVersion: str | None = None  # noqa: N815
    responseId: str | None = None  # noqa: N815
    createTime: str | None = None  # noqa: N815
    promptFeedback: Any = None  # noqa: N815
    error: Any = None


# Metadata of a candidate that only a Gemini client can use, passed on as opaque parts.
METADATA = ("groundingMetadata", "citationMetadata", "urlContextMetadata")

decode_strict = msgspec.json.Decoder(WireChunk).decode


def decode_lenient(data: bytes) -> WireChunk:
    """For chunks with numbers in strings, broken characters and the like. Raises msgspec.ValidationError, DecodeError
    or UnicodeDecodeError."""
    return convert(loose.decode(data))


def convert(payload: object) -> WireChunk:
    """A payload that is decoded already. Raises msgspec.ValidationError."""
    return msgspec.convert(payload, WireChunk, strict=False)


def created(time: str | None) -> int | None:
    """Seconds since 1970 of a `createTime`."""
    try:
        return int(datetime.fromisoformat(time).timestamp()) if time else None
    except (ValueError, OverflowError):
        return None
