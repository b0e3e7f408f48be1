"""Listens to a Messages stream that passes by untouched, and parses only the few events that say something new."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from axonhub_cli.llm.response import FinishKind
from axonhub_cli.protocols.anthropic_messages.errors import error_inside
from axonhub_cli.protocols.anthropic_messages.finish import finish_reason, gave_up
from axonhub_cli.protocols.anthropic_messages.usage import decode_usage, merge_usage, opening_usage
from axonhub_cli.protocols.base import JSON, Watch

MAX_HELD = 16 * 1024 * 1024
# Inside a JSON string quotes are escaped, so these match outside of texts only.
_OUTPUT = re.compile(rb'"type"\s*:\s*"content_block_(?:delta|stop)"')
_TELLING = re.compile(rb'"type"\s*:\s*"(?:message_start|message_delta|message_stop|error)"|"error"\s*:\s*[{"]')


class _Message(Struct):
    model: Any = None
    usage: Any = None


class _Delta(Struct):
    stop_reason: Any = None


class _Event(Struct):
    type: Any = None
    message: _Message | None = None
    delta: _Delta | None = None
    usage: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Event).decode


class StreamWatcher:
    """See `base.StreamWatcher`."""

    def __init__(self) -> None:
        self.watch = Watch()
        self._held = b""
        self._usage: JSON = {}

    def feed(self, data: bytes) -> None:
        """See `base.StreamWatcher`."""
        if self.watch.ended:
            return
        quiet = self.watch.output and not self._held and b'"message_' not in data and b'"error"' not in data
        if quiet and data.endswith(b"\n"):
            return  # nearly all there is
        end = max(data.rfind(b"\n"), data.rfind(b"\r"))
        if end < 0:
            self._held = (self._held + data)[-MAX_HELD:]
            return
        lines, self._held = self._held + data[: end + 1], data[end + 1 :]
        if not self.watch.output and _OUTPUT.search(lines):
            self.watch.output = True
        if _TELLING.search(lines):
            for line in lines.splitlines():
                if line.startswith(b"data:") and _TELLING.search(line) and not self.watch.ended:
                    self._event(line[5:])

    def _event(self, data: bytes) -> None:
        try:
            event = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        watch = self.watch
        match event.type:
            case "message_start" if event.message is not None:
                self._count(opening_usage(event.message.usage))
                if isinstance(event.message.model, str) and event.message.model:
                    watch.model = event.message.model
            case "message_delta":
                self._count(event.usage)
                word = event.delta.stop_reason if event.delta else None
                if isinstance(word, str) and word:
                    self._stop(word)
            case "message_stop":
                watch.ended = True
                watch.empty = not watch.output
                watch.output = watch.output or watch.error is None
            case "error" if watch.finish is None:
                watch.error = watch.error or error_inside(data)
            case None if event.error is not None and watch.finish is None:
                watch.error = watch.error or error_inside(data)

    def _stop(self, word: str) -> None:
        watch = self.watch
        if finish_reason(word, called=True).kind is FinishKind.ERROR:
            watch.error = watch.error or gave_up(word)
        else:
            watch.finish = watch.finish or word

    def _count(self, usage: Any) -> None:
        self._usage = merge_usage(self._usage, usage)
        self.watch.usage = decode_usage(self._usage) or self.watch.usage
