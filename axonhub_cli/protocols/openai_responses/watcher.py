"""Listens to a Responses stream that passes by untouched; looks for byte patterns and parses next to nothing."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from axonhub_cli.protocols.base import Watch
from axonhub_cli.protocols.failures import error_in
from axonhub_cli.protocols.openai_responses.usage import decode_usage

# Inside a JSON string quotes are escaped, so these match outside of texts only.
_OUTPUT = re.compile(rb'"type"\s*:\s*"response\.(?:[a-z_]+\.delta|output_item\.done)"')
_NOTABLE = re.compile(
    rb'"type"\s*:\s*"(?:response\.(?:created|completed|incomplete|failed|done)|error)"|"error"\s*:\s*\{'
)
_FINISHED = {"response.completed": "completed", "response.done": "completed", "response.failed": "failed"}
_NOTHING = msgspec.Raw(b"null")
_KEEP = 16 * 1024 * 1024  # bytes of a line that is not complete


class _Details(Struct):
    reason: str | None = None


class _Response(Struct):
    model: str | None = None
    usage: msgspec.Raw = _NOTHING  # a union with Raw would refuse every object
    incomplete_details: _Details | None = None


class _Event(Struct):
    type: str = ""
    response: _Response | None = None
    error: msgspec.Raw = _NOTHING


_decode = msgspec.json.Decoder(_Event).decode


def _decode_any(raw: msgspec.Raw) -> Any:
    """None for what only looks like JSON: a raw value has not been checked for valid UTF-8."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class StreamWatcher:
    """See `protocols.base.StreamWatcher`."""

    def __init__(self) -> None:
        self.watch = Watch()
        self._line: list[bytes] = []  # the pieces of a line that is not complete
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Never raises; what it cannot read it leaves alone."""
        if self.watch.ended:
            return
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if not end:
            self._hold(data)
            return
        lines = b"".join([*self._line, data[:end]]) if self._line else data[:end]
        self._line.clear()
        self._size = 0
        if end < len(data):
            self._hold(data[end:])
        self._look(lines)

    def _hold(self, data: bytes) -> None:
        if self._size <= _KEEP:
            self._line.append(data)
            self._size += len(data)

    def _look(self, lines: bytes) -> None:
        if not self.watch.output and _OUTPUT.search(lines):
            self.watch.output = True
        position = 0
        while match := _NOTABLE.search(lines, position):
            start = max(lines.rfind(b"\n", 0, match.start()), lines.rfind(b"\r", 0, match.start())) + 1
            ends = [end for end in (lines.find(b"\n", match.end()), lines.find(b"\r", match.end())) if end >= 0]
            position = min(ends, default=len(lines))
            line = lines[start:position]
            if line.startswith(b"data:"):
                self._event(line[5:])
            if self.watch.ended:
                return

    def _event(self, data: bytes) -> None:
        try:
            event = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        watch, response = self.watch, event.response
        if response is not None and response.model:
            watch.model = response.model
        if event.type == "error" or (not event.type and bytes(event.error) != b"null"):
            watch.error = error_in(data)
            return
        if event.type not in _FINISHED and event.type != "response.incomplete":
            return
        watch.ended = True
        watch.empty = not watch.output
        watch.output = watch.output or event.type != "response.failed"
        watch.finish = _FINISHED.get(event.type)
        if response is not None:
            watch.usage = decode_usage(_decode_any(response.usage))
            if event.type == "response.incomplete":
                watch.finish = (response.incomplete_details or _Details()).reason or "incomplete"
        if event.type == "response.failed":
            watch.error = error_in(data)
