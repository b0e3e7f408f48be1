"""The short way for the events that make up nearly all of a stream: deltas that differ in their text only."""

from __future__ import annotations

from typing import Any

import msgspec

_string = msgspec.json.Decoder(str).decode
_NEVER = b"\0"


class DeltaTemplate:
    """The bytes around the text of one delta; another with the same bytes around it says the same otherwise.

    What lies between is decoded as one JSON string, so nothing else can hide there.
    """

    def __init__(self) -> None:
        self.known = False
        self.forget()

    def learn(self, event: str | None, data: bytes, field: str, text: Any) -> None:
        """Remembers a delta event whose `field` is `text`."""
        key = f'"{field}":"'.encode()
        start, end = data.find(key) + len(key), data.rfind(b'"')
        if start < len(key) or end < start or self._text(data[start:end]) != text:
            return
        self.known = True
        self._before, self._after = data[:start], data[end:]
        head = b"data: " if event is None else b"event: " + event.encode() + b"\ndata: "
        self._before_frame, self._after_frame = head + self._before, self._after + b"\n\n"
        self._cut, self._frame_cut = len(self._before), len(self._before_frame)

    def forget(self) -> None:
        """No event matches any more until another has been learnt: another block has begun."""
        self.known = False
        self._before = self._after = self._before_frame = self._after_frame = _NEVER
        self._cut = self._frame_cut = 0

    def text(self, data: bytes) -> str | None:
        """The text of an event's data that differs from the one learnt only in it; None for any other."""
        if data.startswith(self._before) and data.endswith(self._after):
            return self._text(data[self._cut : -len(self._after)])
        return None

    def framed(self, read: bytes) -> str | None:
        """The same for a read that is one such event with its frame and nothing else."""
        if read.startswith(self._before_frame) and read.endswith(self._after_frame):
            return self._text(read[self._frame_cut : -len(self._after_frame)])
        return None

    def _text(self, between: bytes) -> str | None:
        try:
            return _string(b'"%b"' % between)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
