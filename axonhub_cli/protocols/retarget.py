"""The same request for another model, everything else as the client wrote it (pitfalls 13, 65)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.errors import invalid
from axonhub_cli.protocols.base import JSON

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]', re.DOTALL)
_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])


def retarget(payload: JSON, model: str, changes: Mapping[str, Any] | None = None) -> JSON:
    """A copy with `model` and the top-level `changes` (a `stream` flag, say); the caller's is not touched."""
    return {**payload, "model": model, **(changes or {})}


def retarget_raw(body: bytes, model: str, changes: Mapping[str, Any] | None = None) -> bytes:
    """The same for bytes. Raises Failure (400) for what is no JSON object."""
    return patch_raw(body, {"model": model, **(changes or {})})


def patch_raw(body: bytes, fields: Mapping[str, Any]) -> bytes:
    """A JSON object with other top-level `fields`: the rest keeps every byte, so big numbers, odd escapes and unknown
    fields survive. Raises Failure (400) for what is no JSON object."""
    if not fields:
        return body
    try:
        payload = _RAW.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _retarget_loose(body, fields)
    payload.update({name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()})
    return msgspec.json.encode(payload)


def without_raw(body: bytes, fields: Collection[str]) -> bytes:
    """A valid JSON object without some of its fields; every other keeps its bytes, or its value where only the
    standard library can read it."""
    try:
        payload = _RAW.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        loose = json.loads(body.removeprefix(b"\xef\xbb\xbf"))
        return json.dumps({name: value for name, value in loose.items() if name not in fields}).encode()
    return msgspec.json.encode({name: value for name, value in payload.items() if name not in fields})


def _retarget_loose(body: bytes, fields: Mapping[str, Any]) -> bytes:
    """For JSON that msgspec refuses and the standard library reads, such as one with a lone surrogate."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        payload = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as problem:
        raise invalid(f"The request body is not JSON: {problem}.") from None
    if not isinstance(payload, dict):
        raise invalid("The request body is not a JSON object.")
    spliced, opening = body, body.index(b"{") + 1
    for name, start, end in sorted(_members(body), key=lambda member: member[1], reverse=True):
        if name in fields:
            spliced = spliced[:start] + msgspec.json.encode(fields[name]) + spliced[end:]
    missing = {name: value for name, value in fields.items() if name not in payload}
    comma = b"," if missing and payload else b""
    return spliced[:opening] + msgspec.json.encode(missing)[1:-1] + comma + spliced[opening:]


def _members(body: bytes) -> Iterator[tuple[str, int, int]]:
    """Name of each top-level field of a valid JSON object, and where its value begins and ends."""
    depth, start, name = 0, 0, ""
    key_next = False
    for match in _TOKEN.finditer(body):
        token = match[0]
        if token in (b"{", b"["):
            depth += 1
            key_next = key_next or depth == 1
        elif depth == 1 and token in (b",", b"}"):
            if name:
                yield name, start, match.start()
            name, key_next = "", True
            depth -= token == b"}"
        elif token in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and key_next:
            name, key_next = json.loads(token), False
        elif depth == 1 and token == b":":
            start = match.end()


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON")
