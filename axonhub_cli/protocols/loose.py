"""JSON with characters that are none, which msgspec refuses: half a surrogate pair, where a server cut a text by
JavaScript's count, or bytes that are no UTF-8."""

from __future__ import annotations

import json
from typing import Any

import msgspec


def decode(data: bytes) -> Any:
    """The value, with a mark in place of each such character. Raises what msgspec does for what is no JSON even so."""
    try:
        return msgspec.json.decode(data)
    except ValueError as problem:
        try:
            return msgspec.json.decode(mended(data))
        except ValueError:
            raise problem from None


def mended(data: bytes) -> bytes:
    """The same JSON, with a mark in place of each such character. Raises ValueError for what is none."""
    value = json.loads(data.decode("utf-8", "replace"))
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
