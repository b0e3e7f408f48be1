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
import re
import zlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from axonhub_cli.llm.content import CompactionPart, Part, ReasoningPart, ToolCallPart
from axonhub_cli.llm.request import Message, Request
from axonhub_cli.protocols.base import JSON, Loss, Unsealer

PREFIX = "axh1."
_LABEL = b"axonhub sealed state 1"
_LIMIT = 16 * 1024 * 1024  # bytes of one state
_ITEMS = ("compaction", "context_compaction")
# As our Responses encoder names the thoughts of an answer that it translates; OpenAI's names are hexadecimal.
_OUR_THOUGHT = re.compile(r"rs_[0-9a-z]{24}_\d+")

Losses = Counter[tuple[str, str]]
_STATEFUL = frozenset({ReasoningPart, ToolCallPart, CompactionPart})
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
    """The part as it leaves towards a client: raw reasoning, native state or a summary go into `sealed`.

    Of a tool call with native state (Gemini's thought signatures) comes a reasoning part that carries it, to leave
    beside the call: on a client's wire calls have no field for it. The same object where there is nothing to keep.
    """
    match part:
        case ReasoningPart() if part.text or part.opaque:
            payload = {"text": part.text, "opaque": part.opaque, "id": part.id, "summary": bool(part.summary)}
            return msgspec.structs.replace(part, sealed=seal.seal(origin, _filled(payload)))
        case CompactionPart(summary=str(summary)):
            return msgspec.structs.replace(part, sealed=seal.seal(origin, {"compaction": summary}))
        case ToolCallPart() if part.opaque:
            return ReasoningPart(sealed=seal.seal(origin, {"calls": {part.call_id: part.opaque}}))
        case _:
            return part


def unseal_request(request: Request, seal: Seal, origin: str, protocol: str) -> tuple[Request, tuple[Loss, ...]]:
    """The request with its state opened for one channel, before `encode_request`.

    Raw reasoning text comes back wherever the protocol is the one that made it, native state only at its whole
    origin, a compaction's summary everywhere (pitfalls 63, 64, 128). Everything else is dropped and told in losses,
    one for each kind; the visible summary stays.
    """
    opener = _Opener(seal, origin, protocol)
    messages = [opener.message(message) for message in request.messages]
    if opener.calls:
        messages = [opener.with_state(message) for message in messages]
    pairs = list(zip(messages, request.messages, strict=True))
    if all(message is original for message, original in pairs):
        return request, _listed(opener.losses)
    kept = [message for message, original in pairs if message.parts or not original.parts]
    return msgspec.structs.replace(request, messages=tuple(kept)), _listed(opener.losses)


def strip_sealed(payload: JSON, seal: Unsealer) -> tuple[JSON, tuple[Loss, ...]]:
    """A Responses payload for a real upstream: our envelopes never leave. Reasoning items that bear one are dropped,
    and those that bear nothing but a name of ours, which the upstream would look for; our compactions become user
    messages. The same object where there is nothing to do."""
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
            field = f"input.{item.get('type')}"
            losses[f"{field}.encrypted_content" if _bears_envelope(item) else field, "made for another channel"] += 1
    return {**payload, "input": kept}, _listed(losses)


def strip_thinking(payload: JSON, *, unsigned: bool = False) -> tuple[JSON, tuple[Loss, ...]]:
    """The same for an Anthropic Messages payload: thinking blocks that bear an envelope of ours are dropped, and those
    that nobody signed, which another vendor's thoughts are, unless the upstream takes `unsigned` ones (pitfalls 64,
    124). The same object where there is nothing to do."""
    messages = payload.get("messages")
    if not isinstance(messages, list):
        return payload, ()
    losses: Losses = Counter()
    kept = [_without_foreign(message, losses, unsigned) for message in messages]
    if not losses:
        return payload, ()
    spoken = [message for message in kept if not isinstance(message, dict) or message.get("content") != []]
    return {**payload, "messages": spoken}, _listed(losses)


def _without_foreign(message: Any, losses: Losses, unsigned: bool) -> Any:
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        return message
    kept = [block for block in content if not _foreign_thinking(block, unsigned)]
    if len(kept) == len(content):
        return message
    losses["messages.thinking.signature", "made for another channel"] += len(content) - len(kept)
    return {**message, "content": kept}


def _foreign_thinking(block: Any, unsigned: bool) -> bool:
    if not isinstance(block, dict):
        return False
    state = {"thinking": "signature", "redacted_thinking": "data"}.get(str(block.get("type")))
    if state is None:
        return False
    sign = block.get(state)
    return str(sign).startswith(PREFIX) or (not sign and not unsigned)


def _ours(item: Any) -> bool:
    return isinstance(item, dict) and (_bears_envelope(item) or _bears_name(item))


def _bears_envelope(item: JSON) -> bool:
    return str(item.get("encrypted_content")).startswith(PREFIX)


def _bears_name(item: JSON) -> bool:
    named = item.get("type") == "reasoning" and _OUR_THOUGHT.fullmatch(str(item.get("id")))
    return bool(named) and not item.get("encrypted_content")


class _Opener:
    """Opens the parts of one request for one channel, and counts what it had to drop."""

    def __init__(self, seal: Seal, origin: str, protocol: str) -> None:
        self.losses: Losses = Counter()
        self.calls: dict[str, Mapping[str, Any]] = {}  # native state by call id
        self._seal = seal
        self._origin = origin
        self._protocol = protocol

    def message(self, message: Message) -> Message:
        """The same object where nothing changed."""
        if _STATEFUL.isdisjoint(map(type, message.parts)):
            return message
        opened = [self._part(part) for part in message.parts]
        if all(a is b for a, b in zip(opened, message.parts, strict=True)):
            return message
        return msgspec.structs.replace(message, parts=tuple(part for part in opened if part is not None))

    def with_state(self, message: Message) -> Message:
        """The message with the state of its calls."""
        if not any(isinstance(part, ToolCallPart) and part.call_id in self.calls for part in message.parts):
            return message
        parts = tuple(
            msgspec.structs.replace(part, opaque=self.calls.get(part.call_id, part.opaque))
            if isinstance(part, ToolCallPart)
            else part
            for part in message.parts
        )
        return msgspec.structs.replace(message, parts=parts)

    def _part(self, part: Part) -> Part | None:
        match part:
            case ReasoningPart():
                part = self._without_foreign(self._reasoning(part) if part.sealed else part, "reasoning")
                return part if part.text or part.summary or part.opaque else None
            case CompactionPart(sealed=str(sealed)):
                return self._compaction(part, sealed)
            case CompactionPart():
                part = self._without_foreign(part, "compaction")
                return part if part.summary or part.opaque else None
            case ToolCallPart():
                return self._without_foreign(part, "tool_call")
            case _:
                return part

    def _reasoning(self, part: ReasoningPart) -> ReasoningPart:
        field = "reasoning.encrypted_content"
        opened = self._seal.unseal(part.sealed or "")
        bare = msgspec.structs.replace(part, sealed=None)
        if opened is None:
            self.losses[field, "damaged, or sealed by another installation"] += 1
            return bare
        made_by, payload = opened
        if made_by.partition("/")[0] != self._protocol:
            self.losses[field, f"made by {made_by}, which speaks another protocol"] += 1
            return bare
        text, opaque, calls = payload.get("text", ""), payload.get("opaque", {}), payload.get("calls", {})
        summary = part.summary if payload.get("summary") else ()  # without its own, the raw text was shown as one
        if made_by == self._origin:
            self.calls |= calls
            return bare if calls else ReasoningPart(text, summary, payload.get("id") or part.id, opaque)
        if opaque or calls:
            self.losses[field, f"native state of {made_by}"] += 1
        return ReasoningPart(text, summary, part.id) if text else bare

    def _compaction(self, part: CompactionPart, sealed: str) -> CompactionPart | None:
        opened = self._seal.unseal(sealed)
        summary = opened[1].get("compaction") if opened else None
        if isinstance(summary, str):
            return CompactionPart(summary, part.id)
        self.losses["compaction.encrypted_content", "damaged, or sealed by another installation"] += 1
        return None

    def _without_foreign(self, part: Stateful, kind: str) -> Stateful:
        """The part with nothing but this protocol's own native state."""
        foreign = part.opaque.keys() - {self._protocol}
        if not foreign:
            return part
        for name in sorted(foreign):
            self.losses[f"{kind}.{name}", "native state of another protocol"] += 1
        own = {name: state for name, state in part.opaque.items() if name == self._protocol}
        return msgspec.structs.replace(part, opaque=own)


def _filled(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if value}


def _listed(losses: Losses) -> tuple[Loss, ...]:
    return tuple(
        Loss(field, reason if count == 1 else f"{reason} ({count} times)") for (field, reason), count in losses.items()
    )
