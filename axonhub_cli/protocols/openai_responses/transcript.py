"""What one socket remembers, so that a client may send only what is new (pitfalls 127, 129, 132, 163)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from axonhub_cli.llm.errors import APIError, ErrorKind, Failure, invalid
from axonhub_cli.protocols.openai_responses import fields
from axonhub_cli.protocols.openai_responses.request import TRIGGER

Fields = Mapping[str, msgspec.Raw]

# What a frame says beyond the body of a POST; `stream` goes without saying.
_OWN = frozenset({"type", "generate", "previous_response_id", "stream"})
_YES = msgspec.Raw(b"true")
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _Kind(Struct):
    type: Any = None


class _Response(Struct):
    id: str = ""
    output: list[msgspec.Raw] | None = None


class _Event(Struct):
    type: str = ""
    item: msgspec.Raw = msgspec.Raw(b"")
    response: _Response | None = None


_kind = msgspec.json.Decoder(_Kind).decode
_event = msgspec.json.Decoder(_Event).decode


class Turn(Struct, frozen=True):
    """One `response.create`. `body` is what POST would have been sent; `items` its whole input as JSON, without the
    brackets. `generate`: False is a warm-up, which wants an id and no answer."""

    body: bytes
    items: bytes
    generate: bool
    compacts: bool


class Answer:
    """Reads along as the client is told: the items of an answer, and whether it ended well. What is longer than
    `limit` bytes is not held: nobody can build upon it."""

    def __init__(self, limit: int) -> None:
        self.response_id: str | None = None
        self._items: list[bytes] = []
        self._room = limit

    @property
    def items(self) -> bytes:
        """As JSON, without brackets; empty where there are none."""
        return b",".join(self._items)

    def read(self, event: bytes) -> None:
        """Takes the data of the next event. Never raises; what it cannot read it leaves alone."""
        if b"response.output_item.done" not in event and b"response.completed" not in event:
            return
        try:
            found = _event(event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if found.type == "response.output_item.done" and found.item:
            self._hold(found.item)
        elif found.type == "response.completed" and found.response is not None and found.response.id:
            if not self._items:  # items that came only here: Codex does not see them, others do
                for item in found.response.output or ():
                    self._hold(item)
            self.response_id = found.response.id if self._room >= 0 else None

    def _hold(self, item: msgspec.Raw) -> None:
        self._room -= len(bytes(item))
        if self._room >= 0:
            self._items.append(bytes(item))
        else:
            self._items.clear()


class Transcript:
    """The last answer that ended well, and all that led to it, as JSON items without brackets. An answer that failed
    changes nothing, and a request without `previous_response_id` owes nothing to what was before."""

    def __init__(self) -> None:
        self._response_id: str | None = None
        self._items = b""

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self._items)

    def turn(self, frame: Fields) -> Turn:
        """A `response.create` with everything it builds on. Raises Failure: 400 for what cannot be read, and
        `previous_response_not_found`, after which clients send the whole conversation."""
        head = {name: _value(frame, name) for name in _OWN if name in frame}
        previous = fields.text(head, "previous_response_id")
        new = _items(frame.get("input"))
        body = {name: value for name, value in frame.items() if name not in _OWN} | {"stream": _YES}
        given = _joined(new)
        if previous:
            if previous != self._response_id:
                raise Failure(_not_found(previous))
            given = _joined((self._items, given))
            body["input"] = msgspec.Raw(b"[%b]" % given)
        compacts = bool(new) and _is_trigger(new[-1])
        return Turn(msgspec.json.encode(body), given, fields.flag(head, "generate") is not False, compacts)

    def keep(self, turn: Turn, answer: Answer) -> None:
        """What was said becomes what the next turn may build on, where it was said to its end. What a compaction left
        over is for the client to say: it keeps some of the old messages, we do not know which."""
        if answer.response_id is None:
            return
        if turn.compacts:
            self.forget()
            return
        self._response_id, self._items = answer.response_id, _joined((turn.items, answer.items))

    def forget(self) -> None:
        """Nothing can be built upon any more."""
        self._response_id, self._items = None, b""


def _value(frame: Fields, name: str) -> Any:
    try:
        return msgspec.json.decode(frame[name])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid(f"`{name}` is not valid JSON.", name) from None


def _items(given: msgspec.Raw | None) -> Sequence[bytes]:
    """Input of any form as JSON items. Raises Failure (400)."""
    raw = b"null" if given is None else bytes(given).strip()
    if raw == b"null":
        return ()
    if raw.startswith(b"["):
        try:
            return [bytes(item) for item in _array(raw)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise invalid("`input` is not valid JSON.", "input") from None
    if raw.startswith(b'"'):
        return (b'{"type":"message","role":"user","content":%b}' % raw,)
    raise invalid("`input` must be a string or an array.", "input", "invalid_type")


def _joined(parts: Sequence[bytes]) -> bytes:
    return b",".join(part for part in parts if part)


def _is_trigger(item: bytes) -> bool:
    try:
        return bool(_kind(item).type == TRIGGER["type"])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _not_found(response_id: str) -> APIError:
    message = f"Previous response with id {response_id[:100]!r} not found: this socket holds only its last answer."
    return APIError(
        ErrorKind.INVALID_REQUEST, message, 400, code="previous_response_not_found", param="previous_response_id"
    )
