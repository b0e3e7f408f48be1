"""Cuts a client's JSON into what the next request of the conversation repeats, without decoding the pieces.

Put together again the pieces are the original bytes, whatever its spacing: what does not cut cleanly stays whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

__all__ = ["Pieces", "Segment", "split"]

_LISTS = frozenset({"input", "messages", "tools", "contents", "system"})
_LARGE = 256  # bytes; a smaller value stays in the envelope
_NEEDLE = 64  # bytes to look for before comparing all; a long needle makes `find` prepare tables
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])


class Pieces(Struct, frozen=True):
    """Neighbours in the text, each worth a place of its own, with the same bytes between them."""

    items: tuple[memoryview | Raw, ...]
    separator: bytes = b""


Segment = bytes | Pieces  # bytes: the envelope between pieces


def split(data: bytes) -> list[Segment]:
    """The segments of a JSON object; of anything else one piece. Joined they are `data`."""
    try:
        values = _OBJECT.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [whole(data)]
    segments: list[Segment] = []
    done = 0
    for key, raw in values.items():
        view = memoryview(raw)
        size = len(view)
        if size < _LARGE:
            continue
        start = _position(data, view, done)
        if start < 0:
            continue
        pieces = _list_pieces(raw, view) if key in _LISTS else None
        margin = 0 if pieces is None else 1  # the brackets stay in the envelope
        segments.append(data[done : start + margin])
        segments.append(pieces or Pieces((view,)))
        done = start + size - margin
    segments.append(data[done:])
    return segments


def whole(data: bytes) -> Pieces:
    """All of it as one piece."""
    return Pieces((memoryview(data),))


def _position(data: bytes, view: memoryview, begin: int) -> int:
    """Where exactly these bytes are, not before `begin`; -1 where duplicate keys leave no place."""
    value = bytes(view)  # two memoryviews would be compared byte by byte
    start = data.find(value[:_NEEDLE], begin)
    for _ in range(4):
        if start < 0 or data.startswith(value, start):
            return start
        start = data.find(value[:_NEEDLE], start + 1)
    return -1


def _list_pieces(raw: Raw, view: memoryview) -> Pieces | None:
    """The items of a list; None where it is none, is empty, or its spacing is not regular."""
    if view[0] != ord("["):
        return None
    items = tuple(_LIST.decode(raw))
    if not items:
        return None
    gaps = len(view) - 2 - sum(map(len, items))
    if gaps == len(items) - 1:
        return Pieces(items, b",")  # every gap has at least its comma, so each has no more
    separator = b", "  # Python's json.dumps
    if gaps == 2 * (len(items) - 1) and _joined(items, separator) == bytes(view):
        return Pieces(items, separator)
    return None


def _joined(items: Sequence[memoryview | Raw], separator: bytes) -> bytes:
    return b"[" + separator.join(items) + b"]"
