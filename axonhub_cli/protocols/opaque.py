"""Upstream state that must come back, packed so that any client carries it and only its maker gets it.

Codex replays neither raw reasoning nor ids reliably (pitfalls 1, 33); the one field that survives is
`encrypted_content`. What is put there is compressed, encrypted and authenticated with a key of this
installation, so it outlives a restart (pitfalls 117, 119) and cannot be forged. Equal state gives equal
bytes, so that prompt caches keep working (pitfall 20).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import zlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from axonhub_cli.llm.content import CompactionPart, Part, ReasoningPart, ToolCallPart
from axonhub_cli.llm.request import Message, Request
from axonhub_cli.protocols.base import JSON, Loss

PREFIX = "axh1."
_LABEL = b"axonhub sealed state 1"
_LIMIT = 16 * 1024 * 1024  # bytes of one state
_ITEMS = ("compaction", "context_compaction")

Losses = Counter[tuple[str, str]]
Stateful = TypeVar("Stateful", ReasoningPart, ToolCallPart, CompactionPart)


class _Envelope(msgspec.Struct, array_like=True, frozen=True):
    origin: str
    payload: dict[str, Any]


_ENVELOPE = msgspec.json.Decoder(_Envelope)


class Seal:
    """Makes and opens envelopes. `origin` is `protocol/channel id`: who may have the state back."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESSIV(hmac.digest(secret, _LABEL, "sha512"))

    def seal(self, origin: str, payload: Mapping[str, Any]) -> str:
        """An `axh1.` token; the same for the same input."""
        plain = msgspec.json.encode((origin, payload))
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(plain) + packer.flush()
        return PREFIX + base64.urlsafe_b64encode(self._cipher.encrypt(packed, [_LABEL])).decode().rstrip("=")

    def unseal(self, token: str) -> tuple[str, dict[str, Any]] | None:
        """Origin and payload; None for a token that is damaged, forged or another installation's. Never raises."""
        try:
            raw = token.removeprefix(PREFIX).encode("ascii")
            sealed = base64.b64decode(raw + b"=" * (-len(raw) % 4), b"-_", validate=True)
            unpacker = zlib.decompressobj(-15)
            plain = unpacker.decompress(self._cipher.decrypt(sealed, [_LABEL]), _LIMIT)
            envelope = _ENVELOPE.decode(plain)
        except (InvalidTag, binascii.Error, ValueError, zlib.error, msgspec.MsgspecError, RecursionError):
            return None
        return envelope.origin, envelope.payload


def seal_part(part: Part, seal: Seal, origin: str) -> Part:
    """The part as it leaves towards a client: raw reasoning, native state or a summary go into `sealed`."""
    match part:
        case ReasoningPart() if part.text or part.opaque:
            payload = {"text": part.text, "opaque": part.opaque, "id": part.id, "summary": bool(part.summary)}
            return msgspec.structs.replace(part, sealed=seal.seal(origin, _filled(payload)))
        case CompactionPart(summary=str(summary)):
            return msgspec.structs.replace(part, sealed=seal.seal(origin, {"compaction": summary}))
        case _:
            return part


def unseal_request(request: Request, seal: Seal, origin: str, protocol: str) -> tuple[Request, tuple[Loss, ...]]:
    """The request with its state opened for one channel, before `encode_request`.

    Raw reasoning text comes back wherever the protocol is the one that made it, native state only at its whole
    origin, a compaction's summary everywhere (pitfalls 63, 64, 128). Everything else is dropped and told in losses,
    one for each kind; the visible summary stays.
    """
    losses: Losses = Counter()
    messages = []
    for message in request.messages:
        if any(isinstance(part, (ReasoningPart, CompactionPart, ToolCallPart)) for part in message.parts):
            opened = [_open(part, seal, origin, protocol, losses) for part in message.parts]
            parts = tuple(part for part in opened if part is not None)
            if not parts:
                continue
            if any(a is not b for a, b in zip(parts, message.parts, strict=False)) or len(parts) < len(message.parts):
                message = msgspec.structs.replace(message, parts=parts)  # noqa: PLW2901 - the opened one
        messages.append(message)
    return _with(request, messages), _listed(losses)


def strip_sealed(payload: JSON, seal: Seal) -> tuple[JSON, tuple[Loss, ...]]:
    """A Responses payload for a real upstream: our envelopes never leave. Reasoning items that bear one are dropped,
    our compactions become user messages. The same object where there is nothing to do."""
    items = payload.get("input")
    if not isinstance(items, list) or not any(_ours(item) for item in items):
        return payload, ()
    losses: Losses = Counter()
    kept: list[Any] = []
    for item in items:
        if not _ours(item):
            kept.append(item)
            continue
        opened = seal.unseal(item["encrypted_content"]) if item.get("type") in _ITEMS else None
        summary = opened[1].get("compaction") if opened else None
        if isinstance(summary, str):
            kept.append({"type": "message", "role": "user", "content": [{"type": "input_text", "text": summary}]})
        else:
            losses[f"input.{item.get('type')}.encrypted_content", "made for another channel"] += 1
    return {**payload, "input": kept}, _listed(losses)


def _ours(item: Any) -> bool:
    return isinstance(item, dict) and str(item.get("encrypted_content")).startswith(PREFIX)


def _with(request: Request, messages: list[Message]) -> Request:
    same = len(messages) == len(request.messages) and all(
        a is b for a, b in zip(messages, request.messages, strict=True)
    )
    return request if same else msgspec.structs.replace(request, messages=tuple(messages))


def _open(part: Part, seal: Seal, origin: str, protocol: str, losses: Losses) -> Part | None:
    match part:
        case ReasoningPart():
            if part.sealed:
                part = _open_reasoning(part, seal, origin, protocol, losses)
            part = _without_foreign(part, protocol, "reasoning", losses)
            return part if part.text or part.summary or part.opaque else None
        case CompactionPart():
            return _open_compaction(part, seal, protocol, losses)
        case ToolCallPart():
            return _without_foreign(part, protocol, "tool_call", losses)
        case _:
            return part


def _open_reasoning(part: ReasoningPart, seal: Seal, origin: str, protocol: str, losses: Losses) -> ReasoningPart:
    field = "reasoning.encrypted_content"
    opened = seal.unseal(part.sealed or "")
    bare = msgspec.structs.replace(part, sealed=None)
    if opened is None:
        losses[field, "damaged, or sealed by another installation"] += 1
        return bare
    made_by, payload = opened
    if made_by.partition("/")[0] != protocol:
        losses[field, f"made by {made_by}, which speaks another protocol"] += 1
        return bare
    text, opaque = payload.get("text", ""), payload.get("opaque", {})
    summary = part.summary if payload.get("summary") else ()  # without one of its own, the raw text was shown as one
    if made_by == origin:
        return ReasoningPart(text, summary, payload.get("id") or part.id, opaque)
    if opaque:
        losses[field, f"native state of {made_by}"] += 1
    return ReasoningPart(text, summary, part.id) if text else bare


def _open_compaction(part: CompactionPart, seal: Seal, protocol: str, losses: Losses) -> CompactionPart | None:
    if part.sealed:
        opened = seal.unseal(part.sealed)
        summary = opened[1].get("compaction") if opened else None
        if isinstance(summary, str):
            return CompactionPart(summary, part.id)
        losses["compaction.encrypted_content", "damaged, or sealed by another installation"] += 1
        return None
    part = _without_foreign(part, protocol, "compaction", losses)
    return part if part.summary or part.opaque else None


def _without_foreign(part: Stateful, protocol: str, kind: str, losses: Losses) -> Stateful:
    """The part with nothing but this protocol's own native state; the same object where that holds already."""
    foreign = part.opaque.keys() - {protocol}
    if not foreign:
        return part
    for name in sorted(foreign):
        losses[f"{kind}.{name}", "native state of another protocol"] += 1
    own = {name: state for name, state in part.opaque.items() if name == protocol}
    return msgspec.structs.replace(part, opaque=own)


def _filled(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if value}


def _listed(losses: Losses) -> tuple[Loss, ...]:
    return tuple(
        Loss(field, reason if count == 1 else f"{reason} ({count} times)") for (field, reason), count in losses.items()
    )
