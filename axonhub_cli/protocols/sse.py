"""Server-sent events, between bytes and events, for every protocol that streams them.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

from msgspec import Struct

MAX_EVENT = 16 * 1024 * 1024  # bytes; `response.completed` repeats a whole answer
_BOM = b"\xef\xbb\xbf"


class Event(Struct, frozen=True, gc=False):
    """One event: its name, if it has one, and its data, lines joined by LF."""

    event: str | None
    data: bytes


class SSETooLarge(ValueError):  # noqa: N818 - named after what it says of the stream
    """An event is larger than MAX_EVENT; the stream cannot be read on."""


class SSEParser:
    """Bytes cut anywhere -> events. Lines end in LF, CRLF or CR. Raises SSETooLarge, nothing else."""

    def __init__(self) -> None:
        self._held = bytearray()  # of an event that is not complete
        self._after_cr = False  # the last byte was a CR, already taken as the end of a line
        self._bom: bytes | None = b""  # the first bytes while they may be a BOM; None once that is settled

    @property
    def idle(self) -> bool:
        """Whether the next byte begins an event."""
        return not self._held and not self._after_cr and self._bom is None

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        raw = self.whole(data)
        return split_events(raw) if raw else []

    def whole(self, data: bytes) -> bytes:
        """The same as bytes: whole events, blank lines between them but none at the end; lines end in LF."""
        if self._bom is not None:
            data = self._skip_bom(data)
        if self._after_cr or b"\r" in data:
            data = self._normalise(data)
        held = self._held
        if held:
            start = len(held) - 1
            held += data
            end = held.rfind(b"\n\n", start)
            if end < 0:
                return self._wait()
            data = bytes(held[:end])
            del held[: end + 2]
        else:
            end = data.rfind(b"\n\n")
            if end < 0:
                held += data
                return self._wait()
            if end + 2 < len(data):
                held += data[end + 2 :]
            data = data[:end]
        if len(held) > MAX_EVENT:
            raise SSETooLarge
        return data

    def close(self) -> list[Event]:
        """The stream is over: the last event, even where its blank line is missing."""
        rest, self._held = bytes(self._held), bytearray()
        if self._bom:
            rest, self._bom = self._bom, None
        return split_events(rest.strip(b"\n"))

    def _wait(self) -> bytes:
        if len(self._held) > MAX_EVENT:
            raise SSETooLarge
        return b""

    def _skip_bom(self, data: bytes) -> bytes:
        head = (self._bom or b"") + data
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._bom = head
            return b""
        self._bom = None
        return head.removeprefix(_BOM)

    def _normalise(self, data: bytes) -> bytes:
        if not data:
            return data
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            if not data:
                self._after_cr = False
                return data
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def frame(data: bytes, event: str | None = None) -> bytes:
    """One event as bytes. A line break inside `data` becomes a further data line, so that it cannot forge an event."""
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"))
    if event is None:
        return b"data: " + data + b"\n\n"
    return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"


def split_events(blocks: bytes) -> list[Event]:
    """Events out of `SSEParser.whole`. Raises SSETooLarge."""
    events: list[Event] = []
    for block in blocks.split(b"\n\n"):
        if len(block) > MAX_EVENT:
            raise SSETooLarge
        if block.startswith(b"data: ") and b"\n" not in block:
            events.append(Event(None, block[6:]))
        elif block.startswith(b"event: "):
            name, _, data = block[7:].partition(b"\n")
            if data.startswith(b"data: ") and b"\n" not in data:
                events.append(Event(_name(name), data[6:]))
            else:
                _append(events, block)
        elif block:
            _append(events, block)
    return events


def _append(events: list[Event], block: bytes) -> None:
    """An event of any form; one without data is none."""
    name: str | None = None
    lines: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
        elif field == b"event":
            name = _name(value.removeprefix(b" "))
    if lines:
        events.append(Event(name, b"\n".join(lines)))


def _name(raw: bytes) -> str | None:
    return raw.decode("utf-8", "replace") or None
